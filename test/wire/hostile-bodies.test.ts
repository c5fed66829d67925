/** Bodies that are too large, too deep, too slow, or of no sense at all. */
import { describe, expect, spyOn, test } from "bun:test";
import fc from "fast-check";
import { mediaTypes } from "../../src/oci/media-type.ts";
import { type RawAnswer, RawConnection, type RawRequest } from "../support/raw-http.ts";
import { localDrivers, type WireRig, withWireRig } from "../support/wire-rig.ts";
import { config, hello, image, unknownDigest } from "./content.ts";

const mebibyte = 1 << 20;
const noLength = { "Content-Length": "0" };

function putManifest(body: string | Uint8Array, more: Partial<RawRequest> = {}): RawRequest {
  return {
    method: "PUT",
    target: "/v2/foo/manifests/latest",
    headers: { "Content-Type": mediaTypes.ociManifest },
    body,
    ...more,
  };
}

function codeOf(answer: RawAnswer): string {
  return JSON.parse(answer.body.toString()).errors[0].code;
}

describe("manifests beyond the limit", () => {
  test("five mebibytes answer 413, declared or in chunks", () =>
    withWireRig({ driver: "memory" }, async (rig) => {
      const body = new Uint8Array(5 * mebibyte);
      for (const more of [{}, { chunkBytes: 65_536 }]) {
        const answer = await rig.send(putManifest(body, more));
        expect(answer.status).toBe(413);
        expect(codeOf(answer)).toBe("MANIFEST_INVALID");
      }
    }));

  test("five gibibytes that are only declared answer 413 before they come", () =>
    withWireRig({ driver: "memory" }, async (rig) => {
      const connection = await RawConnection.open(rig.port);
      await connection.write(
        `PUT /v2/foo/manifests/x HTTP/1.1\r\nHost: a\r\nContent-Length: ${5 * 1024 * mebibyte}\r\n\r\n`,
      );
      expect((await connection.answer())?.status).toBe(413);
      connection.destroy();
    }));

  test("chunks without end answer 413, and the registry does not keep what it refused", () =>
    withWireRig({ driver: "memory" }, async (rig) => {
      const connection = await RawConnection.open(rig.port);
      await connection.write(
        "PUT /v2/foo/manifests/x HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n",
      );
      const chunk = Buffer.concat([
        Buffer.from(`${mebibyte.toString(16)}\r\n`),
        new Uint8Array(mebibyte),
        Buffer.from("\r\n"),
      ]);
      Bun.gc(true);
      const before = process.memoryUsage().rss;
      let answer: RawAnswer | undefined;
      const answered = connection.answer().then((received) => {
        answer = received;
      });
      for (let sent = 0; sent < 300 && !connection.isClosed; sent += 1) {
        await connection.write(chunk);
        await Bun.sleep(0);
      }
      await answered;
      expect(answer?.status).toBe(413);
      Bun.gc(true);
      // Sent were up to 300 MiB; the client's own buffers are in this process too.
      expect(process.memoryUsage().rss - before).toBeLessThan(100 * mebibyte);
      connection.destroy();
    }));
});

describe("manifests that are bombs", () => {
  const size = 4 * mebibyte - 100;
  const bombs: Readonly<Record<string, string>> = {
    arrays: "[".repeat(size),
    objects: '{"a":'.repeat(size / 5),
    "values side by side": `[${"{},".repeat(size / 3)}{}]`,
    numbers: `[${"1,".repeat(size / 2)}1]`,
    "one number": "9".repeat(size),
    members: `{${Array.from({ length: 250_000 }, (_, index) => `"k${index}":1`).join(",")}}`,
    "an open string": `{"a":"${"x".repeat(size)}`,
    "33 levels": `${"[".repeat(33)}${"]".repeat(33)}`,
    "a size that is no integer": JSON.stringify({
      schemaVersion: 2,
      config: { mediaType: "a", digest: unknownDigest, size: 1.5 },
      layers: [],
    }),
    "a size beyond all": `{"schemaVersion":2,"config":{"digest":"${unknownDigest}","size":1e400}}`,
    "a size that is rounded": `{"schemaVersion":2,"config":{"digest":"${unknownDigest}","size":9007199254740993}}`,
    "a negative size": `{"schemaVersion":2,"config":{"digest":"${unknownDigest}","size":-1}}`,
    "another schema": '{"schemaVersion":3,"layers":[]}',
    "a prototype": '{"__proto__":{"schemaVersion":2},"constructor":{"prototype":{}}}',
  };

  for (const [name, text] of Object.entries(bombs)) {
    test(`${name}: 400, without a parser having seen the document`, () =>
      withWireRig({ driver: "memory" }, async (rig) => {
        const parse = spyOn(JSON, "parse");
        try {
          const answer = await rig.send(putManifest(text));
          const longest = Math.max(0, ...parse.mock.calls.map(([given]) => given.length));
          expect(answer.status).toBe(400);
          if (text.length > 1000) expect(longest).toBeLessThan(1000);
          parse.mockRestore();
          expect(codeOf(answer)).toBe("MANIFEST_INVALID");
          expect(answer.body.byteLength).toBeLessThan(2000);
        } finally {
          parse.mockRestore();
        }
      }));
  }

  test("bytes that are not UTF-8 answer 400", () =>
    withWireRig({ driver: "memory" }, async (rig) => {
      for (const bytes of [
        [0xff, 0xfe],
        [0xc0, 0xaf],
        [0xed, 0xa0, 0x80],
        [0xef, 0xbb, 0xbf],
      ]) {
        const body = Buffer.concat([
          Buffer.from('{"schemaVersion":2,"x":"'),
          Buffer.from(bytes),
          Buffer.from('"}'),
        ]);
        expect((await rig.send(putManifest(body))).status).toBe(400);
      }
    }));

  test("annotations called __proto__ and the like are stored as they are", () =>
    withWireRig({ driver: "memory" }, async (rig) => {
      await push(rig);
      const text = new TextDecoder().decode(image.bytes);
      const strange = text.replace(/}$/, ',"annotations":{"__proto__":"a","constructor":"b"}}');
      expect((await rig.send(putManifest(strange))).status).toBe(201);
      const pulled = await rig.send({ method: "GET", target: "/v2/foo/manifests/latest" });
      expect(pulled.body.toString()).toBe(strange);
    }));
});

