/** `berth rm` and `berth restore` as processes of their own, beside a server and without one. */
import { expect, test } from "bun:test";
import { join } from "node:path";
import { stringify } from "yaml";
import {
  configuration,
  registryCommand,
  startRegistry,
} from "../../test/support/registry-server.ts";
import { testFolder } from "../server/test-support.ts";

test("delete and take back, through the server and without it", async () => {
  using folder = testFolder();
  const dataFolder = join(folder.path, "data");
  const file = folder.write(
    "config.yml",
    stringify(configuration({ dataFolder, host: "127.0.0.1:0", config: {} })),
  );
  const berth = (...args: string[]) => {
    const command = registryCommand("berth", [...args, "--config", file]);
    const { exitCode, stdout } = Bun.spawnSync(command, { stderr: "inherit" });
    return { exitCode, output: stdout.toString() };
  };
  const server = await startRegistry({ kind: "berth", dataFolder });
  const manifestUrl = `${server.origin}/v2/team/app/manifests/v1`;
  const statusOf = async () => (await fetch(manifestUrl, { method: "HEAD" })).status;
  try {
    const index = { schemaVersion: 2, mediaType: indexType, manifests: [] };
    const headers = { "content-type": indexType };
    const body = JSON.stringify(index);
    expect((await fetch(manifestUrl, { method: "PUT", body, headers })).status).toBe(201);
    // No terminal to ask at: nothing happens.
    expect(berth("rm", "team/app").exitCode).toBe(1);
    expect(await statusOf()).toBe(200);
    expect(berth("rm", "--yes", "team/app").output).toContain("deleted team/app:v1");
    expect(await statusOf()).toBe(404);
  } finally {
    await server.stop();
  }
  expect(server.log()).toContain("a tag was deleted");
  expect(berth("restore", "team/app")).toMatchObject({ exitCode: 0 });
  expect(berth("trash", "ls").output).toBe("the trash is empty\n");
  // Nobody reads any more: no failure of the command, and nothing to say about it.
  const [program = "", ...rest] = registryCommand("berth", ["gc", "status", "--config", file]);
  const status = [program, ...rest].map((part) => JSON.stringify(part)).join(" ");
  const closed = Bun.spawnSync(["sh", "-c", `{ ${status}; echo "ended with $?" >&2; } | true`]);
  expect(closed.stderr.toString()).toBe("ended with 0\n");
  expect(berth("tag", "history", "team/app", "v1").output.split("\n")).toHaveLength(4);
}, 30_000);

const indexType = "application/vnd.oci.image.index.v1+json";
