/** Commands on a registry that is served, and on one that is not. */
import { expect, test } from "bun:test";
import { chmodSync, existsSync, mkdirSync, statSync } from "node:fs";
import { join } from "node:path";
import { systemRandom } from "../base/random.ts";
import { loadConfig } from "../config/load.ts";
import { digestOf } from "../oci/digest.ts";
import { openTestRegistry } from "../registry/test-support.ts";
import { Collection } from "./collection.ts";
import { startControlSocket } from "./control-socket.ts";
import { RetentionRuns } from "./retention-runs.ts";
import { type CommandCall, runCommand } from "./run-command.ts";
import { serve } from "./serve.ts";
import { testFolder } from "./test-support.ts";

function setUp() {
  const folder = testFolder();
  const data = join(folder.path, "data");
  const text = `
version: 0.1
log: { level: error, accesslog: { disabled: true } }
storage: { filesystem: { rootdirectory: ${data} } }
http: { addr: "127.0.0.1:0" }
`;
  const loaded = loadConfig({ text, environment: {} });
  const lines: string[] = [];
  const call = (name: string, values = {}, more: Partial<CommandCall> = {}) =>
    runCommand(loaded.config, {
      name,
      values,
      version: "1",
      signal: new AbortController().signal,
      print: (line) => lines.push(line),
      ...more,
    });
  const start = () => serve(loaded, { version: "1", activatedSocket: undefined });
  return {
    folder,
    loaded,
    data,
    lines,
    call,
    start,
    [Symbol.dispose]: () => folder[Symbol.dispose](),
  };
}

test("a command runs in the server that has the registry open, and says there what it says here", async () => {
  using rig = setUp();
  const server = await rig.start();
  expect(statSync(join(rig.data, "berth/control.sock")).mode & 0o777).toBe(0o600);
  expect(await rig.call("gc run")).toBe(0);
  const served = rig.lines.splice(0);
  expect(served.join("\n")).toContain("0 blobs (0 B) to the trash");
  await server.stop();
  expect(await rig.call("gc run")).toBe(0);
  expect(rig.lines).toEqual(served);
  expect(existsSync(join(rig.data, "berth/owner.json"))).toBe(false);
});

test("what clients say of themselves moves nobody's cursor", async () => {
  using rig = setUp();
  const server = await rig.start();
  const mediaType = "application/vnd.oci.image.index.v1+json";
  const pushed = await fetch(`${server.origin}/v2/team/app/manifests/v1`, {
    method: "PUT",
    headers: { "Content-Type": mediaType, "User-Agent": "\u009b31mred" },
    body: JSON.stringify({ schemaVersion: 2, mediaType, manifests: [] }),
  });
  expect(pushed.status).toBe(201);
  const history = () => rig.call("tag history", { repository: "team/app", tag: "v1" });
  await history();
  await server.stop();
  await history();
  expect(rig.lines).toHaveLength(2);
  for (const line of rig.lines) expect(line).toEndWith("with \ufffd31mred");
});

test("what is no call gets an answer, and nobody a page of sources", async () => {
  using rig = setUp();
  const server = await rig.start();
  const unix = join(rig.data, "berth/control.sock");
  for (const [path, body] of [
    ["gc%20status", "{"],
    ["%zz", "{}"],
  ] as const) {
    const answer = await fetch(`http://localhost/${path}`, { method: "POST", unix, body });
    expect(answer.status).toBe(400);
    expect(await answer.json()).toEqual({ error: "this is not a call of a command" });
  }
  await server.stop();
});

test("another user is told whom to be", async () => {
  using rig = setUp();
  const server = await rig.start();
  chmodSync(join(rig.data, ".."), 0o755);
  chmodSync(join(rig.data, "berth/control.sock"), 0);
  const isRoot = process.geteuid?.() === 0;
  if (isRoot) process.seteuid?.(65_534);
  try {
    const refused = await rig.call("gc status").catch((error: unknown) => String(error));
    expect(refused).toContain("as the user that the server runs as");
    expect(refused).toContain("control.sock");
  } finally {
    if (isRoot) process.seteuid?.(0);
  }
  await server.stop();
});

test("what a command refuses comes back as its sentence, and its exit code as it is", async () => {
  using rig = setUp();
  const server = await rig.start();
  expect(await rig.call("tag history", { repository: "team/app", tag: "v1" })).toBe(1);
  expect(rig.lines).toEqual(["nothing is recorded of team/app:v1"]);
  expect(rig.call("tag history", { repository: "Team", tag: "v1" })).rejects.toThrow(
    "Team is not a repository name",
  );
  expect(rig.call("tag history", {})).rejects.toThrow("the command wants repository");
  expect(rig.call("make coffee")).rejects.toThrow("the server knows no command make coffee");
  expect(rig.call("gc run", {}, { version: "2" })).rejects.toThrow("use the same executable");
  await server.stop();
});

