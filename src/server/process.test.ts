/** `berth serve` as a process of its own: signals, exit codes, and a socket that it is given. */
import { expect, test } from "bun:test";
import { once } from "node:events";
import { existsSync, mkdirSync, renameSync, symlinkSync, unlinkSync, writeFileSync } from "node:fs";
import { connect as connectPlain, createServer, type Server, type Socket } from "node:net";
import { anywhere, berth, berthOn, main } from "./process-support.ts";
import { bodyOf, certificates, rawAnswer, shake, testFolder } from "./test-support.ts";

function portOf(origin: string): number {
  return Number(new URL(origin).port);
}

/** Pushes a blob of `sizeBytes` zeros, and hands out its path. */
async function push(origin: string, sizeBytes: number): Promise<string> {
  const bytes = new Uint8Array(sizeBytes);
  const digest = `sha256:${new Bun.CryptoHasher("sha256").update(bytes).digest("hex")}`;
  const url = `${origin}/v2/test/blobs/uploads/?digest=${digest}`;
  const answer = await fetch(url, { method: "POST", body: bytes });
  expect(answer.status).toBe(201);
  return `/v2/test/blobs/${digest}`;
}

/** A pull of which the first bytes have come; the rest waits until somebody reads. */
async function beginPull(origin: string, path: string): Promise<Socket> {
  const socket = connectPlain(portOf(origin), "127.0.0.1");
  socket.on("error", () => undefined);
  socket.write(`GET ${path} HTTP/1.1\r\nHost: localhost\r\n\r\n`);
  await once(socket, "readable");
  return socket;
}

async function endPull(socket: Socket): Promise<number> {
  let bytes = 0;
  for await (const chunk of socket) bytes += (chunk as Buffer).length;
  return bytes;
}

async function untilClosed(origin: string): Promise<void> {
  const isOpen = (): Promise<boolean> =>
    fetch(`${origin}/v2/`).then(
      () => true,
      () => false,
    );
  while (await isOpen()) await Bun.sleep(1);
}

test("requests are counted under all the names that dashboards for Distribution ask for", async () => {
  using folder = testFolder();
  const debugServer = '{addr: "127.0.0.1:0", prometheus: {enabled: true}}';
  await using server = berth(folder, `${anywhere}  debug: ${debugServer}\n`);
  const origin = await server.origin();
  const debug = /"url":"([^"]+)"/.exec(server.log())?.[1] ?? "";
  const lines = async (): Promise<readonly string[]> =>
    (await (await fetch(`${debug}/metrics`)).text()).split("\n");
  expect(await lines()).toContain('registry_http_in_flight_requests{handler="blob"} 0');
  await fetch(origin + (await push(origin, 5_000)));

  const begun = await fetch(`${origin}/v2/test/blobs/uploads/`, { method: "POST" });
  const upload = connectPlain(portOf(origin), "127.0.0.1");
  const head = `PATCH ${begun.headers.get("location")} HTTP/1.1\r\nHost: localhost\r\n`;
  upload.write(`${head}Content-Length: 3\r\n\r\na`);
  const oneIsRunning = 'registry_http_in_flight_requests{handler="blob_upload_chunk"} 1';
  while (!(await lines()).includes(oneIsRunning)) await Bun.sleep(1);
  upload.write("bc");
  await once(upload, "readable");
  upload.destroy();

  const after = await lines();
  for (const line of [
    'registry_http_in_flight_requests{handler="blob_upload_chunk"} 0',
    'registry_http_requests_total{handler="blob",method="get",code="200"} 1',
    'registry_http_request_duration_seconds_count{handler="blob",method="get"} 1',
    'registry_http_request_size_bytes_sum{handler="blob_upload"} 5000',
    'registry_http_request_size_bytes_sum{handler="blob_upload_chunk"} 3',
    'registry_http_response_size_bytes_sum{handler="blob"} 5000',
    'registry_http_response_size_bytes_bucket{handler="blob",le="4096"} 0',
    'registry_http_response_size_bytes_bucket{handler="blob",le="8192"} 1',
  ]) {
    expect(after).toContain(line);
  }
});

