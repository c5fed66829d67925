import { replaceControls } from "../base/control-characters.ts";
import { shorten } from "../base/shorten.ts";

/**
 * Every way in which Berth refuses a request, by reason.
 *
 * A reason, not a code, is the key: one code may come with two statuses. The wire's writer, the
 * tests and docs/reference/errors.md all read this table. `{name}` in a sentence is filled from
 * the facts of the error; what a client sent is quoted and shortened when it is filled in.
 */

/** Codes of the distribution specification, and those that Distribution adds. */
export type ErrorCode =
  | "BLOB_UNKNOWN"
  | "BLOB_UPLOAD_INVALID"
  | "BLOB_UPLOAD_UNKNOWN"
  | "DIGEST_INVALID"
  | "MANIFEST_BLOB_UNKNOWN"
  | "MANIFEST_INVALID"
  | "MANIFEST_UNKNOWN"
  | "NAME_INVALID"
  | "NAME_UNKNOWN"
  | "SIZE_INVALID"
  | "UNAUTHORIZED"
  | "DENIED"
  | "UNSUPPORTED"
  | "TOOMANYREQUESTS"
  | "RANGE_INVALID"
  | "TAG_INVALID"
  | "PAGINATION_NUMBER_INVALID"
  | "UNAVAILABLE"
  | "UNKNOWN";

export interface Problem {
  readonly code: ErrorCode;
  readonly status: number;
  /** What was wrong, for the person who reads it in a terminal. */
  readonly message: string;
  /** What that person can do; absent when the message already says it. */
  readonly advice?: string;
}

