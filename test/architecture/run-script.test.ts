/** What `scripts/run.mjs` installs before it runs something, seen from an npm that only notes it. */
import { afterAll, beforeAll, expect, test } from "bun:test";
import { spawnSync } from "node:child_process";
import { copyFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

const repository = join(import.meta.dir, "../..");
let clone = "";
beforeAll(() => {
  clone = mkdtempSync(join(tmpdir(), "berth-run-script-"));
  for (const folder of ["scripts", "bin"]) mkdirSync(join(clone, folder));
  copyFileSync(join(repository, "scripts/run.mjs"), join(clone, "scripts/run.mjs"));
  const manifest = { dependencies: { needed: "1.0.0" }, devDependencies: { wanted: "1.0.0" } };
  writeFileSync(join(clone, "package.json"), JSON.stringify(manifest));
  const npm = `#!/bin/sh\necho "$@" > '${clone}/asked'\nexit 1\n`;
  writeFileSync(join(clone, "bin/npm"), npm, { mode: 0o755 });
});
afterAll(() => rmSync(clone, { recursive: true, force: true }));

test.each([
  ["the program", "src/main.ts serve", true],
  ["the program with a configuration", "src/main.ts serve /etc/berth/config.yml", true],
  ["a command", "src/main.ts gc status", true],
  ["the executable", "scripts/build.ts", true],
  ["tests", "scripts/test.ts unit", false],
  ["the tests whose path has the word serve", "scripts/test.ts unit serve", false],
  ["the benchmark", "bench/main.ts", false],
])("%s needs what it is made of, and no more: %s", (_, args, isRuntimeOnly) => {
  const command = [join(clone, "scripts/run.mjs"), ...args.split(" ")];
  const env = { PATH: `${clone}/bin:${process.env["PATH"] ?? ""}` };
  const { status, stderr } = spawnSync("node", command, { env, encoding: "utf8" });
  expect(stderr).toContain("npm install failed");
  expect(status).toBe(1);
  expect(readFileSync(join(clone, "asked"), "utf8").includes("--omit=dev")).toBe(isRuntimeOnly);
});
