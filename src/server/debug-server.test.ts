import { expect, test } from "bun:test";
import { FakeClock, recordingLogger } from "../base/test-support.ts";
import { createPrometheus } from "../telemetry/prometheus.ts";
import { startDebugServer } from "./debug-server.ts";
import { Health } from "./health.ts";
import { HandTimer, rawAnswer } from "./test-support.ts";

interface Started extends AsyncDisposable {
  readonly port: number;
  readonly health: Health;
  readonly clock: FakeClock;
  ask(path: string, init?: RequestInit): Promise<Response>;
}

async function start(
  prometheusPath?: string,
  probe = async (): Promise<void> => undefined,
): Promise<Started> {
  const clock = new FakeClock();
  const metrics = createPrometheus();
  metrics.counter({ name: "berth_test_total", help: "For this test." }).add(3);
  const health = new Health({ clock, logger: recordingLogger(), every: new HandTimer().every });
  await health.start(
    { files: [], http: [], tcp: [] },
    { storage: probe, database: async () => undefined },
  );
  const server = startDebugServer({
    debug: {
      listen: { kind: "tcp", host: "127.0.0.1", port: 0 },
      ...(prometheusPath !== undefined && { prometheusPath }),
    },
    health,
    metrics,
    clock,
    version: "1.2.3",
  });
  const port = server.port ?? 0;
  return {
    port,
    health,
    clock,
    ask: (path, init) => fetch(`http://127.0.0.1:${port}${path}`, init),
    [Symbol.asyncDispose]: () => server.stop(true),
  };
}

test("health is {} and 200, or what is wrong and 503, for readiness too and for liveness never", async () => {
  await using well = await start();
  for (const path of [
    "/debug/health",
    "/debug/health/ready",
    "/debug/health/live",
    "/debug/health?x",
  ]) {
    const answer = await well.ask(path);
    expect([answer.status, await answer.text()]).toEqual([200, "{}"]);
  }
  await using ill = await start(undefined, async () => {
    throw new Error("the disk is gone");
  });
  for (const path of ["/debug/health", "/debug/health/ready"]) {
    const answer = await ill.ask(path);
    expect(answer.status).toBe(503);
    expect(await answer.json()).toEqual({ storagedriver: "the disk is gone" });
  }
  expect((await ill.ask("/debug/health/live")).status).toBe(200);
});

test("an operator takes the registry out of rotation and puts it back, but a web page does not", async () => {
  await using server = await start();
  const post = { method: "POST" };
  expect((await server.ask("/debug/health/down", post)).status).toBe(200);
  expect((await server.ask("/debug/health")).status).toBe(503);
  expect((await server.ask("/debug/health/up", post)).status).toBe(200);
  expect((await server.ask("/debug/health")).status).toBe(200);
  const page = { method: "POST", headers: { Origin: "https://elsewhere.example" } };
  expect((await server.ask("/debug/health/down", page)).status).toBe(403);
  expect((await server.ask("/debug/health")).status).toBe(200);
});

test("HEAD is GET without a body, and a method that a path does not take is 405", async () => {
  await using server = await start("/metrics");
  for (const path of ["/debug/health", "/metrics", "/debug/vars"]) {
    const got = await server.ask(path);
    const length = (await got.arrayBuffer()).byteLength;
    const head = await server.ask(path, { method: "HEAD" });
    expect(head.status).toBe(got.status);
    expect(await head.text()).toBe("");
    expect(head.headers.get("content-type")).toBe(got.headers.get("content-type"));
    expect(Math.abs(Number(head.headers.get("content-length")) - length)).toBeLessThan(100);
    const put = await server.ask(path, { method: "PUT" });
    expect([put.status, put.headers.get("allow")]).toEqual([405, "GET, HEAD"]);
  }
  for (const method of ["GET", "HEAD", "DELETE"]) {
    const answer = await server.ask("/debug/health/down", { method });
    expect([answer.status, answer.headers.get("allow")]).toEqual([405, "POST"]);
  }
  expect((await server.ask("/debug/health")).status).toBe(200);
});

test("metrics are where they were put, and nowhere when they are off", async () => {
  await using on = await start("/numbers");
  const answer = await on.ask("/numbers");
  expect(answer.headers.get("content-type")).toStartWith("text/plain");
  expect(await answer.text()).toContain("berth_test_total 3");
  expect((await on.ask("/metrics")).status).toBe(404);
  await using off = await start();
  expect((await off.ask("/metrics")).status).toBe(404);
});

test("the variables are version, uptime and memory, and nothing secret", async () => {
  await using server = await start();
  server.clock.pass(65_000);
  const { memory, ...others } = (await (await server.ask("/debug/vars")).json()) as {
    memory: Record<string, number>;
  };
  expect(others).toEqual({ version: "1.2.3", uptimeSeconds: 65 } as never);
  expect(Object.keys(memory)).toEqual([
    "residentBytes",
    "heapBytes",
    "heapUsedBytes",
    "externalBytes",
  ]);
  expect(Object.values(memory).every((bytes) => bytes > 0)).toBe(true);
});

test("what is not there is 404, profiles of Go with a sentence, a hostile Host too", async () => {
  await using server = await start();
  expect((await server.ask("/v2/")).status).toBe(404);
  const pprof = await server.ask("/debug/pprof/heap");
  expect(pprof.status).toBe(404);
  expect(await pprof.text()).toContain("not written in Go");
  const hostile = "GET /debug/health HTTP/1.1\r\nHost: a b@c\r\nConnection: close\r\n\r\n";
  expect(await rawAnswer({ port: server.port }, hostile)).toMatch(/^HTTP\/1\.1 (200|400) /);
});

test("an address that is taken is said in a sentence that names the key", async () => {
  await using server = await start();
  const debug = { listen: { kind: "tcp", host: "127.0.0.1", port: server.port } } as const;
  const { health, clock } = server;
  const again = (): unknown =>
    startDebugServer({ debug, health, clock, metrics: createPrometheus(), version: "1" });
  expect(again).toThrow("another program uses this port");
  expect(again).toThrow("http.debug.addr");
});