export const problems = {
  pathUnknown: {
    code: "NAME_UNKNOWN",
    status: 404,
    message: "there is nothing at {path}",
    advice: "the API starts at /v2/; see the distribution specification for its paths",
  },
  pathOutsidePrefix: {
    code: "NAME_UNKNOWN",
    status: 404,
    message: "there is nothing at {path}",
    advice:
      "the API of this registry starts at {prefix}/v2/, as http.prefix of its configuration says",
  },
  pathInvalid: {
    code: "UNSUPPORTED",
    status: 400,
    message: "the path {path} is not valid percent-encoding",
    advice: "write each byte as % and two hexadecimal digits, and the text as UTF-8",
  },
  nameInvalid: {
    code: "NAME_INVALID",
    status: 404,
    message: "{name} is not a repository name",
    advice:
      "use lower-case letters, digits and separators (. _ __ -) in parts joined by /, 255 characters at most",
  },
  nameUnknown: {
    code: "NAME_UNKNOWN",
    status: 404,
    message: "repository {name} is not known to this registry",
  },
  tagInvalid: {
    code: "TAG_INVALID",
    status: 400,
    message: "{tag} is not a tag",
    advice: "use letters, digits, _ . and -, 128 at most, starting with a letter, a digit or _",
  },
  digestInvalid: {
    code: "DIGEST_INVALID",
    status: 400,
    message: "{digest} is not a digest that this registry accepts",
    advice: "a digest is sha256: and 64 lower-case hexadecimal digits, or sha512: and 128",
  },
  digestMissing: {
    code: "DIGEST_INVALID",
    status: 400,
    message: "the request closes an upload but has no digest parameter",
    advice: "add ?digest=sha256:… ; the upload goes on",
  },
  digestMismatch: {
    code: "DIGEST_INVALID",
    status: 400,
    message: "the bytes received have the digest {actual}, not {expected}",
    advice: "the content changed on its way; push again",
  },
  digestAlgorithmInvalid: {
    code: "DIGEST_INVALID",
    status: 400,
    message: "{algorithm} is not a digest algorithm that this registry accepts",
    advice: "use sha256 or sha512",
  },
  blobUnknown: {
    code: "BLOB_UNKNOWN",
    status: 404,
    message: "blob {digest} is not in repository {name}",
  },
  blobRangeInvalid: {
    code: "RANGE_INVALID",
    status: 416,
    message: "range {range} cannot be served from a blob of {size} bytes",
  },
  uploadUnknown: {
    code: "BLOB_UPLOAD_UNKNOWN",
    status: 404,
    message: "upload {uploadId} is not known in this repository",
    advice: "it was finished, cancelled or purged; begin a new one with POST",
  },
  uploadRangeInvalid: {
    code: "RANGE_INVALID",
    status: 416,
    message: "Content-Range {range} is not <start>-<end>",
  },
  uploadOutOfOrder: {
    code: "RANGE_INVALID",
    status: 416,
    message: "the chunk starts at {start} but the upload has {offset} bytes",
    advice: "go on at the offset that the Range header names",
  },
  uploadBusy: {
    code: "RANGE_INVALID",
    status: 416,
    message: "another request is writing to this upload",
    advice: "ask for its status, then go on at the offset that it names",
  },
  uploadSizeInvalid: {
    code: "SIZE_INVALID",
    status: 400,
    message: "the chunk should have {expected} bytes but {actual} came",
  },
  uploadIncomplete: {
    code: "BLOB_UPLOAD_INVALID",
    status: 400,
    message: "the connection ended after {actual} of {expected} bytes",
    advice: "what arrived is kept; ask for the status and go on there",
  },
  uploadTooMany: {
    code: "TOOMANYREQUESTS",
    status: 429,
    message: "repository {name} has {count} unfinished uploads, and {max} are allowed",
    advice: "cancel them or wait until they are purged",
  },
  manifestUnknown: {
    code: "MANIFEST_UNKNOWN",
    status: 404,
    message: "manifest {reference} is not in repository {name}",
  },
  tagImpossible: {
    code: "MANIFEST_UNKNOWN",
    status: 404,
    message: "{tag} is not a tag, so no manifest has it",
    advice:
      "a tag has letters, digits, _ . and -, 128 at most, and starts with a letter, a digit or _",
  },
  manifestInvalid: {
    code: "MANIFEST_INVALID",
    status: 400,
    message: "the manifest is not valid: {why}",
  },
  manifestMediaTypeInvalid: {
    code: "MANIFEST_INVALID",
    status: 400,
    message: "media type {mediaType} is not one of a manifest",
    advice: "push an OCI image manifest or index, or a Docker schema 2 manifest or manifest list",
  },
  manifestSchema1: {
    code: "MANIFEST_INVALID",
    status: 400,
    message: "Docker schema 1 manifests are not supported",
    advice: "push with Docker 1.10 or newer, which writes schema 2",
  },
  manifestTooLarge: {
    code: "MANIFEST_INVALID",
    status: 413,
    message: "a manifest may have {max} bytes at most",
  },
  manifestBlobUnknown: {
    code: "MANIFEST_BLOB_UNKNOWN",
    status: 400,
    message: "the manifest names {digest}, which is not in repository {name}",
    advice: "push the blobs and the manifests of an index before the manifest that names them",
  },
  manifestUrlDenied: {
    code: "MANIFEST_INVALID",
    status: 400,
    message: "the manifest names a layer at {url}, which this registry does not allow",
    advice: "see validation.manifests.urls in the configuration",
  },
  tagImmutable: {
    code: "DENIED",
    status: 409,
    message: "tag {tag} of {name} is immutable: it points to {digest} and stays so",
    advice: "immutabletags of the configuration says {pattern}; a push needs another tag",
  },
  conditionFailed: {
    code: "DENIED",
    status: 412,
    message: "{reference} of {name} is not what this push may replace: it is {digest}",
    advice: "pull it again, apply your change to that, and push with its ETag in If-Match",
  },
  tagsTooMany: {
    code: "TAG_INVALID",
    status: 414,
    message: "{count} tags are asked for in one request, and {max} are allowed",
  },
  tagsNeedDigest: {
    code: "TAG_INVALID",
    status: 400,
    message: "tag parameters go with a digest in the path, not with tag {tag}",
  },
  paginationInvalid: {
    code: "PAGINATION_NUMBER_INVALID",
    status: 400,
    message: "n is {n}; it must be a whole number, not negative",
  },
  bodyInvalid: {
    code: "UNSUPPORTED",
    status: 400,
    message: "the request body cannot be read: {why}",
  },
  hostInvalid: {
    code: "UNSUPPORTED",
    status: 400,
    message: "the Host header is not a host name",
  },
  uriTooLong: {
    code: "UNSUPPORTED",
    status: 414,
    message: "the request target is longer than {max} bytes",
  },
  methodUnsupported: {
    code: "UNSUPPORTED",
    status: 405,
    message: "{method} cannot be used at {path}",
  },
  deleteDisabled: {
    code: "UNSUPPORTED",
    status: 405,
    message: "deleting is switched off in this registry",
    advice: "its administrator can set storage.delete.enabled",
  },
  readOnly: {
    code: "UNSUPPORTED",
    status: 405,
    message: "this registry is read-only",
    advice: "its administrator has set storage.maintenance.readonly",
  },
  unauthorized: {
    code: "UNAUTHORIZED",
    status: 401,
    message: "authentication is required",
    advice: "log in to this registry first",
  },
  credentialsRefused: {
    code: "UNAUTHORIZED",
    status: 401,
    message: "the credentials that came with this request are not accepted for it",
    advice: "log in again: a name or password is wrong, or a token is old or for something else",
  },
  denied: {
    code: "DENIED",
    status: 403,
    message: "this account may not do that",
  },
  tooManyLogins: {
    code: "TOOMANYREQUESTS",
    status: 429,
    message: "too many logins are being verified at this moment",
    advice: "try again in a few seconds",
  },
  storageFull: {
    code: "UNAVAILABLE",
    status: 507,
    message: "the registry's storage is full",
    advice: "its administrator has to make room; pulling still works",
  },
  storageUnavailable: {
    code: "UNAVAILABLE",
    status: 503,
    message: "the registry's storage does not take writes at the moment",
  },
  storageObstructed: {
    code: "UNAVAILABLE",
    status: 503,
    message: "something else lies in the registry's storage where this belongs",
    advice: "its administrator finds the path in the registry's log and has to move it away",
  },
  databaseUnavailable: {
    code: "UNAVAILABLE",
    status: 503,
    message: "the registry's database does not take the question at the moment",
    advice: "try again; if it lasts, the registry's log has the cause",
  },
  storageDegraded: {
    code: "UNAVAILABLE",
    status: 503,
    message: "the disk has lost a write, and this registry takes no more of them",
    advice: "its administrator has to check the disk and restart it; pulling still works",
  },
  unhealthy: {
    code: "UNAVAILABLE",
    status: 503,
    message: "the registry is not healthy: {why}",
  },
  internal: {
    code: "UNKNOWN",
    status: 500,
    message: "the registry failed; its log has the cause under request id {requestId}",
  },
} as const satisfies Readonly<Record<string, Problem>>;