test("a variable that is ignored is named in the log", async () => {
  using folder = testFolder();
  await using server = berth(folder, anywhere, { variables: { REGISTRY_HTTP_ADR: ":1" } });
  await server.origin();
  const warning = server
    .log()
    .split("\n")
    .find((line) => line.includes("there is no such key"));
  expect(JSON.parse(warning ?? "{}")).toMatchObject({ variable: "REGISTRY_HTTP_ADR" });
  expect(warning).not.toContain("undefined");
});

test("the access log has the client's address also for what was refused at once", async () => {
  using folder = testFolder();
  await using server = berth(folder, anywhere);
  const origin = await server.origin();
  await fetch(`${origin}/nothing`, { headers: { "X-Forwarded-For": "203.0.113.9" } });
  server.process.kill("SIGTERM");
  const lines = await new Response(server.process.stdout).text();
  expect(lines).toMatch(/^203\.0\.113\.9 - - .*"GET \/nothing HTTP\/1\.1" 404 /m);
});

test("the access log has the client's address also for an upload that broke off", async () => {
  using folder = testFolder();
  const debugServer = '{addr: "127.0.0.1:0", prometheus: {enabled: true}}';
  await using server = berth(folder, `${anywhere}  debug: ${debugServer}\n`);
  const origin = await server.origin();
  const debug = /"url":"([^"]+)"/.exec(server.log())?.[1] ?? "";
  const begun = await fetch(`${origin}/v2/test/blobs/uploads/`, { method: "POST" });
  const upload = connectPlain(portOf(origin), "127.0.0.1");
  const head = `PATCH ${begun.headers.get("location")} HTTP/1.1\r\nHost: localhost\r\n`;
  upload.write(`${head}Content-Length: 9\r\n\r\nabc`);
  const metrics = async (): Promise<string> => (await fetch(`${debug}/metrics`)).text();
  const running = 'registry_http_in_flight_requests{handler="blob_upload_chunk"} 1';
  while (!(await metrics()).includes(running)) await Bun.sleep(1);
  upload.destroy();
  while ((await metrics()).includes(running)) await Bun.sleep(1);
  server.process.kill("SIGTERM");
  const lines = await new Response(server.process.stdout).text();
  expect(lines).toMatch(/^127\.0\.0\.1 - - .*"PATCH .*" 400 /m);
});

test("a registry that is taken out of rotation answers 503 until it is put back", async () => {
  using folder = testFolder();
  await using server = berth(folder, `${anywhere}  debug: {addr: "127.0.0.1:0"}\n`);
  const origin = await server.origin();
  const debug = /"url":"([^"]+)"/.exec(server.log())?.[1] ?? "";
  expect((await fetch(`${origin}/v2/`)).status).toBe(200);
  await fetch(`${debug}/debug/health/down`, { method: "POST" });
  const refused = await fetch(`${origin}/v2/`);
  expect(refused.status).toBe(503);
  expect(await refused.json()).toMatchObject({ errors: [{ code: "UNAVAILABLE" }] });
  await fetch(`${debug}/debug/health/up`, { method: "POST" });
  expect((await fetch(`${origin}/v2/`)).status).toBe(200);
  // What operators ask is never on the port of the clients.
  for (const path of ["/debug/health", "/debug/vars", "/metrics"]) {
    expect((await fetch(`${origin}${path}`)).status).toBe(404);
  }
});

test("SIGTERM lets pulls end and turns readiness red at once, and the process ends with 0", async () => {
  using folder = testFolder();
  const http = `${anywhere}  draintimeout: 30s\n  debug: {addr: "127.0.0.1:0"}\n`;
  await using server = berth(folder, http);
  const origin = await server.origin();
  const debug = /"url":"([^"]+)"/.exec(server.log())?.[1] ?? "";
  expect((await fetch(`${debug}/debug/health/ready`)).status).toBe(200);
  const sizeBytes = 24_000_000;
  const path = await push(origin, sizeBytes);
  const pulls = await Promise.all(Array.from({ length: 20 }, () => beginPull(origin, path)));
  // One that never asks anything, as browsers open in advance.
  const unused = connectPlain(portOf(origin), "127.0.0.1");
  await once(unused, "connect");
  server.process.kill("SIGTERM");
  await untilClosed(origin);
  const readiness = await fetch(`${debug}/debug/health/ready`);
  expect([readiness.status, await readiness.json()]).toEqual([
    503,
    { shutdown: "the registry is stopping" },
  ]);
  expect((await fetch(`${debug}/debug/health/live`)).status).toBe(200);
  const sizes = await Promise.all(pulls.map(endPull));
  expect(sizes.every((bytes) => bytes > sizeBytes && bytes < sizeBytes + 1_000)).toBe(true);
  const { code, errors } = await server.ended();
  expect(code).toBe(0);
  expect(errors).toMatch(/"the registry is stopping[^]*"the registry has stopped"/);
  unused.destroy();
});

