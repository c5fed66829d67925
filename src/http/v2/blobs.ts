import type { Digest } from "../../oci/digest.ts";
import { hexOf } from "../../oci/digest.ts";
import { RegistryError } from "../../oci/problems.ts";
import type { Exchange, Handler } from "../exchange.ts";
import { formatContentRange, parseRange } from "../range.ts";
import {
  emptyReply,
  HeaderShelf,
  octetStream,
  type Reply,
  untrustedContentHeaders,
} from "../reply.ts";

/** A blob never changes, so a client may keep it as long as it likes. */
const cacheControl = "max-age=31536000";

/** `GET /v2/<name>/blobs/<digest>` (end-2), whole, in parts, or not when the client has it. */
export const blobGet: Handler<"blobGet"> = async ({ name, digest }, exchange) => {
  const content = await exchange.registry.blobs.find(name, digest);
  const { headers } = exchange.request;
  const shared = shelf.take(`GET ${digest}`, () => blobHeaders(digest));
  const common = shared.fields;
  if (matchesTag(headers.get("if-none-match"), digest)) return emptyReply(304, common);
  const ranges = parseRange(rangeHeader(headers, digest), content.sizeBytes);
  if (ranges === "invalid") {
    const range = headers.get("range") ?? "";
    throw new RegistryError(
      "blobRangeInvalid",
      { range, size: content.sizeBytes },
      { headers: { "Content-Range": `bytes */${content.sizeBytes}` } },
    );
  }
  if (ranges === "whole") {
    const range = { start: 0, end: content.sizeBytes };
    return { status: 200, headers: shared, body: { kind: "content", content, range } };
  }
  const [only] = ranges;
  if (ranges.length === 1 && only !== undefined) {
    return {
      status: 206,
      headers: { ...common, "Content-Range": formatContentRange(only, content.sizeBytes) },
      body: { kind: "content", content, range: only },
    };
  }
  const boundary = `berth-${hexOf(digest).slice(0, 24)}`;
  return {
    status: 206,
    headers: { ...common, "Content-Type": `multipart/byteranges; boundary=${boundary}` },
    body: { kind: "multipart", content, ranges, boundary },
  };
};

/** `HEAD /v2/<name>/blobs/<digest>` (end-2): the same headers, and no file is opened. */
export const blobHead: Handler<"blobHead"> = async ({ name, digest }, exchange) => {
  const content = await exchange.registry.blobs.find(name, digest);
  if (matchesTag(exchange.request.headers.get("if-none-match"), digest)) {
    return emptyReply(304, blobHeaders(digest));
  }
  const headers = shelf.take(`HEAD ${content.sizeBytes} ${digest}`, () => ({
    ...blobHeaders(digest),
    "Content-Length": String(content.sizeBytes),
  }));
  return { status: 200, headers };
};

/** `DELETE /v2/<name>/blobs/<digest>` (end-10). */
export const blobDelete: Handler<"blobDelete"> = async ({ name, digest }, exchange) => {
  await exchange.registry.blobs.remove(name, digest);
  return emptyReply(202);
};

/** The answer to a blob that has just arrived or was mounted. */
export function blobCreated(location: string, digest: Digest): Reply {
  return emptyReply(201, { Location: location, "Docker-Content-Digest": digest });
}

/** True when `If-None-Match` names what the client would get. */
export function matchesTag(header: string | null, digest: Digest): boolean {
  if (header === null || header === "") return false;
  return header
    .split(",")
    .map((tag) => tag.trim().replace(/^W\//, ""))
    .some((tag) => tag === "*" || tag === `"${digest}"` || tag === digest);
}

/** The Range header, unless `If-Range` says that the client has something else. */
function rangeHeader(headers: Exchange["request"]["headers"], digest: Digest): string | null {
  const condition = headers.get("if-range");
  if (condition !== null && condition !== `"${digest}"`) return null;
  return headers.get("range");
}

const shelf = new HeaderShelf(4_000);

function blobHeaders(digest: Digest): Readonly<Record<string, string>> {
  return {
    "Content-Type": octetStream,
    "Docker-Content-Digest": digest,
    ETag: `"${digest}"`,
    "Cache-Control": cacheControl,
    "Accept-Ranges": "bytes",
    "Content-Disposition": `attachment; filename="${hexOf(digest)}"`,
    ...untrustedContentHeaders,
  };
}
