import { expect, test } from "bun:test";
import { once } from "node:events";
import { existsSync, lstatSync, renameSync, truncateSync } from "node:fs";
import { connect as connectPlain, createServer, type Socket } from "node:net";
import { connect } from "node:tls";
import { listenProblem } from "./listen-problem.ts";
import {
  bodyOf,
  certificates,
  rawAnswer,
  startListener,
  type TestFolder,
  type TestListener,
  testFolder,
  tlsConfig,
} from "./test-support.ts";
import { removeStaleSocket } from "./unix-socket.ts";

const keepAliveRequest = "GET /whole HTTP/1.1\r\nHost: localhost\r\n\r\n";

test("port 0 lets the system choose, and the origin has the port that it chose", async () => {
  await using listener = await startListener({});
  expect(listener.port).toBeGreaterThan(0);
  const answer = await rawAnswer({ port: listener.port });
  expect(JSON.parse(bodyOf(answer))).toEqual({ address: "127.0.0.1", isTls: false });
  expect(listener.timer.count).toBe(0);
});

test("a port that is taken is said in one sentence, with what to do", async () => {
  await using first = await startListener({});
  const listen = { kind: "tcp", host: "127.0.0.1", port: first.port } as const;
  const failure = await startListener({ listen }).catch((error: unknown) => error);
  expect(String(failure)).toBe(
    `Error: cannot listen on 127.0.0.1:${first.port}: another program uses this port. Stop it ` +
      "(ss -ltnp shows which one it is), or choose another port (http.addr)",
  );
});

test("every reason of the system not to listen is a sentence", () => {
  const because = (code: string, listen: Parameters<typeof listenProblem>[1]["listen"]): string =>
    listenProblem(Object.assign(new Error(code), { code }), { key: "http.addr", listen }).message;
  const tcp = (port: number, host?: string) =>
    ({ kind: "tcp", port, ...(host !== undefined && { host }) }) as const;
  const unix = { kind: "unix", path: "/run/berth.sock" } as const;
  expect(because("EACCES", tcp(80))).toStartWith("cannot listen on :80: ports below 1024 are for");
  expect(because("EACCES", tcp(5000))).toContain("this user may not open this port");
  expect(because("EACCES", unix)).toContain("this user may not create files in that folder");
  expect(because("EADDRINUSE", unix)).toContain("there is something else at this path");
  expect(because("EADDRNOTAVAIL", tcp(5000, "::2"))).toStartWith(
    "cannot listen on [::2]:5000: this machine has no such address",
  );
  expect(because("ENOENT", unix)).toContain("the folder of the socket is not there");
  expect(because("ENOENT", tcp(5000, "registry.invalid"))).toStartWith(
    "cannot listen on registry.invalid:5000: this name has no address",
  );
  expect(because("ESOMETHING", unix)).toContain("ESOMETHING");
});

test("an address of another machine, and a path that cannot be, are refused by the system so", async () => {
  const listens = {
    "this machine has no such address": { kind: "tcp", host: "192.0.2.1", port: 0 },
    "the folder of the socket is not there": { kind: "unix", path: "/nowhere/at/all.sock" },
    "at most 107 bytes": { kind: "unix", path: `/tmp/${"a".repeat(120)}` },
  } as const;
  for (const [sentence, listen] of Object.entries(listens)) {
    const failure = await startListener({ listen }).catch((error: unknown) => error);
    expect(String(failure)).toContain(sentence);
  }
});

test("a client that hangs up keeps its address in what it asked to change, and is never taken for a Unix socket", async () => {
  for (const [method, known] of [
    ["PUT", "127.0.0.1"],
    ["GET", undefined],
  ] as const) {
    const arrived = Promise.withResolvers<void>();
    const gone = Promise.withResolvers<void>();
    const told = Promise.withResolvers<string | undefined>();
    await using listener = await startListener(
      {},
      {
        answer: async (request, peer) => {
          request.signal.addEventListener("abort", () => gone.resolve());
          arrived.resolve();
          await gone.promise;
          told.resolve(peer.address());
          return new Response();
        },
      },
    );
    const client = connectPlain({ host: "127.0.0.1", port: listener.port });
    client.write(`${method} / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n\r\n`);
    await arrived.promise;
    client.destroy();
    expect(await told.promise).toBe(known);
  }
});

test("a Unix socket is served, with the rights that the umask leaves, and goes at the end", async () => {
  using folder = testFolder();
  const path = folder.file("berth.sock");
  const umask = process.umask(0o007);
  try {
    await using listener = await startListener({ listen: { kind: "unix", path } });
    expect(listener.origin).toBe(`unix:${path}`);
    expect(lstatSync(path).mode & 0o777).toBe(0o770);
    expect(JSON.parse(bodyOf(await rawAnswer({ path })))).toEqual({ address: "", isTls: false });
  } finally {
    process.umask(umask);
  }
  expect(existsSync(path)).toBe(false);
});

