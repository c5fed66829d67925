import { concatBytes } from "../../base/bytes.ts";
import { type Digest, hexOf } from "../../oci/digest.ts";
import { RegistryError } from "../../oci/problems.ts";
import { parseTag, type Reference, type Tag } from "../../oci/tag.ts";
import { actorOf, type Exchange, type Handler, urlOf } from "../exchange.ts";
import { emptyReply, HeaderShelf, type SharedHeaders, untrustedContentHeaders } from "../reply.ts";
import { contentLengthOf, readBody } from "../request.ts";
import { matchesTag } from "./blobs.ts";
import { pushCondition } from "./push-condition.ts";

/**
 * `GET /v2/<name>/manifests/<reference>` (end-3). The stored type is served whatever `Accept`
 * says: clients that leave a type out of it understand it all the same.
 */
export const manifestGet: Handler<"manifestGet"> = async ({ name, reference }, exchange) => {
  const found = await exchange.registry.manifests.pull(name, reference);
  const headers = manifestHeaders(found);
  if (matchesTag(exchange.request.headers.get("if-none-match"), found.digest)) {
    return emptyReply(304, headers.fields);
  }
  return { status: 200, headers, body: { kind: "bytes", bytes: found.bytes } };
};

/** `HEAD /v2/<name>/manifests/<reference>` (end-3). */
export const manifestHead: Handler<"manifestHead"> = async ({ name, reference }, exchange) => {
  const found = await exchange.registry.manifests.stat(name, reference);
  const headers = manifestHeaders(found);
  if (matchesTag(exchange.request.headers.get("if-none-match"), found.digest)) {
    return emptyReply(304, headers.fields);
  }
  const head = shelf.take(`HEAD ${found.digest}`, () => ({
    ...headers.fields,
    "Content-Length": String(found.sizeBytes),
  }));
  return { status: 200, headers: head };
};

/** `PUT /v2/<name>/manifests/<reference>` (end-7a), with `?tag=` for several tags (end-7b). */
export const manifestPut: Handler<"manifestPut"> = async ({ name, reference }, exchange) => {
  const { request, registry } = exchange;
  const tags = parseTags(reference, exchange);
  const contentType = request.headers.get("content-type")?.split(";")[0]?.trim().toLowerCase();
  const mayReplace = pushCondition(request.headers);
  const pushed = await registry.manifests.push({
    name,
    reference,
    tags,
    bytes: await readManifest(exchange),
    contentType: contentType === "" ? undefined : contentType,
    actor: actorOf(exchange),
    ...(mayReplace !== undefined && { mayReplace }),
  });
  return emptyReply(201, {
    Location: urlOf(`/v2/${name}/manifests/${pushed.digest}`, exchange),
    "Docker-Content-Digest": pushed.digest,
    ...(pushed.subject !== undefined && { "OCI-Subject": pushed.subject }),
    ...(tags.length > 0 && { "OCI-Tag": tags.join(", ") }),
  });
};

/** `DELETE /v2/<name>/manifests/<reference>` (end-9): a tag alone, or a manifest with its tags. */
export const manifestDelete: Handler<"manifestDelete"> = async ({ name, reference }, exchange) => {
  await exchange.registry.manifests.remove(name, reference, actorOf(exchange));
  return emptyReply(202);
};

/**
 * The tags of `?tag=`, each once.
 *
 * @throws {RegistryError} `tagsTooMany`, `tagInvalid`, `tagsNeedDigest`
 */
function parseTags(reference: Reference, { request, settings }: Exchange): readonly Tag[] {
  const texts = request.query.getAll("tag");
  if (texts.length > settings.tagsPerRequestMax) {
    const max = settings.tagsPerRequestMax;
    throw new RegistryError("tagsTooMany", { count: texts.length, max });
  }
  if (texts.length > 0 && reference.kind === "tag") {
    throw new RegistryError("tagsNeedDigest", { tag: reference.tag });
  }
  const tags = new Set<Tag>();
  for (const text of texts) {
    const tag = parseTag(text);
    if (tag === undefined) throw new RegistryError("tagInvalid", { tag: text });
    tags.add(tag);
  }
  return [...tags];
}

/** The body, which is held in memory: so its size is limited before a byte of it is read. */
async function readManifest({ request, settings }: Exchange): Promise<Uint8Array> {
  const max = settings.manifestSizeBytesMax;
  const declaredBytes = contentLengthOf(request.headers);
  if ((declaredBytes ?? 0) > max) throw new RegistryError("manifestTooLarge", { max });
  const pieces: Uint8Array[] = [];
  let received = 0;
  for await (const piece of readBody(request, declaredBytes)) {
    received += piece.byteLength;
    if (received > max) throw new RegistryError("manifestTooLarge", { max });
    pieces.push(piece);
  }
  return concatBytes(pieces);
}

/** A digest has one media type and one size for ever. */
const shelf = new HeaderShelf(4_000);

function manifestHeaders({ digest, mediaType }: ManifestHead): SharedHeaders {
  return shelf.take(`GET ${digest}`, () => ({
    "Content-Type": mediaType,
    "Docker-Content-Digest": digest,
    ETag: `"${digest}"`,
    "Content-Disposition": `attachment; filename="${hexOf(digest)}.json"`,
    ...untrustedContentHeaders,
  }));
}

interface ManifestHead {
  readonly digest: Digest;
  readonly mediaType: string;
}
