import type { ManifestView, TagView } from "../../metadata/repository-view.ts";
import type { Digest } from "../../oci/digest.ts";
import type { RepositoryName } from "../../oci/repository-name.ts";
import { type Ground, groundOf, type RetentionFacts } from "./facts.ts";
import { deletionOrder, judgeUntagged, keptManifests } from "./judge-manifests.ts";
import { judgeFollower, judgeTags, type TagJudgement } from "./judge-tags.ts";
import type { ManifestReason } from "./reason.ts";
import type { NumberedRule } from "./rule.ts";

/** What is to become of a repository, and why. */
export interface RetentionPlan {
  readonly repository: RepositoryName;
  /** Undefined when no rule names the repository. */
  readonly rule: NumberedRule | undefined;
  /** Every tag, by name. */
  readonly tags: readonly TagDecision[];
  /** First what goes, in the order in which it may go. */
  readonly manifests: readonly ManifestDecision[];
}

export type TagDecision = TagView & TagJudgement;

/** About a manifest without a tag, or one that loses its last tag together with its subject. */
export interface ManifestDecision {
  readonly digest: Digest;
  readonly kind: "image" | "index";
  readonly sizeBytes: number;
  readonly pushedAtMs: number;
  readonly subject?: Digest;
  readonly isKept: boolean;
  readonly reason: ManifestReason;
}

/**
 * What a rule makes of a repository. Pure: it reads no clock and deletes nothing.
 *
 *     tags ── immutable, protected ───────────────────► stay
 *          ── the others, but followers: one keep condition holds ► stay, else go
 *     manifests ── tagged, or pushed, pulled, leased lately ─┐
 *               ── and all that is reachable from these ─────┴──► stay, else go
 *     followers (signatures) ── as their subject
 */
export function planRetention(
  facts: RetentionFacts,
  rule: NumberedRule | undefined,
  nowMs: number,
): RetentionPlan {
  if (rule === undefined) return planWithoutRule(facts);
  const ground = groundOf(facts, rule, nowMs);
  const judged = judgeTags(ground);
  const untagged = judgeUntagged(ground);
  const kept = keptManifests(ground, judged, untagged);
  return {
    repository: facts.repository,
    rule,
    tags: facts.view.tags.map((tag) => ({
      ...tag,
      ...(judged.get(tag) ?? judgeFollower(tag, kept, ground)),
    })),
    manifests: manifestDecisions(ground, kept, untagged),
  };
}

function planWithoutRule({ repository, view }: RetentionFacts): RetentionPlan {
  const tagged = new Set(view.tags.map((tag) => tag.digest));
  const stays = { isKept: true, reason: { kind: "noRule" } } as const;
  return {
    repository,
    rule: undefined,
    tags: view.tags.map((tag) => ({ ...tag, ...stays })),
    manifests: view.manifests
      .filter(({ digest }) => !tagged.has(digest))
      .map((manifest) => ({ ...viewed(manifest), ...stays })),
  };
}

function manifestDecisions(
  { facts }: Ground,
  kept: ReadonlySet<Digest>,
  untagged: ReadonlyMap<Digest, ManifestReason>,
): readonly ManifestDecision[] {
  const { manifests } = facts.view;
  const goes = deletionOrder(manifests.filter(({ digest }) => !kept.has(digest)));
  const stays = manifests.filter(({ digest }) => kept.has(digest) && untagged.has(digest));
  const children = new Set(
    manifests.flatMap((parent) => (kept.has(parent.digest) ? parent.children : [])),
  );
  const isReached = ({ digest, subject }: ManifestView): boolean =>
    children.has(digest) || (subject !== undefined && kept.has(subject));
  const reasonOf = (manifest: ManifestView): ManifestReason => {
    const own = untagged.get(manifest.digest);
    // Young, or with a tag that follows: its subject goes, and it goes along.
    if (!kept.has(manifest.digest)) return own?.kind === "untagged" ? own : { kind: "withSubject" };
    if (own === undefined || own.kind === "untagged") return { kind: "reached" };
    return own.kind !== "untaggedStay" && isReached(manifest) ? { kind: "reached" } : own;
  };
  return [...goes, ...stays].map((manifest) => ({
    ...viewed(manifest),
    isKept: kept.has(manifest.digest),
    reason: reasonOf(manifest),
  }));
}

function viewed(manifest: ManifestView): Omit<ManifestDecision, "isKept" | "reason"> {
  const { digest, kind, sizeBytes, pushedAtMs, subject } = manifest;
  return { digest, kind, sizeBytes, pushedAtMs, ...(subject !== undefined && { subject }) };
}
