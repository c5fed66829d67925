import type { Identity } from "../../auth/authenticator.ts";
import {
  algorithmOf,
  type Digest,
  type DigestAlgorithm,
  digestOf,
  isDigestAlgorithm,
} from "../../oci/digest.ts";
import { RegistryError } from "../../oci/problems.ts";
import { parseRepositoryName, type RepositoryName } from "../../oci/repository-name.ts";
import type { Chunk, UploadKey, UploadSession } from "../../registry/uploads.ts";
import { type Exchange, type Handler, urlOf } from "../exchange.ts";
import { formatUploadRange, parseChunkRange } from "../range.ts";
import { emptyReply, type Reply } from "../reply.ts";
import { contentLengthOf, readBody } from "../request.ts";
import { requireDigest } from "../route.ts";
import { blobCreated } from "./blobs.ts";

/**
 * `POST /v2/<name>/blobs/uploads/`: begins an upload (end-4a, end-4c), takes a whole blob at once
 * (end-4b), or mounts one from another repository (end-11).
 */
export const uploadBegin: Handler<"uploadBegin"> = async ({ name }, exchange) => {
  const { query, headers } = exchange.request;
  const mount = query.get("mount");
  if (mount !== null) {
    const digest = requireDigest(mount);
    if (await tryMount(name, digest, exchange)) {
      return blobCreated(blobUrl(name, digest, exchange), digest);
    }
  }
  const algorithm = parseAlgorithm(query.get("digest-algorithm"));
  const digestText = query.get("digest");
  const digest = digestText === null ? undefined : requireDigest(digestText);
  const key = await begin(name, algorithm, exchange);
  if (digest === undefined || mount !== null) return accepted(key, exchange);
  const length = contentLengthOf(headers);
  const isEmpty = length === undefined ? exchange.request.body === null : length === 0;
  // No body: a client that names the digest already and sends the bytes with PUT.
  if (isEmpty && digest !== digestOf("", algorithmOf(digest))) {
    return accepted(key, exchange);
  }
  try {
    await finish(key, digest, exchange);
  } catch (error) {
    // The client has no Location yet, so nobody could go on with this session.
    await exchange.registry.uploads.cancel(key).catch(() => undefined);
    throw error;
  }
  return blobCreated(blobUrl(name, digest, exchange), digest);
};

/** `PATCH <upload>`: a chunk, or a stream of unknown length as docker sends it (end-5). */
export const uploadAppend: Handler<"uploadAppend"> = async (route, exchange) => {
  const key = keyOf(route, exchange);
  return withUploadHeaders(key, exchange, async () => {
    const session = await exchange.registry.uploads.append(key, chunkOf(exchange));
    return emptyReply(202, uploadHeaders(session, exchange));
  });
};

/** `PUT <upload>?digest=`: the last bytes, if any are left, and the end (end-6). */
export const uploadFinish: Handler<"uploadFinish"> = async (route, exchange) => {
  const key = keyOf(route, exchange);
  return withUploadHeaders(key, exchange, async () => {
    const text = exchange.request.query.get("digest") ?? "";
    if (text === "") {
      await exchange.registry.uploads.status(key);
      throw new RegistryError("digestMissing");
    }
    const digest = requireDigest(text);
    await finish(key, digest, exchange);
    return blobCreated(blobUrl(route.name, digest, exchange), digest);
  });
};

/** `GET <upload>`: how far it came (end-13). */
export const uploadStatus: Handler<"uploadStatus"> = async (route, exchange) => {
  const session = await exchange.registry.uploads.status(keyOf(route, exchange));
  return emptyReply(204, uploadHeaders(session, exchange));
};

/** `DELETE <upload>`: give it up (end-14). */
export const uploadCancel: Handler<"uploadCancel"> = async (route, exchange) => {
  await exchange.registry.uploads.cancel(keyOf(route, exchange));
  return emptyReply(204, { "Docker-Upload-UUID": route.id });
};

async function tryMount(
  name: RepositoryName,
  digest: Digest,
  { registry, request, mayPull }: Exchange,
): Promise<boolean> {
  const text = request.query.get("from");
  const from = text === null || text === "" ? undefined : parseRepositoryName(text);
  // A malformed `from` names no repository: the client uploads, as after any failed mount.
  if (from === undefined && text !== null && text !== "") return false;
  return registry.blobs.mount(name, digest, { from, mayPull });
}

