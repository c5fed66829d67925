/** What lies in deploy/ fits the program: nothing else would notice before somebody deploys it. */
import { expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { loadConfig } from "../../src/config/load.ts";

const deploy = join(import.meta.dir, "../../deploy");

test("the container's configuration has nothing to warn of and nothing that is not needed", () => {
  const { config, warnings, notices } = loadConfig({
    text: readFileSync(join(deploy, "container/config.yml"), "utf8"),
    environment: {},
  });
  expect(warnings).toEqual([]);
  expect(notices).toEqual([]);
  expect(config.storage.driver).toMatchObject({ rootDirectory: "/var/lib/registry" });
});

test.each([
  ["systemd/berth.service", /^TimeoutStopSec=(\d+)$/m],
  ["compose/compose.yml", /^ *stop_grace_period: (\d+)s$/m],
])("%s waits longer than the registry drains", (path, pattern) => {
  const drainSeconds = loadConfig({ environment: {} }).config.http.drainTimeoutMs / 1000;
  const found = pattern.exec(readFileSync(join(deploy, path), "utf8"));
  expect(Number(found?.[1])).toBeGreaterThan(drainSeconds);
});
