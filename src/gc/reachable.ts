import type { Digest } from "../oci/digest.ts";

/** What one manifest leads to, apart from config and layers. */
export interface ManifestLinks {
  /** Of an index; also blobs, in buildkit's cache indexes. */
  readonly children: readonly Digest[];
  readonly subject: Digest | undefined;
}

/**
 * All that `roots` lead to, themselves included: the children of indexes, what has a kept
 * manifest as subject, and the subject of what is kept. Digests that are not in `manifests`
 * (blobs, and what was never pushed) are in it too.
 *
 * `followers` are further manifests that stay with a digest, such as a signature by cosign, which
 * names its subject in its tag alone.
 */
export function reachable(
  manifests: ReadonlyMap<Digest, ManifestLinks>,
  roots: Iterable<Digest>,
  followers: ReadonlyMap<Digest, readonly Digest[]> = new Map(),
): Set<Digest> {
  const bySubject = Map.groupBy(manifests, ([, { subject }]) => subject);
  const kept = new Set<Digest>();
  const waiting = [...roots];
  for (let digest = waiting.pop(); digest !== undefined; digest = waiting.pop()) {
    if (kept.has(digest)) continue;
    kept.add(digest);
    const links = manifests.get(digest);
    for (const child of links?.children ?? []) waiting.push(child);
    if (links?.subject !== undefined) waiting.push(links.subject);
    for (const [referrer] of bySubject.get(digest) ?? []) waiting.push(referrer);
    for (const follower of followers.get(digest) ?? []) waiting.push(follower);
  }
  return kept;
}
