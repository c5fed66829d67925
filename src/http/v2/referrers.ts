import { type Digest, parseDigest } from "../../oci/digest.ts";
import { mediaTypes } from "../../oci/media-type.ts";
import type { Handler } from "../exchange.ts";
import { nextLink, parsePage } from "../paging.ts";
import { jsonReply } from "../reply.ts";

const referrersMax = 1000;
/** Clients read 4 MiB of metadata at most, so a page must stay below it. */
const pageSizeBytesMax = 3 << 20;

/**
 * `GET /v2/<name>/referrers/<digest>` (end-12): an index of everything whose subject this is. Never
 * 404: clients take that for a registry without the API.
 */
export const referrers: Handler<"referrers"> = async ({ name, digest }, exchange) => {
  const { query } = exchange.request;
  const artifactType = query.get("artifactType") ?? "";
  const page = parsePage(query, referrersMax);
  const found = await exchange.registry.referrers.list(name, digest, {
    after: parseDigest(page.last) ?? "",
    limit: page.count ?? referrersMax,
    ...(artifactType !== "" && { artifactType }),
  });
  const manifests = found.items.map((item) => ({
    mediaType: item.mediaType,
    digest: item.digest,
    size: item.sizeBytes,
    ...(item.artifactType !== undefined && { artifactType: item.artifactType }),
    ...(item.annotations !== undefined && { annotations: item.annotations }),
    ...(item.platform !== undefined && { platform: item.platform }),
  }));
  const shown = fitting(manifests);
  const hasMore = found.hasMore || shown.length < manifests.length;
  const next = { last: shown.at(-1)?.digest ?? "", n: query.get("n") ?? "", artifactType };
  return jsonReply(
    { schemaVersion: 2, mediaType: mediaTypes.ociIndex, manifests: shown },
    {
      mediaType: mediaTypes.ociIndex,
      headers: {
        ...(artifactType !== "" && { "OCI-Filters-Applied": "artifactType" }),
        ...(hasMore && nextLink(`/v2/${name}/referrers/${digest}`, withoutEmpty(next), exchange)),
      },
    },
  );
};

/** As many from the beginning as fit into one page; at least one. */
function fitting<Item extends { readonly digest: Digest }>(
  items: readonly Item[],
): readonly Item[] {
  let sizeBytes = 0;
  const count = items.findIndex((item) => {
    sizeBytes += JSON.stringify(item).length;
    return sizeBytes > pageSizeBytesMax;
  });
  return count === -1 ? items : items.slice(0, Math.max(1, count));
}

function withoutEmpty(query: Readonly<Record<string, string>>): Readonly<Record<string, string>> {
  return Object.fromEntries(Object.entries(query).filter(([, value]) => value !== ""));
}
