import type { Glob } from "../../base/glob.ts";
import type { TagView } from "../../metadata/repository-view.ts";
import type { Digest } from "../../oci/digest.ts";
import type { Ground } from "./facts.ts";
import type { TagReason } from "./reason.ts";
import { hasGeneralCondition, hasKeepCondition } from "./rule.ts";
import { type VersionPlace, versionPlaces } from "./version.ts";

export interface TagJudgement {
  readonly isKept: boolean;
  readonly reason: TagReason;
}

/** What becomes of each tag that stands for itself; followers that nothing holds are not in it. */
export function judgeTags(ground: Ground): ReadonlyMap<TagView, TagJudgement> {
  const { facts, followers } = ground;
  const judged = new Map<TagView, TagJudgement>();
  const ordinary: TagView[] = [];
  for (const tag of facts.view.tags) {
    const reason = holdOn(tag, ground);
    if (reason !== undefined) judged.set(tag, { isKept: true, reason });
    else if (!followers.has(tag)) ordinary.push(tag);
  }
  const places = placesOf(ordinary);
  for (const tag of ordinary) {
    const reason = keepReason(tag, places, ground);
    judged.set(tag, {
      isKept: reason !== undefined,
      reason: reason ?? { kind: "noneHolds" },
    });
  }
  return judged;
}

/** What holds a tag before any condition is asked. */
function holdOn({ tag, digest }: TagView, ground: Ground): TagReason | undefined {
  const { facts, rule, manifests } = ground;
  if (facts.isImmutable(tag)) return { kind: "immutable" };
  const pattern = patternFor(rule.protect, tag);
  if (pattern !== undefined) return { kind: "protected", pattern };
  // What cannot be read is never a reason to delete.
  return manifests.has(digest) ? undefined : { kind: "unreadable" };
}

interface Places {
  /** By push, from 1. */
  readonly pushed: ReadonlyMap<TagView, number>;
  readonly versions: ReadonlyMap<TagView, VersionPlace>;
}

const byNumber = new Intl.Collator("en", { numeric: true });

/** Tags that are held anyway take nobody's place, so they are not among `tags`. */
function placesOf(tags: readonly TagView[]): Places {
  // A copied volume may have given all tags one time: then the higher name counts as the newer.
  const newest = tags.toSorted(
    (a, b) => b.pushedAtMs - a.pushedAtMs || byNumber.compare(b.tag, a.tag),
  );
  return {
    pushed: new Map(newest.map((tag, index) => [tag, index + 1])),
    versions: versionPlaces(tags, ({ tag }) => tag),
  };
}

/** The first condition that keeps the tag; undefined when it goes. */
function keepReason(tag: TagView, places: Places, ground: Ground): TagReason | undefined {
  const { rule } = ground;
  const { tags, lastPushed, lastPerSemverMinor } = rule.keep;
  if (!hasKeepCondition(rule)) return { kind: "noCondition" };
  const pattern = patternFor(tags, tag.tag);
  if (pattern !== undefined) return { kind: "tags", pattern };
  const place = places.pushed.get(tag) ?? 0;
  if (lastPushed !== undefined && place <= lastPushed) {
    return { kind: "lastPushed", place, max: lastPushed };
  }
  const version = places.versions.get(tag);
  if (lastPerSemverMinor !== undefined) {
    if (version !== undefined && version.place <= lastPerSemverMinor) {
      return { kind: "lastPerSemverMinor", ...version, max: lastPerSemverMinor };
    }
    // Whoever thins out versions has not said anything of `latest`.
    if (version === undefined && !hasGeneralCondition(rule.keep)) return { kind: "notCovered" };
  }
  return pulledLately(tag, ground);
}

function pulledLately(tag: TagView, { rule, nowMs, pulls }: Ground): TagReason | undefined {
  const { pulledWithinMs } = rule.keep;
  if (pulledWithinMs === undefined) return undefined;
  const pulledAtMs = Math.max(pulls.ofTag.get(tag.tag) ?? 0, pulls.byDigest.get(tag.digest) ?? 0);
  const atMs = Math.max(pulledAtMs, tag.pushedAtMs);
  if (nowMs - atMs > pulledWithinMs) return undefined;
  return { kind: "pulledWithin", atMs, isPull: pulledAtMs >= tag.pushedAtMs };
}

/** What becomes of a follower, once it is known which manifests stay. */
export function judgeFollower(
  tag: TagView,
  kept: ReadonlySet<Digest>,
  ground: Ground,
): TagJudgement {
  const { facts, rule, nowMs, followers, pulls } = ground;
  const follower = followers.get(tag);
  if (follower?.kind === "present") {
    const { subject } = follower;
    return kept.has(subject)
      ? { isKept: true, reason: { kind: "subjectKept", subject } }
      : { isKept: false, reason: { kind: "subjectGoes", subject } };
  }
  // Signatures may be kept in a repository of their own, so that the subject is somewhere else:
  // only one that is nowhere at all, for a while, lets its followers go.
  const touchedMs = Math.max(tag.pushedAtMs, pulls.ofManifest.get(tag.digest) ?? 0);
  const { untaggedAfterMs } = rule;
  const isOld = untaggedAfterMs !== undefined && nowMs - touchedMs > untaggedAfterMs;
  const subject = follower?.subject;
  return isOld && subject !== undefined && !facts.elsewhere.has(subject)
    ? { isKept: false, reason: { kind: "subjectNowhere" } }
    : { isKept: true, reason: { kind: "subjectElsewhere" } };
}

function patternFor(globs: readonly Glob[], name: string): string | undefined {
  return globs.find((glob) => glob.matches(name))?.text;
}
