/** C. Pulling blobs. */
import { expect } from "bun:test";
import type { Authenticator } from "../../src/auth/authenticator.ts";
import { hexOf, parseDigest } from "../../src/oci/digest.ts";
import { emptyBlob, hello, unknownDigest } from "./content.ts";
import { get, pushBlob, type Step, type WireCase } from "./wire-case.ts";

const url = `/v2/foo/blobs/${hello.digest}`;
const text = new TextDecoder().decode(hello.bytes);
const sizeBytes = hello.bytes.byteLength;
const digest = parseDigest(hello.digest);

function ranged(range: string, status: number, more: Partial<Step> = {}): Step {
  return get(url, status, { headers: { Range: range }, ...more });
}

function part(range: string, start: number, end: number): Step {
  return ranged(range, 206, {
    text: text.slice(start, end),
    answers: {
      "content-range": `bytes ${start}-${end - 1}/${sizeBytes}`,
      "content-length": String(end - start),
    },
  });
}

/** Whoever says that his name is `reader` may pull; nobody may do more. */
const pullOnly: Authenticator = {
  decide({ authorization }, accesses) {
    const identity = { kind: "user", name: "reader" } as const;
    if (authorization !== "Basic cmVhZGVyOg==") {
      return { kind: "challenge", challenge: 'Basic realm="test"', reason: "unauthorized" };
    }
    const isPull = accesses.every(
      (access) =>
        access.kind !== "repository" || access.actions.every((action) => action === "pull"),
    );
    return isPull ? { kind: "granted", identity } : { kind: "denied", identity };
  },
};
const asReader = { Authorization: "Basic cmVhZGVyOg==" };

/** As every answer of a server with a clock has it (RFC 9110, 6.6.1). */
const date = /^[A-Z][a-z]{2}, \d{2} [A-Z][a-z]{2} \d{4} \d{2}:\d{2}:\d{2} GMT$/;

