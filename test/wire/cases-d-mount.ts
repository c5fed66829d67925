/** D, the rest. Algorithms, sessions of others, mounts, and registries that take no pushes. */
import type { Authenticator } from "../../src/auth/authenticator.ts";
import { blobOf, hello, unknownDigest } from "./content.ts";
import { beginUpload, get, pushBlob, type Step, type WireCase } from "./wire-case.ts";

const text = new TextDecoder().decode(hello.bytes);
const hello512 = blobOf(text, { algorithm: "sha512" });

function mount(query: string, status: number, more: Partial<Step> = {}): Step {
  return { method: "POST", path: `/v2/foo/blobs/uploads/?${query}`, status, ...more };
}

/** What a mount that cannot be answers: the beginning of an upload that goes on as any other. */
function unmounted(query: string): readonly Step[] {
  return [
    mount(query, 202, { answers: { location: /\/v2\/foo\/blobs\/uploads\//, range: "0-0" } }),
    { method: "DELETE", path: "<location>", status: 204 },
  ];
}

/** The user `name:` of the Basic header may do everything, but nobody else reads `secret`. */
const secretIsHidden: Authenticator = {
  decide({ authorization }, accesses) {
    const name =
      Buffer.from(authorization?.slice(6) ?? "", "base64")
        .toString()
        .split(":")[0] ?? "";
    const identity = { kind: "user", name } as const;
    const isSecret = accesses.some(
      (access) => access.kind === "repository" && access.name === "secret",
    );
    return isSecret && name !== "owner"
      ? { kind: "denied", identity }
      : { kind: "granted", identity };
  },
};

function as(user: string, step: Step): Step {
  const authorization = `Basic ${Buffer.from(`${user}:`).toString("base64")}`;
  return { ...step, headers: { ...step.headers, Authorization: authorization } };
}

export const mountCases: readonly WireCase[] = [
  {
    number: 60,
    source: "Z",
    name: "sha512 is a digest like sha256, announced or not; sha384 answers 400",
    steps: [
      beginUpload("foo"),
      { method: "PUT", path: `<location>?digest=${hello512.digest}`, body: text, status: 201 },
      get(`/v2/foo/blobs/${hello512.digest}`, 200, {
        text,
        answers: { "docker-content-digest": hello512.digest },
      }),
      mount("digest-algorithm=sha512", 202),
      { method: "PATCH", path: "<location>", body: text, status: 202 },
      { method: "PUT", path: `<location>?digest=${hello512.digest}`, status: 201 },
      mount("digest-algorithm=sha384", 400, { code: "DIGEST_INVALID" }),
      beginUpload("foo"),
      {
        method: "PUT",
        path: `<location>?digest=sha384:${"a".repeat(96)}`,
        body: text,
        status: 400,
        code: "DIGEST_INVALID",
      },
    ],
  },
  {
    number: 62,
    source: "D",
    name: "the session of another user answers 404, and its bytes stay as they were",
    authenticator: secretIsHidden,
    steps: [
      as("owner", beginUpload("foo")),
      as("owner", { method: "PATCH", path: "<location>", body: "hello", status: 202 }),
      ...["GET", "PATCH", "PUT", "DELETE"].map((method) =>
        as("thief", {
          method,
          path: `<location>?digest=${hello.digest}`,
          ...(method !== "GET" && method !== "DELETE" && { body: "thief" }),
          status: 404,
          code: "BLOB_UPLOAD_UNKNOWN",
          answers: { location: null, range: null },
        }),
      ),
      as("owner", get("<location>", 204, { answers: { range: "0-4" } })),
      as("owner", {
        method: "PUT",
        path: `<location>?digest=${hello.digest}`,
        body: text.slice(5),
        status: 201,
      }),
      as("owner", get(`/v2/foo/blobs/${hello.digest}`, 200, { text })),
    ],
  },
  {
    number: 63,
    source: "D",
    name: "a blob of another repository is mounted, also when the repository is not named",
    steps: [
      ...pushBlob("source", hello),
      mount(`mount=${hello.digest}&from=source`, 201, {
        answers: {
          location: `/v2/foo/blobs/${hello.digest}`,
          "docker-content-digest": hello.digest,
        },
      }),
      get(`/v2/foo/blobs/${hello.digest}`, 200, { text }),
      {
        ...mount(`mount=${hello.digest}`, 201),
        path: `/v2/bar/blobs/uploads/?mount=${hello.digest}`,
      },
      get(`/v2/bar/blobs/${hello.digest}`, 200, { text }),
    ],
  },
  {
    number: 64,
    source: "D",
    name: "a mount of what is not there begins an upload",
    steps: [
      ...pushBlob("source", hello),
      ...unmounted(`mount=${hello.digest}&from=nowhere`),
      ...unmounted(`mount=${unknownDigest}&from=source`),
      ...unmounted(`mount=${unknownDigest}`),
      // Some clients put a tag behind the name; that names no repository.
      ...unmounted(`mount=${hello.digest}&from=source:latest`),
      ...unmounted(`mount=${hello.digest}&from=..%2Fsource`),
      mount("mount=nonsense&from=source", 400, { code: "DIGEST_INVALID" }),
      get(`/v2/foo/blobs/${hello.digest}`, 404),
    ],
  },
  {
    number: 65,
    source: "L",
    name: "what is mounted already is mounted again",
    steps: [
      ...pushBlob("source", hello),
      mount(`mount=${hello.digest}&from=source`, 201),
      mount(`mount=${hello.digest}&from=source`, 201),
      mount(`mount=${hello.digest}&from=foo`, 201),
    ],
  },
  {
    number: 66,
    source: "Z",
    name: "a mount from where the user may not read begins an upload, and tells nothing",
    authenticator: secretIsHidden,
    steps: [
      ...pushBlob("secret", hello).map((step) => as("owner", step)),
      ...[
        `mount=${hello.digest}&from=secret`,
        `mount=${hello.digest}`,
        `mount=${unknownDigest}&from=secret`,
      ].flatMap((query) => unmounted(query).map((step) => as("thief", step))),
      as("thief", get(`/v2/foo/blobs/${hello.digest}`, 404)),
      as("owner", mount(`mount=${hello.digest}&from=secret`, 201)),
    ],
  },
  {
    number: 67,
    source: "Z",
    name: "a blob that another repository has answers like one that nobody has",
    authenticator: secretIsHidden,
    steps: [
      ...pushBlob("secret", hello).map((step) => as("owner", step)),
      ...[hello.digest, unknownDigest].map((digest) =>
        as("thief", {
          method: "HEAD",
          path: `/v2/foo/blobs/${digest}`,
          status: 404,
          answers: { "docker-content-digest": null, etag: null },
        }),
      ),
    ],
  },
  {
    number: 68,
    source: "D",
    name: "a blob that was deleted is pushed again",
    steps: [
      ...pushBlob("foo", hello),
      { method: "DELETE", path: `/v2/foo/blobs/${hello.digest}`, status: 202 },
      { method: "HEAD", path: `/v2/foo/blobs/${hello.digest}`, status: 404 },
      ...pushBlob("foo", hello),
      { method: "HEAD", path: `/v2/foo/blobs/${hello.digest}`, status: 200 },
      get(`/v2/foo/blobs/${hello.digest}`, 200, { text }),
    ],
  },
  {
    number: 69,
    source: "D",
    name: "a read-only registry takes nothing and serves on",
    settings: { STORAGE_MAINTENANCE_READONLY_ENABLED: "true" },
    steps: [
      {
        ...beginUpload("foo"),
        status: 405,
        code: "UNSUPPORTED",
        answers: { allow: "OPTIONS" },
      },
      {
        ...beginUpload("foo"),
        path: `/v2/foo/blobs/uploads/?digest=${hello.digest}`,
        body: text,
        status: 405,
      },
      {
        method: "PUT",
        path: "/v2/foo/manifests/latest",
        body: "{}",
        status: 405,
        answers: { allow: "GET, HEAD, OPTIONS" },
      },
      { method: "DELETE", path: "/v2/foo/manifests/latest", status: 405 },
      { method: "DELETE", path: `/v2/foo/blobs/${hello.digest}`, status: 405 },
      get("/v2/", 200),
      get("/v2/_catalog", 200, { json: { repositories: [] } }),
    ],
  },
];
