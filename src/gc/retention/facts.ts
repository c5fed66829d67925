import type { LastPull } from "../../activity/activity-store.ts";
import type { ManifestView, RepositoryView, TagView } from "../../metadata/repository-view.ts";
import type { Digest } from "../../oci/digest.ts";
import type { RepositoryName } from "../../oci/repository-name.ts";
import type { Tag } from "../../oci/tag.ts";
import { type Follower, followersOf } from "./followers.ts";
import type { NumberedRule } from "./rule.ts";

/** All that a decision about a repository rests on, read at one moment. */
export interface RetentionFacts {
  readonly repository: RepositoryName;
  readonly view: RepositoryView;
  readonly lastPulls: readonly LastPull[];
  /** When a tag last left a manifest. */
  readonly lastUntagged: ReadonlyMap<Digest, number>;
  /** Manifests that a client was told of lately; it may rely on them. */
  readonly leased: ReadonlySet<Digest>;
  /** Manifests that are not in this repository and in another one. */
  readonly elsewhere: ReadonlySet<Digest>;
  readonly isImmutable: (tag: Tag) => boolean;
}

/** The facts as the judges look things up in them, with the rule and the time. */
export interface Ground {
  readonly facts: RetentionFacts;
  readonly rule: NumberedRule;
  readonly nowMs: number;
  readonly manifests: ReadonlyMap<Digest, ManifestView>;
  readonly followers: ReadonlyMap<TagView, Follower>;
  readonly pulls: PullTimes;
}

/** When something was last pulled. */
interface PullTimes {
  /** By a tag, whatever it pointed to then: somebody uses that name. */
  readonly ofTag: ReadonlyMap<Tag, number>;
  readonly byDigest: ReadonlyMap<Digest, number>;
  /** By a tag or by digest. */
  readonly ofManifest: ReadonlyMap<Digest, number>;
}

export function groundOf(facts: RetentionFacts, rule: NumberedRule, nowMs: number): Ground {
  const manifests = new Map(facts.view.manifests.map((manifest) => [manifest.digest, manifest]));
  const followers = followersOf(facts.view.tags, manifests);
  return { facts, rule, nowMs, manifests, followers, pulls: pullTimes(facts.lastPulls) };
}

function pullTimes(pulls: readonly LastPull[]): PullTimes {
  const [ofTag, byDigest] = [new Map<Tag, number>(), new Map<Digest, number>()];
  const ofManifest = new Map<Digest, number>();
  for (const { digest, tag, lastAtMs } of pulls) {
    if (tag === undefined) raise(byDigest, digest, lastAtMs);
    else raise(ofTag, tag, lastAtMs);
    raise(ofManifest, digest, lastAtMs);
  }
  return { ofTag, byDigest, ofManifest };
}

function raise<K>(times: Map<K, number>, key: K, atMs: number): void {
  times.set(key, Math.max(atMs, times.get(key) ?? 0));
}
