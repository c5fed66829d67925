import type { ManifestView, TagView } from "../../metadata/repository-view.ts";
import { algorithmOf, type Digest, hexOf, parseDigest } from "../../oci/digest.ts";

/**
 * Tags that belong to another manifest, their subject, and stay and go with it:
 *
 * - `sha256-<hex>.sig`, `.att`, `.sbom` and the like, by cosign up to version 2;
 * - `sha256-<hex>`, the referrers tag of clients whose registry has no referrers API
 *   (distribution-spec, "Referrers Tag Schema"), which cuts the hex to 64 characters;
 * - any tag of a manifest that has a `subject`.
 */
export type Follower =
  | { readonly kind: "present"; readonly subject: Digest }
  /** The subject is not in the repository; its digest, where the tag tells all of it. */
  | { readonly kind: "absent"; readonly subject: Digest | undefined };

const namePattern = /^(sha256|sha512)-([a-f0-9]{64})(?:\.[a-z]+)?$/;

/** What each tag follows; a tag that is not in it stands for itself. */
export function followersOf(
  tags: readonly TagView[],
  manifests: ReadonlyMap<Digest, ManifestView>,
): ReadonlyMap<TagView, Follower> {
  const byKey = new Map([...manifests.keys()].map((digest) => [keyOf(digest), digest]));
  const found = new Map<TagView, Follower>();
  for (const tag of tags) {
    const follower = followerOf(tag, manifests, byKey);
    if (follower !== undefined) found.set(tag, follower);
  }
  return found;
}

function followerOf(
  { tag, digest }: TagView,
  manifests: ReadonlyMap<Digest, ManifestView>,
  byKey: ReadonlyMap<string, Digest>,
): Follower | undefined {
  const [, algorithm, hex] = namePattern.exec(tag) ?? [];
  if (algorithm !== undefined && hex !== undefined) {
    const subject = byKey.get(`${algorithm}-${hex}`);
    // Named after its own digest: an ordinary name, only a long one.
    if (subject === digest) return undefined;
    if (subject !== undefined) return { kind: "present", subject };
    return { kind: "absent", subject: parseDigest(`${algorithm}:${hex}`) };
  }
  const subject = manifests.get(digest)?.subject;
  if (subject === undefined) return undefined;
  return { kind: manifests.has(subject) ? "present" : "absent", subject };
}

function keyOf(digest: Digest): string {
  return `${algorithmOf(digest)}-${hexOf(digest).slice(0, 64)}`;
}
