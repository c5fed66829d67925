/**
 * Habits of the runtime that the program relies on or works around. When one of these tests
 * fails after an upgrade, the runtime has changed its habit: look at the code that the test
 * names, and then at the test.
 */
import { afterAll, expect, test } from "bun:test";
import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { connect, createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseTarget } from "../../src/http/request.ts";
import { certificates, shake } from "../../src/server/test-support.ts";

const folder = mkdtempSync(join(tmpdir(), "berth-traps-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const file = join(folder, "blob.txt");
writeFileSync(file, "0123456789");
const emptyFile = join(folder, "empty.txt");
writeFileSync(emptyFile, "");

type Fetch = (request: Request) => Response | Promise<Response>;
type Server = Bun.Server<undefined>;

async function serving<Result>(
  fetch: Fetch,
  use: (server: Server, port: number) => Promise<Result>,
): Promise<Result> {
  const server = Bun.serve({ hostname: "127.0.0.1", port: 0, fetch });
  try {
    return await use(server, server.port ?? 0);
  } finally {
    await server.stop(true);
  }
}

interface Raw {
  readonly status: number;
  readonly headers: Headers;
  readonly body: string;
}

/** One request as it is written, byte for byte. */
async function raw(port: number, lines: readonly string[]): Promise<Raw> {
  const socket = connect(port, "127.0.0.1");
  socket.write([...lines, "Connection: close", "", ""].join("\r\n"));
  let text = "";
  for await (const chunk of socket) text += String(chunk);
  const [head = "", ...rest] = text.split("\r\n\r\n");
  const [first = "", ...fields] = head.split("\r\n");
  const pairs = fields.map((field): [string, string] => {
    const colon = field.indexOf(":");
    return [field.slice(0, colon), field.slice(colon + 1).trim()];
  });
  return {
    status: Number(first.split(" ")[1]),
    headers: new Headers(pairs),
    body: rest.join("\r\n\r\n"),
  };
}

/** What a handler sees of a body whose sender goes away in the middle. */
async function bodySeen(request: string): Promise<string> {
  const { promise: seen, resolve } = Promise.withResolvers<string>();
  const read: Fetch = async ({ body }) => {
    let bytes = 0;
    try {
      for await (const piece of body ?? []) bytes += piece.byteLength;
      resolve(`ended after ${bytes}`);
    } catch (error) {
      resolve(`${error instanceof Error ? error.name : String(error)} after ${bytes}`);
    }
    return new Response();
  };
  return serving(read, async (_, port) => {
    const socket = connect(port, "127.0.0.1");
    await once(socket, "connect");
    socket.write(request, () => socket.end());
    try {
      return await seen;
    } finally {
      socket.destroy();
    }
  });
}

test("a body that is shorter than its Content-Length raises an error (readBody counts too)", async () => {
  // Earlier versions ended it as if it were whole, and proxies in front still may.
  const request = "PUT / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 10\r\n\r\n12345";
  expect(await bodySeen(request)).toBe("AbortError after 5");
});

test("a chunked body that is cut off raises an error (readBody makes it a 4xx)", async () => {
  const head = "PUT / HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n";
  expect(await bodySeen(`${head}5\r\n12345\r\n`)).toBe("AbortError after 5");
});

test("an answer from a file names that file, unless a header says otherwise (the writer does)", async () => {
  const typed = { "Content-Type": "application/octet-stream" };
  const own = { ...typed, "Content-Disposition": "attachment" };
  const answer = ({ url }: Request): Response =>
    new Response(Bun.file(file), { headers: url.endsWith("/own") ? own : typed });
  await serving(answer, async (_, port) => {
    const named = await fetch(`http://127.0.0.1:${port}/`);
    expect(named.headers.get("content-disposition")).toContain("blob.txt");
    const set = await fetch(`http://127.0.0.1:${port}/own`);
    expect(set.headers.get("content-disposition")).toBe("attachment");
  });
});

test("the server obeys Range and If-Range on a whole file with 200, and leaves parts alone", async () => {
  // parseRange has to agree with it, and a part has to come with 206 and Content-Range (writer).
  const part = { status: 206, headers: { "Content-Range": "bytes 5-6/10" } };
  const answers: Readonly<Record<string, () => Response>> = {
    whole: () => new Response(Bun.file(file), { headers: { ETag: '"tag"' } }),
    slice: () => new Response(Bun.file(file).slice(0, 10)),
    empty: () => new Response(Bun.file(emptyFile).slice(0, 0)),
    part: () => new Response(Bun.file(file).slice(5, 7), part),
    bytes: () => new Response("0123456789"),
  };
  const answer: Fetch = ({ url }) =>
    answers[url.slice(url.lastIndexOf("/") + 1)]?.() ?? new Response();
  await serving(answer, async (_, port) => {
    const ask = async (name: string, headers: Record<string, string>) => {
      const got = await fetch(`http://127.0.0.1:${port}/${name}`, { headers });
      return [got.status, await got.text(), got.headers.get("content-range")];
    };
    const range = { Range: "bytes=2-4" };
    expect(await ask("whole", range)).toEqual([206, "234", "bytes 2-4/10"]);
    expect(await ask("whole", { ...range, "If-Range": '"other"' })).toEqual([
      200,
      "0123456789",
      null,
    ]);
    expect(await ask("whole", { Range: "bytes=50-" })).toEqual([416, "", "bytes */10"]);
    expect(await ask("slice", range)).toEqual([206, "234", "bytes 2-4/10"]);
    // Which is why an empty blob leaves as bytes, and not as a file.
    expect(await ask("empty", range)).toEqual([416, "", "bytes */0"]);
    expect(await ask("part", range)).toEqual([206, "56", "bytes 5-6/10"]);
    expect(await ask("bytes", range)).toEqual([200, "0123456789", null]);
  });
});

test("a hostile Host leaves a URL that is no URL, which parseTarget refuses", async () => {
  const urls: string[] = [];
  await serving(
    ({ url }) => {
      urls.push(url);
      return new Response();
    },
    async (_, port) => {
      for (const host of ["Host: a b", "Host: a/../b", "Host: <x>", "Host: "]) {
        await raw(port, ["GET /v2/ HTTP/1.1", host]);
      }
    },
  );
  expect(urls).toContain("/v2/");
  for (const url of urls.filter((text) => !URL.canParse(text))) {
    expect(() => parseTarget(url, 8_192, new Headers({ host: "a b" }))).toThrow();
  }
});

test("the path of a URL comes with its dots resolved, also those that are encoded", async () => {
  const paths: string[] = [];
  await serving(
    ({ url }) => {
      paths.push(url.replace(/^http:\/\/localhost/, ""));
      return new Response();
    },
    async (_, port) => {
      for (const path of ["/v2/a/../../etc/passwd", "/v2/./a", "/v2/%2e%2e/a", "/v2/a%2f..%2fb"]) {
        await raw(port, [`GET ${path} HTTP/1.1`, "Host: localhost"]);
      }
    },
  );
  expect(paths).toEqual(["/etc/passwd", "/v2/a", "/a", "/v2/a%2f..%2fb"]);
});

test("HEAD keeps the Content-Length that is set on an answer without a body", async () => {
  const answer = (): Response => new Response(null, { headers: { "Content-Length": "12345" } });
  await serving(answer, async (_, port) => {
    const { headers, body } = await raw(port, ["HEAD / HTTP/1.1", "Host: localhost"]);
    expect(headers.get("content-length")).toBe("12345");
    expect(body).toBe("");
  });
});

/** The statuses of what comes back for `text`, until the server closes or `count` are there. */
async function statusesOf(port: number, text: string, count: number): Promise<readonly string[]> {
  const socket = connect(port, "127.0.0.1");
  socket.write(text);
  let got = "";
  const statuses = (): readonly string[] =>
    [...got.matchAll(/HTTP\/1\.1 (\d+)/g)].map(([, it = ""]) => it);
  for await (const chunk of socket) {
    got += String(chunk);
    if (statuses().length === count) break;
  }
  socket.destroy();
  return statuses();
}

test("a request that is sent behind one without an answer ends the connection (no client does it)", async () => {
  const slowly: Fetch = async () => {
    await Bun.sleep(5);
    return new Response("done");
  };
  const get = "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n";
  await serving(slowly, async (_, port) => {
    expect(await statusesOf(port, get, 1)).toEqual(["200"]);
    expect(await statusesOf(port, get + get, 2)).toEqual([]);
  });
});

test("a method that HTTP does not know ends the connection without an answer, before any handler", async () => {
  await serving(
    () => new Response("handled"),
    async (_, port) => {
      const ask = (method: string) =>
        statusesOf(port, `${method} / HTTP/1.1\r\nHost: localhost\r\n\r\n`, 1);
      expect(await ask("PROPFIND")).toEqual(["200"]);
      expect(await ask("FOO")).toEqual([]);
    },
  );
});

test("an answer to HEAD over HTTP/1.1 has no Date, which every other one has", async () => {
  const headers = { "Content-Length": "4" };
  await serving(
    () => new Response(null, { headers }),
    async (_, port) => {
      const ask = (method: string) => raw(port, [`${method} / HTTP/1.1`, "Host: localhost"]);
      expect((await ask("HEAD")).headers.has("date")).toBe(false);
      expect((await ask("GET")).headers.has("date")).toBe(true);
    },
  );
});

test("a new certificate does not come with reload() (DirectListener opens a second server)", async () => {
  const [one, two] = [certificates.server("one"), certificates.server("two")];
  const fetch = (): Response => new Response();
  const server = Bun.serve({ hostname: "127.0.0.1", port: 0, tls: one, fetch });
  try {
    server.reload({ fetch, tls: two });
    expect(await shake({ port: server.port ?? 0 })).toMatchObject({ serverName: "one" });
  } finally {
    await server.stop(true);
  }
});

test("two servers share a port only with reusePort, which is on outside of development", async () => {
  const fetch = (): Response => new Response();
  const common = { hostname: "127.0.0.1", fetch } as const;
  const first = Bun.serve({ ...common, port: 0, reusePort: true });
  const port = first.port ?? 0;
  try {
    expect(() => Bun.serve({ ...common, port, reusePort: false })).toThrow("in use");
    // openServer always says reusePort: without it, a second registry would start unnoticed.
    await Bun.serve({ ...common, port, development: false }).stop(true);
    await Bun.serve({ ...common, port, reusePort: true }).stop(true);
  } finally {
    await first.stop(true);
  }
});

test("a stop closes idle connections, and counts the requests that are open (drainServer)", async () => {
  const { promise: middle, resolve: goOn } = Promise.withResolvers<void>();
  const answer = async ({ url }: Request): Promise<Response> => {
    if (url.endsWith("/slow")) await middle;
    return new Response("ok");
  };
  await serving(answer, async (server, port) => {
    const [idle, busy] = [connect(port, "127.0.0.1"), connect(port, "127.0.0.1")];
    idle.write("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n");
    await once(idle, "data");
    busy.write("GET /slow HTTP/1.1\r\nHost: localhost\r\n\r\n");
    while (server.pendingRequests === 0) await new Promise((done) => setImmediate(done));
    const stopped = server.stop(false);
    await once(idle.resume(), "close");
    expect(server.pendingRequests).toBe(1);
    const answered = once(busy, "data");
    goOn();
    expect(String((await answered)[0])).toEndWith("ok");
    await stopped;
    busy.destroy();
  });
});

test("a server that is stopped forgets its port (DirectListener keeps it)", async () => {
  const server = Bun.serve({ hostname: "127.0.0.1", port: 0, fetch: () => new Response() });
  const before = server.port;
  await server.stop(true);
  expect(server.port).not.toBe(before);
});

test("idleTimeout ends a connection on which nothing moves, on a Unix socket too", async () => {
  const path = join(folder, "idle.sock");
  const { promise: never } = Promise.withResolvers<Response>();
  const common = { fetch: () => never, idleTimeout: 1 };
  const tcp = Bun.serve({ ...common, hostname: "127.0.0.1", port: 0 });
  // @ts-expect-error The types leave idleTimeout out for a Unix socket; openServer relies on it.
  const unix: Server = Bun.serve({ ...common, unix: path });
  try {
    const ends = [{ host: "127.0.0.1", port: tcp.port ?? 0 }, { path }].map(async (where) => {
      const socket = connect(where);
      socket.write("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n");
      await once(socket.resume(), "close");
    });
    await Promise.all(ends);
  } finally {
    await Promise.all([tcp.stop(true), unix.stop(true)]);
  }
});

test("a socket that is open already is not taken by Bun.serve (the front takes it)", async () => {
  const keeper = createServer().listen(0, "127.0.0.1");
  await once(keeper, "listening");
  const { _handle: handle } = keeper as unknown as { _handle: { fd: number } };
  const given = { fd: handle.fd, hostname: "127.0.0.1", port: 0 };
  const server = Bun.serve({ ...given, fetch: () => new Response() });
  const address = keeper.address();
  expect(server.port).toBeGreaterThan(0);
  const keepersPort = address !== null && typeof address === "object" ? address.port : 0;
  expect(keepersPort).toBeGreaterThan(0);
  expect(server.port).not.toBe(keepersPort);
  await server.stop(true);
  keeper.close();
});