test("a Unix socket with TLS is served, and its certificate can change", async () => {
  using folder = testFolder();
  const path = folder.file("berth.sock");
  const tls = tlsConfig(folder, certificates.server("one"));
  await using listener = await startListener({ listen: { kind: "unix", path }, tls });
  const nameShown = async (): Promise<unknown> => {
    const socket = connect({ path, servername: "localhost", ca: certificates.authority });
    await once(socket, "secureConnect");
    const { CN } = socket.getPeerCertificate().subject;
    socket.destroy();
    return CN;
  };
  expect(await nameShown()).toBe("one");
  tlsConfig(folder, certificates.server("two"));
  listener.timer.tick();
  expect(await nameShown()).toBe("two");
});

test("a socket that nobody answers on is removed; everything else stays", async () => {
  using folder = testFolder();
  const stale = folder.file("stale.sock");
  // A socket of a process that is gone: the file stays when its name was changed before.
  const gone = createServer().listen(folder.file("first.sock"));
  await once(gone, "listening");
  renameSync(folder.file("first.sock"), stale);
  gone.close();
  await once(gone, "close");
  expect(lstatSync(stale).isSocket()).toBe(true);
  await removeStaleSocket(stale);
  expect(existsSync(stale)).toBe(false);

  const file = folder.write("file", "precious");
  await removeStaleSocket(file);
  expect(existsSync(file)).toBe(true);
  const used = folder.file("used.sock");
  await using first = await startListener({ listen: { kind: "unix", path: used } });
  const failure = await startListener({ listen: { kind: "unix", path: used } }).catch(String);
  expect(failure).toContain("there is something else at this path");
  expect(bodyOf(await rawAnswer({ path: used }))).toContain("isTls");
  expect(first.origin).toBe(`unix:${used}`);
  const overFile = await startListener({ listen: { kind: "unix", path: file } }).catch(String);
  expect(overFile).toContain("there is something else at this path");
});

const fileBytes = 8_000_000;
const transfers = 20;

const ways: Readonly<Record<string, (folder: TestFolder) => Parameters<typeof startListener>[0]>> =
  {
    "plain HTTP": () => ({}),
    TLS: (folder) => ({ tls: tlsConfig(folder, certificates.server("one")) }),
    "TLS by the front": (folder) => ({
      tls: tlsConfig(folder, certificates.server("one"), {
        clientCertificates: {
          caPaths: [folder.write("clients.pem", certificates.authority)],
          mode: "verify-client-cert-if-given",
        },
      }),
    }),
  };

for (const [way, http] of Object.entries(ways)) {
  test(`${way}: what is under way when the registry stops comes to its end, whole`, async () => {
    using folder = testFolder();
    const path = folder.write("blob", "");
    truncateSync(path, fileBytes);
    await using listener = await startListener(http(folder), {
      answer: async ({ url }) =>
        url.endsWith("/whole") ? new Response("short") : new Response(Bun.file(path)),
    });
    const idle = await open(listener);
    idle.write(keepAliveRequest);
    await once(idle, "data");
    const unused = await open(listener);
    const sockets = await Promise.all(Array.from({ length: transfers }, () => open(listener)));
    const received = sockets.map(async (socket) => {
      let bytes = 0;
      socket.write("GET /blob HTTP/1.1\r\nHost: localhost\r\n\r\n");
      const { promise: closed, resolve } = Promise.withResolvers<number>();
      let isHeadOver = false;
      socket.on("data", (data: Buffer) => {
        const start = isHeadOver ? 0 : data.indexOf("\r\n\r\n") + 4;
        isHeadOver = true;
        bytes += data.length - start;
      });
      socket.once("close", () => resolve(bytes));
      await once(socket, "data");
      socket.pause();
      return closed;
    });
    const closed = (socket: Socket): Promise<unknown> => once(socket.resume(), "close");
    const idleClosed = closed(idle);
    await Promise.all(sockets.map((socket) => waitUntil(() => socket.isPaused())));

    const stopped = listener.stop(false);
    await idleClosed;
    const refused = await rawAnswer({ port: listener.port }).catch(String);
    expect(refused).toContain("ECONNREFUSED");
    for (const socket of sockets) socket.resume();
    expect(await Promise.all(received)).toEqual(sockets.map(() => fileBytes));
    // A connection without a request does not hold the end up for the minutes it may be idle.
    await stopped;
    unused.destroy();
  });

  test(`${way}: a stop that cannot wait ends what is under way`, async () => {
    using folder = testFolder();
    const { promise: never } = Promise.withResolvers<Response>();
    await using listener = await startListener(http(folder), { answer: () => never });
    const socket = await open(listener);
    socket.on("error", () => undefined);
    socket.write(keepAliveRequest);
    const { promise: closed, resolve } = Promise.withResolvers<void>();
    socket.resume().once("close", () => resolve());
    await new Promise((done) => setTimeout(done, 50));
    const waiting = listener.stop(false);
    await listener.stop(true);
    await closed;
    await waiting;
  });
}

async function open(listener: TestListener): Promise<Socket> {
  const where = { host: "127.0.0.1", port: listener.port };
  if (!listener.origin.startsWith("https:")) {
    const socket = connectPlain(where);
    await once(socket, "connect");
    return socket;
  }
  const socket = connect({ ...where, servername: "localhost", ca: certificates.authority });
  await once(socket, "secureConnect");
  return socket;
}

async function waitUntil(isTrue: () => boolean): Promise<void> {
  while (!isTrue()) await new Promise((done) => setImmediate(done));
}
