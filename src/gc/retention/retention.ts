import type { ActivityStore } from "../../activity/activity-store.ts";
import type { Actor } from "../../activity/records.ts";
import type { Clock } from "../../base/clock.ts";
import type { Logger } from "../../base/logger.ts";
import type { MetadataStore } from "../../metadata/metadata-store.ts";
import { recordedRepositories } from "../../metadata/recorded-repositories.ts";
import type { Digest } from "../../oci/digest.ts";
import type { RepositoryName } from "../../oci/repository-name.ts";
import type { Tag } from "../../oci/tag.ts";
import type { Leases } from "../../registry/leases.ts";
import type { Removals } from "../../registry/removals.ts";
import type { Pace } from "../pace.ts";
import type { RetentionFacts } from "./facts.ts";
import { followersOf } from "./followers.ts";
import {
  type ManifestDecision,
  planRetention,
  type RetentionPlan,
  type TagDecision,
} from "./plan.ts";
import { type NumberedRule, type RetentionRule, ruleFor } from "./rule.ts";

export interface RetentionParts {
  readonly metadata: MetadataStore;
  readonly activity: ActivityStore;
  readonly removals: Removals;
  readonly leases: Leases;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly rules: readonly RetentionRule[];
  readonly isImmutable: (name: RepositoryName, tag: Tag) => boolean;
  /** Who asked for these rules; without it the rules act by themselves. */
  readonly actor?: Actor;
}

export interface Deletion {
  readonly kind: "tag" | "manifest";
  readonly repository: RepositoryName;
  /** The tag, or the digest of the manifest. */
  readonly reference: Tag | Digest;
}

export interface RetentionRun {
  readonly signal: AbortSignal;
  /** One repository; without it, all. */
  readonly only?: RepositoryName;
  /** Why the run has to end early; asked between deletions. */
  readonly halt: () => string | undefined;
  /** Waited for before every deletion. */
  readonly pace: Pace;
  readonly onDeleted: (deletion: Deletion) => void;
}

export interface RetentionResult {
  repositories: number;
  deletedTags: number;
  deletedManifests: number;
  /** Planned to go, and changed before their turn came. */
  changed: number;
  frozen: number;
  failed: number;
  /** Why it ended early, when it did. */
  halted?: string;
}

/** A plan is made again when it is older, because clients go on meanwhile. */
const planAgeMsMax = 60_000;

/** Plans and carries out the rules of retention, one repository after the other. */
export class Retention {
  readonly #parts: RetentionParts;

  constructor(parts: RetentionParts) {
    this.#parts = parts;
  }

  /** What the rules make of a repository now; "frozen" when they may not touch it. */
  async plan(name: RepositoryName): Promise<RetentionPlan | "frozen"> {
    const { rules, clock } = this.#parts;
    const rule = ruleFor(name, rules);
    const facts = await this.#facts(name);
    // What cannot be read is never a reason to delete: it might lead to anything.
    if (rule !== undefined && facts.view.isFrozen) return "frozen";
    return planRetention(facts, rule, clock.nowMs());
  }