export type Reason = keyof typeof problems;

export type Facts = Readonly<Record<string, string | number>>;

const factLengthMax = 200;

/**
 * A refusal for the client: a reason from the table, with facts.
 *
 * Thrown by the use cases and the wire, caught by one writer in http/.
 */
export class RegistryError extends Error {
  override readonly name = "RegistryError";
  readonly reason: Reason;
  readonly facts: Facts;
  /** Response headers that go with this refusal: an upload's Range, Retry-After, Allow. */
  readonly headers: Readonly<Record<string, string>>;
  /** Further refusals of the same request: one a missing blob of a manifest. */
  readonly others: readonly RegistryError[];

  constructor(
    reason: Reason,
    facts: Facts = {},
    options: {
      readonly headers?: Readonly<Record<string, string>>;
      readonly others?: readonly RegistryError[];
      readonly cause?: unknown;
    } = {},
  ) {
    super(describe(reason, facts), { cause: options.cause });
    this.reason = reason;
    this.facts = facts;
    this.headers = options.headers ?? {};
    this.others = options.others ?? [];
  }
}

/** The table's sentence for `reason` with the facts filled in, and its advice. */
function describe(reason: Reason, facts: Facts): string {
  const problem: Problem = problems[reason];
  const { advice } = problem;
  const text = advice === undefined ? problem.message : `${problem.message}; ${advice}`;
  return text.replace(/\{(\w+)\}/g, (_, key: string) => quoted(facts[key]));
}

/**
 * Shortens what came from outside, and leaves no control character in it. What is empty, or begins
 * or ends with a blank, would not be seen without marks around it.
 */
function quoted(value: string | number | undefined): string {
  if (value === undefined) return "?";
  if (typeof value === "number") return String(value);
  const visible = replaceControls(shorten(value, factLengthMax));
  return visible === visible.trim() && visible !== "" ? visible : `"${visible}"`;
}