test("a second SIGTERM ends what is still running, at once, with 1", async () => {
  using folder = testFolder();
  await using server = berth(folder, `${anywhere}  draintimeout: 1h\n`);
  const origin = await server.origin();
  const pull = await beginPull(origin, await push(origin, 48_000_000));
  server.process.kill("SIGTERM");
  await untilClosed(origin);
  expect(server.process.exitCode).toBeNull();
  server.process.kill("SIGTERM");
  const { code, errors } = await server.ended();
  expect(code).toBe(1);
  expect(errors).toContain("the registry has stopped");
  expect(errors).not.toContain("    at ");
  pull.destroy();
});

test("the time to drain is limited by http.draintimeout", async () => {
  using folder = testFolder();
  await using server = berth(folder, `${anywhere}  draintimeout: 200ms\n`);
  const origin = await server.origin();
  const pull = await beginPull(origin, await push(origin, 48_000_000));
  server.process.kill("SIGTERM");
  expect((await server.ended()).code).toBe(0);
  pull.destroy();
});

test("SIGHUP looks at the certificate again, and does not end the process", async () => {
  using folder = testFolder();
  const write = (name: string): void => {
    const { cert, key } = certificates.server(name);
    writeFileSync(folder.file("tls.crt"), cert);
    writeFileSync(folder.file("tls.key"), key);
  };
  write("one");
  const files = `{certificate: ${folder.file("tls.crt")}, key: ${folder.file("tls.key")}}`;
  await using server = berth(folder, `${anywhere}  tls: ${files}\n`);
  const port = portOf(await server.origin());
  expect(await shake({ port })).toMatchObject({ serverName: "one" });
  write("two");
  server.process.kill("SIGHUP");
  while (!server.log().includes("is in use")) await Bun.sleep(5);
  // For a second the server before may answer too.
  while ((await shake({ port })).serverName !== "two") await Bun.sleep(5);
});

test("a port that is taken is one plain sentence on standard error, and exit code 1", async () => {
  using folder = testFolder();
  await using first = berth(folder, anywhere);
  const port = portOf(await first.origin());
  using other = testFolder();
  for (const more of ["", "  debug: {addr: 127.0.0.1:0}\n"]) {
    await using second = berth(other, `  addr: 127.0.0.1:${port}\n${more}`);
    const { code, errors } = await second.ended();
    expect(code).toBe(1);
    expect(errors).toContain(`berth: cannot listen on 127.0.0.1:${port}: another program uses`);
    expect(errors).not.toContain("    at ");
  }
  await using third = berth(other, `${anywhere}  debug: {addr: "127.0.0.1:${port}"}\n`);
  const { code, errors } = await third.ended();
  expect(code).toBe(1);
  expect(errors).toContain("(http.debug.addr)");
});

