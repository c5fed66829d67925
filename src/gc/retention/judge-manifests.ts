import type { ManifestView, TagView } from "../../metadata/repository-view.ts";
import type { Digest } from "../../oci/digest.ts";
import { type ManifestLinks, reachable } from "../reachable.ts";
import type { Ground } from "./facts.ts";
import type { ManifestReason } from "./reason.ts";

/** What time says of each manifest that has no tag, whatever leads to it. */
export function judgeUntagged(ground: Ground): ReadonlyMap<Digest, ManifestReason> {
  const { facts, manifests } = ground;
  const tagged = new Set(facts.view.tags.map((tag) => tag.digest));
  return new Map(
    [...manifests.values()]
      .filter(({ digest }) => !tagged.has(digest))
      .map((manifest) => [manifest.digest, untaggedReason(manifest, ground)]),
  );
}

function untaggedReason({ digest, pushedAtMs }: ManifestView, ground: Ground): ManifestReason {
  const { facts, rule, nowMs, pulls } = ground;
  const { untaggedAfterMs } = rule;
  if (untaggedAfterMs === undefined) return { kind: "untaggedStay" };
  const pulledAtMs = pulls.ofManifest.get(digest) ?? 0;
  const sinceMs = Math.max(pushedAtMs, pulledAtMs, facts.lastUntagged.get(digest) ?? 0);
  if (nowMs - sinceMs <= untaggedAfterMs) {
    return { kind: "recent", goesAtMs: sinceMs + untaggedAfterMs };
  }
  return facts.leased.has(digest) ? { kind: "leased" } : { kind: "untagged", sinceMs };
}

/** All manifests and blobs that anything that stays leads to. */
export function keptManifests(
  ground: Ground,
  judged: ReadonlyMap<TagView, unknown>,
  untagged: ReadonlyMap<Digest, ManifestReason>,
): ReadonlySet<Digest> {
  const { facts, rule, manifests, followers } = ground;
  const roots = new Set<Digest>(facts.leased);
  const following = new Map<Digest, Digest[]>();
  for (const tag of facts.view.tags) {
    const follower = followers.get(tag);
    if (!judged.has(tag) && follower?.kind === "present") {
      following.set(follower.subject, [...(following.get(follower.subject) ?? []), tag.digest]);
    } else {
      // A tag that goes counts too: what it leaves now has been untagged for no time at all.
      roots.add(tag.digest);
    }
  }
  for (const [digest, { kind }] of untagged) {
    const subject = manifests.get(digest)?.subject;
    // A referrer goes with its subject, however young it is.
    const isReferrer = subject !== undefined && manifests.has(subject);
    if (kind === "recent" && !isReferrer) roots.add(digest);
  }
  const links = [...manifests].map(([digest, { children, subject }]): [Digest, ManifestLinks] => [
    digest,
    { children, subject },
  ]);
  const stays = rule.untaggedAfterMs === undefined ? manifests.keys() : roots;
  return reachable(new Map(links), stays, following);
}

/**
 * Indexes before their children and referrers before their subjects: wherever a run is
 * interrupted, nothing that is left leads to something that is gone.
 */
export function deletionOrder(goes: readonly ManifestView[]): readonly ManifestView[] {
  const byDigest = new Map(goes.map((manifest) => [manifest.digest, manifest]));
  const linkedTo = ({ children, subject }: ManifestView): readonly ManifestView[] =>
    [...children, ...(subject === undefined ? [] : [subject])].flatMap(
      (digest) => byDigest.get(digest) ?? [],
    );
  const waitsFor = new Map<ManifestView, number>();
  for (const later of goes.flatMap(linkedTo)) waitsFor.set(later, (waitsFor.get(later) ?? 0) + 1);
  const ordered: ManifestView[] = [];
  const ready = goes.filter((manifest) => !waitsFor.has(manifest));
  for (let next = ready.pop(); next !== undefined; next = ready.pop()) {
    ordered.push(next);
    for (const later of linkedTo(next)) {
      const left = (waitsFor.get(later) ?? 0) - 1;
      waitsFor.set(later, left);
      if (left === 0) ready.push(later);
    }
  }
  return ordered;
}
