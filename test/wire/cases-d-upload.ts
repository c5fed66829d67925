/** D. Uploading blobs: sessions, chunks and ends. Mounts and what comes after are in the next file. */
import { emptyBlob, emptyTar, hello, other } from "./content.ts";
import { beginUpload, get, pushBlob, type Step, type WireCase } from "./wire-case.ts";

const uploads = "/v2/foo/blobs/uploads/";
const unknownId = "d95306fa-fad3-4e36-8d41-cf1c93ef8286";
const text = new TextDecoder().decode(hello.bytes);
const sizeBytes = hello.bytes.byteLength;
const [head, tail] = [text.slice(0, 5), text.slice(5)];

function patch(body: string, range: string | undefined, status: number): Step {
  return {
    method: "PATCH",
    path: "<location>",
    headers: {
      "Content-Type": "application/octet-stream",
      ...(range !== undefined && { "Content-Range": range }),
    },
    body,
    status,
  };
}

/** An accepted chunk, after which the session has `offset` bytes. */
function accepted(body: string, range: string | undefined, offset: number): Step {
  return { ...patch(body, range, 202), answers: { range: `0-${offset - 1}` } };
}

/** A refused one, with what a client needs to go on: the session is where it was. */
function refused(body: string, range: string, offset: number): Step {
  const answers = { range: `0-${Math.max(0, offset - 1)}`, location: /\/blobs\/uploads\// };
  return { ...patch(body, range, 416), code: "RANGE_INVALID", answers };
}

function finish(digest: string, status: number, more: Partial<Step> = {}): Step {
  return { method: "PUT", path: `<location>?digest=${digest}`, status, ...more };
}

function offsetIs(offset: number): Step {
  return get("<location>", 204, { answers: { range: `0-${Math.max(0, offset - 1)}` } });
}

const pulled = get(`/v2/foo/blobs/${hello.digest}`, 200, { text });

export const uploadCases: readonly WireCase[] = [
  {
    number: 39,
    source: "D",
    name: "POST begins a session and says where",
    steps: [
      {
        ...beginUpload("foo"),
        answers: {
          location: /^\/v2\/foo\/blobs\/uploads\/[0-9a-f-]{36}$/,
          "docker-upload-uuid": /^[0-9a-f-]{36}$/,
          range: "0-0",
          "content-length": "0",
        },
      },
    ],
  },
  {
    number: 40,
    source: "G",
    name: "POST without the slash at the end begins one too",
    steps: [{ ...beginUpload("foo"), path: "/v2/foo/blobs/uploads" }, finish(hello.digest, 400)],
  },
  {
    number: 41,
    source: "D",
    name: "GET tells how far a session came",
    steps: [
      beginUpload("foo"),
      get("<location>", 204, {
        answers: { range: "0-0", "docker-upload-uuid": /^[0-9a-f-]{36}$/, location: /uploads/ },
      }),
      accepted(head, `0-${head.length - 1}`, head.length),
      offsetIs(head.length),
    ],
  },
  {
    number: 42,
    source: "D",
    name: "DELETE gives a session up",
    steps: [
      beginUpload("foo"),
      {
        method: "DELETE",
        path: "<location>",
        status: 204,
        answers: { "docker-upload-uuid": /^[0-9a-f-]{36}$/ },
      },
      get("<location>", 404, { code: "BLOB_UPLOAD_UNKNOWN" }),
      { method: "DELETE", path: "<location>", status: 404, code: "BLOB_UPLOAD_UNKNOWN" },
    ],
  },
  {
    number: 43,
    source: "D",
    name: "PUT of nothing with the digest of something answers 400",
    steps: [beginUpload("foo"), finish(hello.digest, 400, { code: "DIGEST_INVALID" })],
  },
  {
    number: 44,
    source: "D",
    name: "a blob of no bytes is pushed with its true digest",
    steps: [beginUpload("foo"), finish(emptyBlob.digest, 201)],
  },
  {
    number: 45,
    source: "D",
    name: "an empty tar archive is a blob like another",
    steps: [
      ...pushBlob("foo", emptyTar),
      get(`/v2/foo/blobs/${emptyTar.digest}`, 200, { text: emptyTar.bytes }),
    ],
  },
  {
    number: 46,
    source: "D",
    name: "a whole blob in one PUT, or in one POST",
    steps: [
      ...pushBlob("foo", hello),
      pulled,
      {
        method: "POST",
        path: `${uploads}?digest=${other.digest}`,
        body: other.bytes,
        status: 201,
        answers: { location: `/v2/foo/blobs/${other.digest}` },
      },
      get(`/v2/foo/blobs/${other.digest}`, 200, { text: other.bytes }),
    ],
  },
  {
    number: 47,
    source: "D",
    name: "a chunk, then the end, with and without more bytes in it",
    steps: [
      beginUpload("foo"),
      accepted(text, `0-${sizeBytes - 1}`, sizeBytes),
      finish(hello.digest, 201),
      pulled,
      beginUpload("bar"),
      accepted(head, `0-${head.length - 1}`, head.length),
      finish(hello.digest, 201, { body: tail }),
      get(`/v2/bar/blobs/${hello.digest}`, 200, { text }),
    ],
  },
  {
    number: 48,
    source: "D",
    name: "a Content-Range of another length than the body answers 400",
    steps: [
      beginUpload("foo"),
      { ...patch(head, "0-99", 400), code: "SIZE_INVALID", answers: { range: "0-0" } },
      { ...patch(head, "0-1", 400), code: "SIZE_INVALID", answers: { range: "0-0" } },
      offsetIs(0),
    ],
  },
  {
    number: 49,
    source: "D",
    name: "a chunk that does not begin where the session ends answers 416",
    steps: [
      beginUpload("foo"),
      refused(tail, `5-${sizeBytes - 1}`, 0),
      accepted(head, "0-4", 5),
      refused(tail, `6-${sizeBytes}`, 5),
      accepted(tail, `5-${sizeBytes - 1}`, sizeBytes),
      finish(hello.digest, 201),
    ],
  },
  {
    number: 50,
    source: "G",
    name: "a Content-Range that is none answers 416",
    steps: [
      beginUpload("foo"),
      ...["0-bar", "bar", "5-0", "-5", "0-", "0--5", "0x0-4", "1e3-2e3", "0-4,5-6", " "].map(
        (range) => refused(head, range, 0),
      ),
      offsetIs(0),
    ],
  },
  {
    number: 51,
    source: "G",
    name: "a chunk that overlaps answers 416, the next in order 202",
    steps: [
      beginUpload("foo"),
      accepted(head, "0-4", 5),
      refused(head, "0-4", 5),
      refused(text.slice(3), `3-${sizeBytes - 1}`, 5),
      accepted(tail, `5-${sizeBytes - 1}`, sizeBytes),
      finish(hello.digest, 201),
      pulled,
    ],
  },
  {
    number: 52,
    source: "G",
    name: "an end without a digest answers 400 and the session goes on",
    steps: [
      beginUpload("foo"),
      accepted(text, undefined, sizeBytes),
      { method: "PUT", path: "<location>", status: 400, code: "DIGEST_INVALID" },
      finish("nonsense", 400, { code: "DIGEST_INVALID" }),
      offsetIs(sizeBytes),
      finish(hello.digest, 201),
      pulled,
    ],
  },
  {
    number: 53,
    source: "G",
    name: "a second stream without a range is appended to the first",
    steps: [
      beginUpload("foo"),
      { ...accepted(head, undefined, 5), chunkBytes: 2 },
      { ...accepted(tail, undefined, sizeBytes), chunkBytes: 3 },
      finish(hello.digest, 201),
      pulled,
    ],
  },
  {
    number: 54,
    source: "O",
    name: "a last chunk out of order in the PUT answers 416 and the session goes on",
    steps: [
      beginUpload("foo"),
      accepted(head, "0-4", 5),
      finish(hello.digest, 416, { headers: { "Content-Range": "0-4" }, body: head }),
      offsetIs(5),
      finish(hello.digest, 201, {
        headers: { "Content-Range": `5-${sizeBytes - 1}` },
        body: tail,
      }),
      pulled,
    ],
  },
  {
    number: 58,
    source: "D",
    name: "the Content-Type of a blob's bytes says nothing, whatever it is",
    steps: [
      "text/plain",
      "application/json; charset=utf-8",
      "application/x-www-form-urlencoded",
      "multipart/form-data; boundary=x",
      "x",
      "",
    ].flatMap((contentType) => [
      beginUpload("foo"),
      finish(hello.digest, 201, { headers: { "Content-Type": contentType }, body: text }),
      get(`/v2/foo/blobs/${hello.digest}`, 200, {
        text,
        answers: { "content-type": "application/octet-stream" },
      }),
    ]),
  },
  {
    number: 59,
    source: "D",
    name: "a Content-Range in the form of HTTP is understood",
    steps: [
      beginUpload("foo"),
      accepted(head, "bytes 0-4/*", 5),
      accepted(tail, `bytes 5-${sizeBytes - 1}/${sizeBytes}`, sizeBytes),
      finish(hello.digest, 201),
    ],
  },
  {
    number: 61,
    source: "C",
    name: "an unknown upload id answers 404 to every method",
    steps: ["GET", "PATCH", "PUT", "DELETE"].map((method) => ({
      method,
      path: `${uploads}${unknownId}?digest=${hello.digest}`,
      ...(method !== "GET" && method !== "DELETE" && { body: text }),
      status: 404,
      code: "BLOB_UPLOAD_UNKNOWN" as const,
    })),
  },
];