for (const kind of ["tcp", "unix"] as const) {
  for (const isTls of [false, true]) {
    test(`a ${kind} socket that is handed over is served ${isTls ? "with TLS" : "as it is"}`, async () => {
      using folder = testFolder();
      const path = folder.file("first.sock");
      const handed = folder.file("handed.sock");
      const keeper = createServer();
      keeper.listen(kind === "tcp" ? { host: "127.0.0.1", port: 0 } : { path });
      await once(keeper, "listening");
      const port = portOfServer(keeper);
      const { cert, key } = certificates.server("one");
      const tls = `{certificate: ${folder.write("c", cert)}, key: ${folder.write("k", key)}}`;
      await using server = berth(folder, `  addr: 127.0.0.1:1\n${isTls ? `  tls: ${tls}\n` : ""}`, {
        descriptor: descriptorOf(keeper),
      });
      const origin = await server.origin();
      if (kind === "tcp") expect(origin).toBe(`${isTls ? "https" : "http"}://127.0.0.1:${port}`);
      else expect(origin).toBe("unix:(handed over)");
      // Closing removes a socket at the path that it was opened with.
      if (kind === "unix") renameSync(path, handed);
      keeper.close();
      const where = kind === "tcp" ? { port } : { path: handed };
      const request = "GET /v2/ HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
      const answer = isTls
        ? (await shake(kind === "tcp" ? { port } : { path: handed, host: undefined }, request))
            .answer
        : await rawAnswer(where, request);
      expect(answer).toStartWith("HTTP/1.1 200 ");
      expect(bodyOf(answer)).toBe("{}");
      server.process.kill("SIGTERM");
      expect((await server.ended()).code).toBe(0);
    });
  }
}

function portOfServer(server: Server): number {
  const address = server.address();
  return address !== null && typeof address === "object" ? address.port : 0;
}

/** The listening socket of a server of this process: what a service manager would hold. */
function descriptorOf(server: Server): number {
  const { _handle: handle } = server as unknown as { _handle: { fd: number } };
  return handle.fd;
}

test("a second server on the same folder is refused, and the next one starts after a kill", async () => {
  using folder = testFolder();
  await using first = berth(folder, anywhere);
  const origin = await first.origin();
  const refused = await berth(folder, anywhere).ended();
  expect(refused.code).toBe(1);
  expect(refused.errors).toContain(`is served already by process ${first.process.pid}, since `);
  expect(refused.errors).toContain(`at ${origin}; `);
  expect(refused.errors).toContain("storage.filesystem.rootdirectory");
  expect((await fetch(`${origin}/v2/`)).status).toBe(200);
  first.process.kill("SIGKILL");
  await first.process.exited;
  await using next = berth(folder, anywhere);
  await next.origin();
  // A server that is told to stop has given the folder back when it is gone.
  next.process.kill("SIGTERM");
  expect((await next.ended()).code).toBe(0);
  expect(existsSync(folder.file("data/berth/owner.json"))).toBe(false);
  await using last = berth(folder, anywhere);
  await last.origin();
});

test("a storage in memory is locked by nobody", async () => {
  using folder = testFolder();
  const config = folder.write(
    "memory.yml",
    "version: 0.1\nlog: {formatter: json}\nstorage: {inmemory: {}}\nhttp: {addr: 127.0.0.1:0}\n",
  );
  await using first = berthOn(config);
  await using second = berthOn(config);
  expect(await first.origin()).not.toBe(await second.origin());
});

test("a repository that cannot be read at the start holds collection up only until it can", async () => {
  using folder = testFolder();
  const layers = folder.file("data/docker/registry/v2/repositories/team/app/_layers");
  mkdirSync(layers, { recursive: true });
  symlinkSync("sha256", `${layers}/sha256`);
  await using server = berth(folder, anywhere);
  await server.origin();
  const collect = () =>
    Bun.spawn([process.execPath, main, "gc", "run", "-c", folder.file("config.yml")]).exited;
  expect(await collect()).toBe(1);
  expect(server.log()).toContain("a repository could not be compared with the storage");
  unlinkSync(`${layers}/sha256`);
  while (!server.log().includes("the metadata agrees with the storage")) await Bun.sleep(5);
  expect(await collect()).toBe(0);
});

test("berth health says whether a registry is served, and whether it is well", async () => {
  using folder = testFolder();
  const health = async () => {
    const child = Bun.spawn([process.execPath, main, "health", "-c", folder.file("config.yml")], {
      stdout: "pipe",
    });
    return { said: await child.stdout.text(), code: await child.exited };
  };
  await using server = berth(folder, anywhere);
  await server.origin();
  expect(await health()).toEqual({ said: "the registry is well\n", code: 0 });
  server.process.kill("SIGKILL");
  await server.process.exited;
  const data = folder.file("data");
  expect(await health()).toEqual({ said: `no registry is served in ${data}\n`, code: 1 });
});
