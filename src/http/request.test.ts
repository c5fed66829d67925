import { describe, expect, test } from "bun:test";
import { Client, proxyTrust } from "./forwarded.ts";
import { parseTarget, readBody, type WireRequest } from "./request.ts";

/** A request whose body comes in `pieces`, and how often it asked for more time. */
function sending(pieces: readonly number[], failure?: Error) {
  const asked: number[] = [];
  let sent = 0;
  const body = new ReadableStream<Uint8Array>({
    pull(controller) {
      const size = pieces[sent];
      sent += 1;
      if (size !== undefined) controller.enqueue(new Uint8Array(size));
      else if (failure === undefined) controller.close();
      else controller.error(failure);
    },
  });
  const headers = new Headers();
  const peer = { address: () => "", isTls: false, keepOpen: () => void asked.push(sent) };
  const client = new Client({ headers, peer, host: "a" }, proxyTrust([]));
  const request: WireRequest = {
    method: "PATCH",
    path: "/",
    query: new URLSearchParams(),
    headers,
    body,
    client,
    keepOpen: peer.keepOpen,
  };
  return { request, asked };
}

async function sizeOf(request: WireRequest, declaredBytes?: number): Promise<number> {
  let sizeBytes = 0;
  for await (const piece of readBody(request, declaredBytes)) sizeBytes += piece.byteLength;
  return sizeBytes;
}

describe("the body of a request", () => {
  test("asks for more time with every 256 KiB, and not for less", async () => {
    const kibibyte = 1024;
    const steady = sending(Array.from({ length: 16 }, () => 64 * kibibyte));
    expect(await sizeOf(steady.request)).toBe(1024 * kibibyte);
    expect(steady.asked).toHaveLength(4);
    const slow = sending(Array.from({ length: 255 }, () => kibibyte));
    await sizeOf(slow.request);
    expect(slow.asked).toHaveLength(0);
  });

  test("that ends before its declared length is an error, whether it broke off or just ended", async () => {
    for (const failure of [undefined, new Error("The connection was closed.")]) {
      const { request } = sending([10, 20], failure);
      const outcome = await sizeOf(request, 31).catch(String);
      expect(outcome).toContain("30 of 31");
    }
  });

  test("that is as long as declared is read whole", async () => {
    expect(await sizeOf(sending([10, 20]).request, 30)).toBe(30);
    expect(await sizeOf(sending([]).request, 0)).toBe(0);
  });
});

describe("a target", () => {
  const hostHeader = new Headers({ host: "a" });

  test("without a Host header is of HTTP/1.0, and taken", () => {
    const { host, path, query } = parseTarget("/v2/_catalog?n=1", 100, new Headers());
    // Absolute URLs are made of it: an empty one would give `http:///v2/`.
    expect([host, path, query.get("n")]).toEqual(["localhost", "/v2/_catalog", "1"]);
  });

  test("is taken apart into host, decoded path and query", () => {
    const { host, path, query } = parseTarget(
      "http://a:5000/v2/foo%2Fbar?n=1&last=a%20b",
      100,
      hostHeader,
    );
    expect([host, path, query.get("n"), query.get("last")]).toEqual([
      "a:5000",
      "/v2/foo/bar",
      "1",
      "a b",
    ]);
  });

  test("may be as long as the limit and no longer, its host aside", () => {
    const url = `http://host/${"a".repeat(99)}`;
    expect(parseTarget(url, 100, hostHeader).path).toHaveLength(100);
    expect(() => parseTarget(`${url}a`, 100, hostHeader)).toThrow("longer than 100");
  });

  test("with a host that is none, or a path that cannot be decoded, is refused", () => {
    for (const url of ["/v2/", "http://a b/", "http://a@b/", "http:///x", "http://a"]) {
      expect(() => parseTarget(url, 100, hostHeader)).toThrow("Host header");
    }
    for (const path of ["%", "%zz", "%E0%A4%A"]) {
      expect(() => parseTarget(`http://a/${path}`, 100, hostHeader)).toThrow("percent-encoding");
    }
  });
});
