import { expect, test } from "bun:test";
import { once } from "node:events";
import { createServer } from "node:net";
import { FakeClock, recordingLogger } from "../base/test-support.ts";
import type { HealthConfig } from "../config/config.ts";
import { RegistryError } from "../oci/problems.ts";
import { Health } from "./health.ts";
import { HandTimer, testFolder } from "./test-support.ts";

const nothing: HealthConfig = { files: [], http: [], tcp: [] };

interface Bench {
  readonly health: Health;
  readonly log: ReturnType<typeof recordingLogger>;
  /** Lets 10 s pass, and what is due be over. */
  readonly nextLook: () => Promise<void>;
  /** What the storage does when it is asked. */
  probe: () => Promise<void>;
  /** What the database does. */
  probeDatabase: () => Promise<void>;
  readonly start: (config?: Partial<HealthConfig>) => Promise<void>;
}

function bench(): Bench {
  const clock = new FakeClock();
  const timer = new HandTimer();
  const log = recordingLogger();
  const health = new Health({ clock, logger: log, every: timer.every });
  const made: Bench = {
    health,
    log,
    probe: async () => undefined,
    probeDatabase: async () => undefined,
    nextLook: async () => {
      clock.pass(10_000);
      timer.tick();
      await new Promise((done) => setTimeout(done, 0));
    },
    start: (config = {}) =>
      health.start(
        { ...nothing, ...config },
        { storage: () => made.probe(), database: () => made.probeDatabase() },
      ),
  };
  return made;
}

const full = async (): Promise<void> => {
  const cause = Object.assign(new Error("ENOSPC: no space left on device, write"), {
    code: "ENOSPC",
  });
  throw new RegistryError("storageFull", {}, { cause });
};

test("a storage that takes writes is well, and nothing is said of it", async () => {
  const { health, log, nextLook, start } = bench();
  await start();
  await nextLook();
  expect(health.problems()).toEqual({});
  expect(log.lines).toEqual([]);
});

test("a full disk turns readiness red with a sentence, is logged once, and recovers", async () => {
  const made = bench();
  const { health, log, nextLook } = made;
  made.probe = full;
  await made.start();
  const sentence = "the storage is full: pushes fail until there is room again, pulls go on";
  expect(health.problems()).toEqual({ storagedriver: sentence });
  // Pulls go on, so the API does.
  expect(health.outOfRotation()).toBeUndefined();
  await nextLook();
  await nextLook();
  expect(log.lines.map(({ level, message }) => [level, message])).toEqual([
    ["error", `a health check fails: ${sentence}`],
  ]);
  made.probe = async () => undefined;
  await nextLook();
  expect(health.problems()).toEqual({});
  expect(log.lines.at(-1)).toMatchObject({ level: "info", fields: { check: "storagedriver" } });
  made.probe = full;
  await nextLook();
  expect(log.lines.map(({ level }) => level)).toEqual(["error", "info", "error"]);
});

test("a database that is gone turns readiness red, and says why until it is back", async () => {
  const made = bench();
  const { health, nextLook } = made;
  await made.start();
  made.probeDatabase = async () => {
    const cause = new Error("Failed to connect to 10.0.0.7:5432");
    throw new RegistryError("databaseUnavailable", {}, { cause });
  };
  await nextLook();
  const why = "the database does not answer: Failed to connect to 10.0.0.7:5432";
  expect(health.problems()).toEqual({ database: why });
  // What is in memory is still served, and whatever else is asked for gets its own answer.
  expect(health.outOfRotation()).toBeUndefined();
  made.probeDatabase = async () => undefined;
  await nextLook();
  expect(health.problems()).toEqual({});
});

test("a storage that has stopped writing says what ends that, whatever began it", async () => {
  const made = bench();
  made.probe = async () => {
    const cause = Object.assign(new Error("EROFS: fdatasync"), { code: "EROFS" });
    throw new RegistryError("storageDegraded", {}, { cause });
  };
  await made.start();
  expect(made.health.problems()["storagedriver"]).toContain("check the disk and restart it");
  expect(made.health.outOfRotation()).toBeUndefined();
});

test("a failure counts when it has come as often in a row as the threshold says", async () => {
  const made = bench();
  const { health, nextLook } = made;
  made.probe = async () => {
    throw new Error("the bucket is gone");
  };
  await made.start({ storageDriver: { intervalMs: 10_000, threshold: 3 } });
  await nextLook();
  expect(health.problems()).toEqual({});
  await nextLook();
  expect(health.problems()).toEqual({ storagedriver: "the bucket is gone" });
});