async function push(rig: WireRig): Promise<void> {
  for (const { bytes, digest } of [config, hello]) {
    const target = `/v2/foo/blobs/uploads/?digest=${digest}`;
    expect((await rig.send({ method: "POST", target, body: bytes })).status).toBe(201);
  }
  expect((await rig.send(putManifest(image.bytes))).status).toBe(201);
}

describe("anything at all", () => {
  const word = fc.oneof(
    fc.constantFrom(
      "v2",
      "foo",
      "manifests",
      "blobs",
      "uploads",
      "tags",
      "list",
      "referrers",
      "_catalog",
      "latest",
      "..",
      ".",
      "",
      "_oci",
      "ext",
      "discover",
      "v1",
      "search",
      "_ping",
      hello.digest,
      image.digest,
      unknownDigest,
      "sha256:",
      "sha512:00",
      "d95306fa-fad3-4e36-8d41-cf1c93ef8286",
    ),
    fc.string({ maxLength: 10 }).map((text) => encodeURIComponent(text.toWellFormed())),
    fc
      .string({ unit: "binary", maxLength: 6 })
      .map((text) => encodeURIComponent(text.toWellFormed())),
  );
  const query = fc.array(
    fc.tuple(
      fc.constantFrom(
        "n",
        "last",
        "digest",
        "mount",
        "from",
        "tag",
        "artifactType",
        "q",
        "ns",
        "%",
      ),
      word,
    ),
    { maxLength: 4 },
  );
  const path = fc.oneof(
    fc.array(word, { maxLength: 7 }).map((words) => `/${words.join("/")}`),
    fc.array(word, { maxLength: 4 }).map((words) => `/v2/foo/${words.join("/")}`),
    fc
      .tuple(fc.constantFrom("manifests", "blobs", "referrers", "blobs/uploads"), word)
      .map(([kind, last]) => `/v2/foo/${kind}/${last}`),
  );
  const headers = fc.dictionary(
    fc.constantFrom(
      "Range",
      "Content-Range",
      "If-None-Match",
      "If-Range",
      "Accept",
      "Content-Type",
      "Forwarded",
      "X-Forwarded-For",
      "X-Forwarded-Host",
      "X-Forwarded-Proto",
      "Authorization",
      "Origin",
      "X-Request-Id",
      "User-Agent",
      "Content-Encoding",
      "Cookie",
      "Referer",
      "Expect",
    ),
    fc.oneof(
      fc.constantFrom(
        "bytes=0-1,2-3",
        "bytes=-0",
        "0-4",
        "5-0",
        "*",
        "gzip",
        "Basic !!",
        "Bearer x",
      ),
      fc.string({ maxLength: 30 }).map((text) => text.replace(/[^\x20-\x7e]/g, "?").trim()),
    ),
    { maxKeys: 4 },
  );
  const body = fc.oneof(
    fc.constant(undefined),
    fc.uint8Array({ maxLength: 300 }),
    fc.json({ maxDepth: 4 }).map((text) => new TextEncoder().encode(text)),
    fc.constant(image.bytes),
  );
  const method = fc.constantFrom(
    "GET",
    "HEAD",
    "POST",
    "PUT",
    "PATCH",
    "DELETE",
    "OPTIONS",
    "TRACE",
  );

  const target = fc.tuple(path, query).map(([at, pairs]) => {
    const text = pairs.map(([name, value]) => `${name}=${value}`).join("&");
    return text === "" ? at : `${at}?${text}`;
  });
  const anything = fc.record({ method, target, headers, body });

  for (const driver of localDrivers) {
    test(`no request is answered with 5xx by the ${driver} driver`, () =>
      withWireRig({ driver }, async (rig) => {
        await push(rig);
        await fc.assert(
          fc.asyncProperty(anything, async ({ body, headers, ...request }) => {
            const answer = await rig.send({
              ...request,
              headers: body === undefined ? { ...noLength, ...headers } : headers,
              ...(body !== undefined && { body }),
            });
            expect(answer.status).toBeLessThan(500);
            expect(rig.errors).toEqual([]);
          }),
          { numRuns: 1500, seed: 2026 },
        );
      }));
  }
});