export const blobPullCases: readonly WireCase[] = [
  {
    number: 23,
    source: "D",
    name: "an unknown blob answers 404",
    steps: [
      get(`/v2/foo/blobs/${unknownDigest}`, 404, { code: "BLOB_UNKNOWN" }),
      { method: "HEAD", path: `/v2/foo/blobs/${unknownDigest}`, status: 404 },
    ],
  },
  {
    number: 24,
    source: "D",
    name: "a digest without its value answers 400",
    steps: [get("/v2/foo/blobs/sha256:", 400, { code: "DIGEST_INVALID" })],
  },
  {
    number: 25,
    source: "G",
    name: "a digest that is none answers 400",
    steps: [
      "sha256:asd",
      `sha256:${"A".repeat(64)}`,
      `sha256:${"a".repeat(65)}`,
      `md5:${"a".repeat(32)}`,
      `sha384:${"a".repeat(96)}`,
      `sha512:${"a".repeat(64)}`,
      "latest",
    ].map((digest) => get(`/v2/foo/blobs/${digest}`, 400, { code: "DIGEST_INVALID" })),
  },
  {
    number: 26,
    source: "D",
    name: "HEAD tells size and digest",
    steps: [
      ...pushBlob("foo", hello),
      {
        method: "HEAD",
        path: url,
        status: 200,
        answers: {
          "content-length": String(sizeBytes),
          "docker-content-digest": hello.digest,
          "content-type": "application/octet-stream",
        },
      },
    ],
  },
  {
    number: 27,
    source: "D",
    name: "GET gives the bytes of the digest",
    steps: [
      ...pushBlob("foo", hello),
      get(url, 200, { text: hello.bytes, answers: { "docker-content-digest": hello.digest } }),
    ],
  },
  {
    number: 28,
    source: "D",
    name: "a blob may be kept for a year, and is offered for download only",
    steps: [
      ...pushBlob("foo", hello),
      get(url, 200, {
        answers: {
          etag: `"${hello.digest}"`,
          "cache-control": "max-age=31536000",
          "content-disposition": `attachment; filename="${digest && hexOf(digest)}"`,
          "content-security-policy": "default-src 'none'; sandbox",
        },
      }),
    ],
  },
  {
    number: 29,
    source: "D",
    name: "If-None-Match with the digest answers 304, anything else 200",
    steps: [
      ...pushBlob("foo", hello),
      ...[`"${hello.digest}"`, hello.digest, `W/"${hello.digest}"`, `"x", "${hello.digest}"`, "*"]
        .map((condition) => ({ "If-None-Match": condition }))
        .map((headers) =>
          get(url, 304, {
            headers,
            answers: { etag: `"${hello.digest}"`, "content-length": null },
          }),
        ),
      ...['"other"', "", `"${unknownDigest}"`].map((condition) =>
        get(url, 200, { headers: { "If-None-Match": condition }, text: hello.bytes }),
      ),
    ],
  },
  {
    number: 30,
    source: "G",
    name: "a range from a byte on answers 206 with the rest",
    steps: [...pushBlob("foo", hello), part("bytes=1-", 1, sizeBytes)],
  },
  {
    number: 31,
    source: "G",
    name: "a range that is none, or beyond the end, answers 416 with the size",
    steps: [
      ...pushBlob("foo", hello),
      ...["nonsense", "bytes=a-b", "bytes=5-3", "bytes=-", "bytes=100-200", "bytes=-0"].map(
        (range) =>
          ranged(range, 416, {
            code: "RANGE_INVALID",
            answers: { "content-range": `bytes */${sizeBytes}` },
          }),
      ),
    ],
  },
  {
    number: 32,
    source: "Z",
    name: "one byte, the end, an open range, several ranges, and other units",
    steps: [
      ...pushBlob("foo", hello),
      part("bytes=0-0", 0, 1),
      part("bytes=-5", sizeBytes - 5, sizeBytes),
      part("bytes=-5000", 0, sizeBytes),
      part("bytes=3-", 3, sizeBytes),
      part(" bytes = 3 - 4 ", 3, 5),
      ranged("bytes=0-1,4-5", 206, {
        answers: { "content-type": /^multipart\/byteranges; boundary=/ },
        looks: (body) => {
          const parts = body.split(/\r?\n?--berth-[0-9a-f]+(?:--)?\r\n/).slice(1, -1);
          expect(parts).toEqual(
            [
              [0, 2],
              [4, 6],
            ].map(
              ([start = 0, end = 0]) =>
                "Content-Type: application/octet-stream\r\n" +
                `Content-Range: bytes ${start}-${end - 1}/${sizeBytes}\r\n\r\n` +
                text.slice(start, end),
            ),
          );
        },
      }),
      // Parts that overlap to more than the whole cost more than the whole.
      ranged("bytes=0-,0-,0-", 200, { text: hello.bytes }),
      ranged("items=0-1", 200, { text: hello.bytes }),
    ],
  },
  {
    number: 33,
    source: "O",
    name: "a range that goes beyond the end is cut there",
    steps: [...pushBlob("foo", hello), part("bytes=5-5000", 5, sizeBytes)],
  },
  {
    number: 35,
    source: "O",
    name: "an empty blob is served with its length, 0",
    steps: [
      ...pushBlob("foo", emptyBlob),
      get(`/v2/foo/blobs/${emptyBlob.digest}`, 200, { answers: { "content-length": "0" } }),
      // Distribution 3 passes over the range, for clients that add one to every request.
      ...["bytes=0-", "bytes=0-0", "bytes=5-", "bytes=-5", "bytes=0-1,3-4"].map((range) =>
        get(`/v2/foo/blobs/${emptyBlob.digest}`, 200, {
          headers: { Range: range },
          answers: { "content-length": "0", "content-range": null },
          text: "",
        }),
      ),
      get(`/v2/foo/blobs/${emptyBlob.digest}`, 416, { headers: { Range: "nonsense" } }),
      {
        method: "HEAD",
        path: `/v2/foo/blobs/${emptyBlob.digest}`,
        status: 200,
        answers: { "content-length": "0" },
      },
    ],
  },
  {
    number: 36,
    source: "D",
    name: "a blob of one repository is not in another",
    steps: [
      ...pushBlob("foo", hello),
      get(`/v2/bar/blobs/${hello.digest}`, 404, { code: "BLOB_UNKNOWN" }),
      { method: "HEAD", path: `/v2/bar/blobs/${hello.digest}`, status: 404 },
    ],
  },
  {
    number: 37,
    source: "C",
    name: "whoever may only pull is refused every push",
    authenticator: pullOnly,
    steps: [
      get(`/v2/foo/blobs/${unknownDigest}`, 404, { headers: asReader, code: "BLOB_UNKNOWN" }),
      get(`/v2/foo/blobs/${unknownDigest}`, 401, { code: "UNAUTHORIZED" }),
      ...[
        ["POST", "/v2/foo/blobs/uploads/"],
        ["PATCH", "/v2/foo/blobs/uploads/d95306fa-fad3-4e36-8d41-cf1c93ef8286"],
        ["PUT", "/v2/foo/blobs/uploads/d95306fa-fad3-4e36-8d41-cf1c93ef8286"],
        ["DELETE", "/v2/foo/blobs/uploads/d95306fa-fad3-4e36-8d41-cf1c93ef8286"],
        ["PUT", "/v2/foo/manifests/latest"],
        ["DELETE", "/v2/foo/manifests/latest"],
        ["DELETE", `/v2/foo/blobs/${unknownDigest}`],
      ].map(([method = "", path = ""]) => ({
        method,
        path,
        headers: asReader,
        status: 403,
        code: "DENIED" as const,
      })),
    ],
  },
  {
    number: 38,
    source: "D",
    name: "a HEAD has no body, found or not, and the date that a GET has",
    steps: [
      ...pushBlob("foo", hello),
      get(url, 200, { answers: { date } }),
      { method: "HEAD", path: url, status: 200, answers: { date }, text: "" },
      {
        method: "HEAD",
        path: url,
        headers: { "if-none-match": `"${hello.digest}"` },
        status: 304,
        answers: { date },
        text: "",
      },
      ...[`/v2/foo/blobs/${unknownDigest}`, "/v2/foo/manifests/none"].map((path) => ({
        method: "HEAD",
        path,
        status: 404,
        answers: { date },
        text: "",
      })),
    ],
  },
];