test("a storage that never answers does not hold the start up, and is not asked twice at once", async () => {
  const made = bench();
  const { health, nextLook } = made;
  const { promise, resolve } = Promise.withResolvers<void>();
  let asked = 0;
  made.probe = () => {
    asked += 1;
    return promise;
  };
  const started = made.start();
  await nextLook();
  await started;
  await nextLook();
  expect(health.problems()).toEqual({ storagedriver: "there is no answer after 20 s" });
  expect(asked).toBe(1);
  resolve();
  await nextLook();
  await nextLook();
  expect(health.problems()).toEqual({});
  expect(asked).toBeGreaterThan(1);
});

test("a file takes the registry out of rotation as long as it is there", async () => {
  using folder = testFolder();
  const { health, nextLook, start } = bench();
  const path = folder.file("maintenance");
  await start({ files: [{ path, intervalMs: 10_000, threshold: 1 }] });
  await nextLook();
  expect(health.outOfRotation()).toBeUndefined();
  folder.write("maintenance", "");
  await nextLook();
  // Whoever sends a request reads this: paths and hosts of the inside are for operators.
  expect(health.outOfRotation()).toBe("a health check fails");
  expect(health.problems()).toEqual({ [`file:${path}`]: `the file ${path} exists` });
});

test("a web server and a port that the registry stands on are asked", async () => {
  const { health, nextLook, start } = bench();
  let status = 200;
  const asked: string[] = [];
  const web = Bun.serve({
    hostname: "127.0.0.1",
    port: 0,
    fetch: ({ method, headers }) => {
      asked.push(`${method} ${headers.get("x-check")}`);
      return new Response(null, { status });
    },
  });
  const tcp = createServer((socket) => socket.destroy()).listen(0, "127.0.0.1");
  await once(tcp, "listening");
  const address = tcp.address();
  const port = address !== null && typeof address === "object" ? address.port : 0;
  const common = { intervalMs: 10_000, threshold: 1, timeoutMs: 5_000 };
  const uri = `http://127.0.0.1:${web.port}/`;
  await start({
    http: [{ ...common, uri, statusCode: 200, headers: new Map([["X-Check", ["yes"]]]) }],
    tcp: [{ ...common, host: "127.0.0.1", port }],
  });
  /** Looks again and again until the problems are these: answers come in their own time. */
  const become = async (problems: Readonly<Record<string, string>>): Promise<void> => {
    while (!Bun.deepEquals(health.problems(), problems)) await nextLook();
  };
  while (asked.length === 0) await nextLook();
  await become({});
  expect(asked[0]).toBe("HEAD yes");
  const refused = `127.0.0.1:${port} does not answer: ECONNREFUSED`;
  tcp.close();
  status = 500;
  await become({
    [`http:${uri}`]: `${uri} answered 500`,
    [`tcp:127.0.0.1:${port}`]: refused,
  });
  status = 200;
  await become({ [`tcp:127.0.0.1:${port}`]: refused });
  await web.stop(true);
});

test("a secret in the URL of a check is sent, and never told", async () => {
  const { health, log, nextLook, start } = bench();
  const asked: string[] = [];
  const web = Bun.serve({
    hostname: "127.0.0.1",
    port: 0,
    fetch: ({ url, headers }) => {
      asked.push(`${headers.get("authorization")} ${new URL(url).search}`);
      return new Response(null, { status: 500 });
    },
  });
  const common = { intervalMs: 10_000, threshold: 1, timeoutMs: 5_000, statusCode: 200 };
  const uri = `http://u:hunter2@127.0.0.1:${web.port}/ready?token=hunter2`;
  await start({ http: [{ ...common, uri, headers: new Map() }] });
  while (health.outOfRotation() === undefined) await nextLook();
  expect(asked[0]).toBe(`Basic ${btoa("u:hunter2")} ?token=hunter2`);
  const shown = `http://(hidden)@127.0.0.1:${web.port}/ready?(hidden)`;
  expect(health.problems()).toEqual({ [`http:${shown}`]: `${shown} answered 500` });
  expect(Bun.inspect(log.lines)).not.toContain("hunter2");
  await web.stop(true);
});

test("an operator's hand and the end of the registry are problems too", async () => {
  const { health, log, start } = bench();
  await start();
  health.setDown(true);
  health.setDown(true);
  expect(health.problems()).toEqual({ manual_http_status: "taken out of rotation by hand" });
  expect(health.outOfRotation()).toBe("taken out of rotation by hand");
  health.setDown(false);
  expect(health.problems()).toEqual({});
  expect(log.lines.map(({ level }) => level)).toEqual(["warn", "info"]);
  health.drain();
  expect(health.problems()).toEqual({ shutdown: "the registry is stopping" });
  // What comes on connections that are open already is still answered.
  expect(health.outOfRotation()).toBeUndefined();
});