async function begin(
  name: RepositoryName,
  algorithm: DigestAlgorithm,
  { registry, identity }: Exchange,
): Promise<UploadKey> {
  const owner = ownerOf(identity);
  const { id } = await registry.uploads.begin(name, { owner, algorithm });
  return { name, id, owner };
}

async function finish(key: UploadKey, digest: Digest, exchange: Exchange): Promise<void> {
  const { headers, body } = exchange.request;
  const hasBody = (contentLengthOf(headers) ?? (body === null ? 0 : 1)) > 0;
  await exchange.registry.uploads.finish(key, digest, hasBody ? chunkOf(exchange) : undefined);
}

/** The chunk that a request brings, and what it says of it in `Content-Range`. */
function chunkOf({ request }: Exchange): Chunk {
  const declaredBytes = contentLengthOf(request.headers);
  const header = request.headers.get("content-range");
  if (header === null) return { source: readBody(request, declaredBytes) };
  const range = parseChunkRange(header);
  if (range === undefined) throw new RegistryError("uploadRangeInvalid", { range: header });
  const expected = range.end - range.start;
  if (declaredBytes !== undefined && declaredBytes !== expected) {
    throw new RegistryError("uploadSizeInvalid", { expected, actual: declaredBytes });
  }
  return { start: range.start, source: exactly(readBody(request, declaredBytes), expected) };
}

/** Passes on `expected` bytes; fewer or more break the stream off with an error. */
async function* exactly(
  source: AsyncIterable<Uint8Array>,
  expected: number,
): AsyncGenerator<Uint8Array> {
  let actual = 0;
  for await (const piece of source) {
    actual += piece.byteLength;
    if (actual > expected) throw new RegistryError("uploadSizeInvalid", { expected, actual });
    yield piece;
  }
  if (actual !== expected) throw new RegistryError("uploadSizeInvalid", { expected, actual });
}

/** Refusals of an upload tell the client where it stands, so that it can go on from there. */
async function withUploadHeaders(
  key: UploadKey,
  exchange: Exchange,
  work: () => Promise<Reply>,
): Promise<Reply> {
  try {
    return await work();
  } catch (error) {
    if (!(error instanceof RegistryError)) throw error;
    const session = await exchange.registry.uploads.status(key).catch(() => undefined);
    if (session === undefined) throw error;
    throw new RegistryError(error.reason, error.facts, {
      headers: { ...error.headers, ...uploadHeaders(session, exchange) },
      cause: error.cause,
    });
  }
}

async function accepted(key: UploadKey, exchange: Exchange): Promise<Reply> {
  const session = await exchange.registry.uploads.status(key);
  return emptyReply(202, uploadHeaders(session, exchange));
}

function uploadHeaders(
  { repository, id, offset }: UploadSession,
  exchange: Exchange,
): Readonly<Record<string, string>> {
  return {
    Location: urlOf(`/v2/${repository}/blobs/uploads/${id}`, exchange),
    Range: formatUploadRange(offset),
    "Docker-Upload-UUID": id,
  };
}

function blobUrl(name: RepositoryName, digest: Digest, exchange: Exchange): string {
  return urlOf(`/v2/${name}/blobs/${digest}`, exchange);
}

function keyOf(
  { name, id }: { readonly name: RepositoryName; readonly id: string },
  { identity }: Exchange,
): UploadKey {
  return { name, id, owner: ownerOf(identity) };
}

/** Longer names than any person has: a token service may put into a subject what it likes. */
const ownerLengthMax = 300;

/** Whose upload it is. The state of each holds it, and is a small file. */
function ownerOf({ name }: Identity): string {
  return name.length > ownerLengthMax ? digestOf(name) : name;
}

function parseAlgorithm(text: string | null): DigestAlgorithm {
  if (text === null || text === "") return "sha256";
  if (!isDigestAlgorithm(text)) {
    throw new RegistryError("digestAlgorithmInvalid", { algorithm: text });
  }
  return text;
}