  /** The repositories, by name: all, or the one that is asked for. */
  async *repositories(only?: RepositoryName): AsyncGenerator<RepositoryName> {
    if (only !== undefined) yield only;
    else yield* recordedRepositories(this.#parts.metadata);
  }

  /** Deletes what the rules say. Ends early, without harm, on the run's signal. */
  async run(run: RetentionRun): Promise<RetentionResult> {
    const { logger, rules } = this.#parts;
    const result: RetentionResult = {
      repositories: 0,
      deletedTags: 0,
      deletedManifests: 0,
      changed: 0,
      frozen: 0,
      failed: 0,
    };
    for await (const name of this.repositories(run.only)) {
      if (run.signal.aborted) result.halted = "it was stopped";
      if (result.halted !== undefined) break;
      if (ruleFor(name, rules) === undefined) continue;
      result.repositories += 1;
      try {
        await this.#runRepository(name, run, result);
      } catch (error) {
        if (run.signal.aborted) continue;
        result.failed += 1;
        logger.error("retention failed in a repository", { repository: name, error });
      }
    }
    return result;
  }

  async #runRepository(
    name: RepositoryName,
    run: RetentionRun,
    result: RetentionResult,
  ): Promise<void> {
    for (let isDone = false; !isDone; ) {
      const plan = await this.plan(name);
      if (plan === "frozen") {
        result.frozen += 1;
        this.#parts.logger.warn(
          "retention leaves a repository alone: something of it cannot be read",
          { repository: name },
        );
        return;
      }
      const before = result.deletedTags + result.deletedManifests;
      isDone = await this.#carryOut(plan, run, result);
      // A round that could do nothing would do nothing the next time either.
      isDone ||= result.deletedTags + result.deletedManifests === before;
    }
  }

  /** True when all of the plan was tried, or the run has to end. */
  async #carryOut(
    { repository, rule, tags, manifests }: RetentionPlan,
    run: RetentionRun,
    result: RetentionResult,
  ): Promise<boolean> {
    const { clock } = this.#parts;
    if (rule === undefined) return true;
    const actor = this.#parts.actor ?? actorOf(rule);
    const steps = [
      ...tags.map((decision) => ({
        isKept: decision.isKept,
        deletion: { kind: "tag", repository, reference: decision.tag } as const,
        work: () => this.#removeTag(repository, decision, actor),
      })),
      ...manifests.map((decision) => ({
        isKept: decision.isKept,
        deletion: { kind: "manifest", repository, reference: decision.digest } as const,
        work: () => this.#removeManifest(repository, decision, actor),
      })),
    ];
    const startedMs = clock.monotonicMs();
    for (const { deletion, work } of steps.filter(({ isKept }) => !isKept)) {
      await run.pace(1);
      const halted = run.signal.aborted ? "it was stopped" : run.halt();
      if (halted !== undefined) {
        result.halted = halted;
        return true;
      }
      if (clock.monotonicMs() - startedMs > planAgeMsMax) return false;
      if (await work()) {
        result[deletion.kind === "tag" ? "deletedTags" : "deletedManifests"] += 1;
        run.onDeleted(deletion);
      } else result.changed += 1;
    }
    return true;
  }

  async #removeTag(name: RepositoryName, decision: TagDecision, actor: Actor): Promise<boolean> {
    const { tag, digest, pushedAtMs, reason } = decision;
    if (reason.kind === "subjectGoes" && (await this.#isBack(name, reason.subject))) return false;
    const seen = { digest, pushedAtMs, actor };
    return this.#parts.removals.removeTagIfSame(name, tag, seen);
  }

  async #removeManifest(
    name: RepositoryName,
    { digest, pushedAtMs, subject }: ManifestDecision,
    actor: Actor,
  ): Promise<boolean> {
    if (subject !== undefined && (await this.#isBack(name, subject))) return false;
    const seen = { digest, pushedAtMs, actor };
    return this.#parts.removals.removeManifestIfUnreached(name, seen);
  }

  /** True when a subject that was to go is wanted again: then its followers stay too. */
  async #isBack(name: RepositoryName, subject: Digest): Promise<boolean> {
    const { metadata, leases } = this.#parts;
    if ((await metadata.tagsOfManifest(name, subject, 1)).length > 0) return true;
    return leases.isLeased(subject);
  }

  async #facts(repository: RepositoryName): Promise<RetentionFacts> {
    const { metadata, activity, isImmutable, leases } = this.#parts;
    const view = await metadata.viewOf(repository);
    const manifests = new Map(view.manifests.map((manifest) => [manifest.digest, manifest]));
    const elsewhere = new Set<Digest>();
    for (const { kind, subject } of followersOf(view.tags, manifests).values()) {
      if (kind === "present" || subject === undefined) continue;
      if (await metadata.isManifestAnywhere(subject)) elsewhere.add(subject);
    }
    const leased = view.manifests.filter(({ digest, touchedAtMs }) =>
      leases.isLeasedBy(digest, touchedAtMs),
    );
    // What was pulled this second counts too.
    await activity.flush();
    return {
      repository,
      view,
      lastPulls: await activity.lastPullsOf(repository),
      lastUntagged: await activity.lastUntaggedOf(repository),
      leased: new Set(leased.map(({ digest }) => digest)),
      elsewhere,
      isImmutable: (tag) => isImmutable(repository, tag),
    };
  }
}

/** Who the history and the audit log name. */
function actorOf({ number }: NumberedRule): Actor {
  return { client: `retention rule ${number}` };
}
