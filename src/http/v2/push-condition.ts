import type { Digest } from "../../oci/digest.ts";
import { matchesTag } from "./blobs.ts";

/**
 * What a push asks of what is there before it (RFC 9110, 13.1.1 and 13.1.2): the digest that a
 * client has seen, with `If-Match`, or that there is nothing, with `If-None-Match: *`. So two who
 * change one list at the same time, as of the fallback tags of referrers, do not lose an entry.
 *
 * Undefined when it asks nothing.
 */
export function pushCondition(
  headers: Headers,
): ((before: Digest | undefined) => boolean) | undefined {
  const wanted = headers.get("if-match");
  const unwanted = headers.get("if-none-match");
  if (wanted === null && unwanted === null) return undefined;
  return (before) => {
    if (wanted !== null && (before === undefined || !matchesStrongly(wanted, before))) return false;
    return unwanted === null || before === undefined || !matchesTag(unwanted, before);
  };
}

/** A weak tag says that something is as good, which is not enough to replace it. */
function matchesStrongly(header: string, digest: Digest): boolean {
  const strong = header.split(",").filter((tag) => !tag.trim().startsWith("W/"));
  return matchesTag(strong.join(","), digest);
}