test("a socket that a killed server left is no server", async () => {
  using rig = setUp();
  const server = await rig.start();
  await server.stop();
  Bun.spawnSync([
    process.execPath,
    "-e",
    `require("node:net").createServer().listen(${JSON.stringify(join(rig.data, "berth/control.sock"))}, () => process.kill(process.pid, "SIGKILL"))`,
  ]);
  expect(existsSync(join(rig.data, "berth/control.sock"))).toBe(true);
  expect(await rig.call("gc status")).toBe(0);
});

/** A server in whose folder commands never end by themselves. */
async function hang(rig: ReturnType<typeof setUp>) {
  const { promise: begun, resolve: begin } = Promise.withResolvers<void>();
  const ends = new AbortController();
  const { logger, clock, ...opened } = await openTestRegistry();
  const basics = { opened: { ...opened, logger, clock }, clock, logger, random: systemRandom };
  const config = opened.config;
  const collection = new Collection({ ...opened, clock, logger, config: config.gc });
  const hanging = Promise.withResolvers<never>();
  collection.round = async ({ say, signal }) => {
    say?.({ kind: "trashed", digest: digestOf("first"), sizeBytes: 1 });
    begin();
    signal.addEventListener("abort", () => hanging.reject(signal.reason));
    return hanging.promise;
  };
  const parts = { ...basics, config, collection, isServing: true, adopted: async () => undefined };
  const retention = new RetentionRuns({ ...basics, config: config.retention });
  mkdirSync(join(rig.data, "berth"), { recursive: true });
  const path = join(rig.data, "berth/control.sock");
  const options = { path, version: "1", parts: { ...parts, retention }, logger, ends: ends.signal };
  const socket = (await startControlSocket(options)) ?? expect.unreachable();
  return { begun, ends, socket, logger };
}

async function firstLine({ lines }: ReturnType<typeof setUp>): Promise<void> {
  while (lines.length === 0) await Bun.sleep(1);
}

for (const isQuiet of [true, false]) {
  const said = isQuiet ? "has said nothing yet" : "has said something";
  test(`who interrupts a command that ${said} is told in a sentence, and the server ends it`, async () => {
    using rig = setUp();
    const { begun, socket, logger } = await hang(rig);
    const person = new AbortController();
    const called = rig.call("gc run", { quiet: isQuiet }, { signal: person.signal });
    await begun;
    if (!isQuiet) await firstLine(rig);
    person.abort();
    expect(called).rejects.toThrow("interrupted: the server ends gc run as soon as it can");
    await called.catch(() => undefined);
    await socket.ended();
    expect(logger.lines.map(({ message }) => message)).toContain("a command was broken off");
    await socket.stop();
  });
}

test("a command that the server cuts off at its end says so", async () => {
  for (const quiet of [true, false]) {
    using rig = setUp();
    const { begun, socket } = await hang(rig);
    const failed = rig.call("gc run", { quiet }).catch((error: unknown) => String(error));
    await begun;
    if (!quiet) await firstLine(rig);
    await socket.stop();
    expect(await failed).toBe(
      "Error: the server went away before the command ended: it was stopped (http.draintimeout) or killed",
    );
  }
});

test("a command that a stopping server breaks off says so", async () => {
  using rig = setUp();
  const { begun, socket, ends } = await hang(rig);
  const called = rig.call("gc run");
  await begun;
  ends.abort();
  expect(called).rejects.toThrow("the server is stopping: gc run was broken off");
  await socket.ended();
  await socket.stop();
});

test("a server that stops waits for the command that runs in it, which is told to end", async () => {
  using rig = setUp();
  const { promise: begun, resolve: begin } = Promise.withResolvers<void>();
  const { promise: finished, resolve: finish } = Promise.withResolvers<void>();
  const ends = new AbortController();
  const path = join(rig.folder.path, "control.sock");
  const opened = await openTestRegistry();
  const { clock, logger } = opened;
  const basics = { opened, clock, logger, random: systemRandom, config: opened.config };
  const collection = new Collection({ ...basics, ...opened, config: opened.config.gc });
  let isTold = false;
  collection.round = async ({ signal }) => {
    begin();
    await finished;
    isTold = signal.aborted;
    throw new Error("it ends");
  };
  const retention = new RetentionRuns({ ...basics, config: opened.config.retention });
  const adopted = async (): Promise<void> => undefined;
  const parts = { ...basics, collection, retention, isServing: true, adopted };
  const options = { path, version: "1", parts, logger, ends: ends.signal };
  const socket = (await startControlSocket(options)) ?? expect.unreachable();
  const body = JSON.stringify({ version: "1", values: {} });
  const send = () => fetch("http://localhost/gc%20run", { method: "POST", unix: path, body });
  const answer = send();
  await begun;
  ends.abort();
  expect(await (await send()).text()).toContain("the server is stopping");
  let hasEnded = false;
  const ended = socket.ended().then(() => void (hasEnded = true));
  await Promise.resolve();
  expect(hasEnded).toBe(false);
  finish();
  await ended;
  expect(isTold).toBe(true);
  expect(await (await answer).text()).toContain("it ends");
  await socket.stop();
});
