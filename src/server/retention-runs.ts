import type { Clock } from "../base/clock.ts";
import type { Logger } from "../base/logger.ts";
import type { Counter, Metrics } from "../base/metrics.ts";
import { KeyedMutex } from "../base/mutex.ts";
import { systemSleep } from "../base/sleep.ts";
import type { RetentionConfig } from "../config/config.ts";
import { fullSpeed, steadyPace } from "../gc/pace.ts";
import type { RetentionPlan } from "../gc/retention/plan.ts";
import { type Deletion, Retention, type RetentionResult } from "../gc/retention/retention.ts";
import { RunClock } from "../gc/retention/run-clock.ts";
import type { RepositoryName } from "../oci/repository-name.ts";
import type { Actor } from "../registry/actor.ts";
import { immutablePattern } from "../registry/policy.ts";
import { serverMetrics } from "./metrics.ts";
import type { OpenRegistry } from "./open-registry.ts";
import { timerMsMax } from "./periodic.ts";

export interface RetentionOptions {
  readonly opened: OpenRegistry;
  readonly config: RetentionConfig;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly metrics?: Metrics;
  /** Who asked for these rules; without it they are those of the configuration. */
  readonly actor?: Actor;
}

export interface RunChoice {
  readonly signal: AbortSignal;
  /** One repository; without it, all. */
  readonly only?: RepositoryName;
  /** A person waits: no pauses. */
  readonly isFull: boolean;
  readonly say?: (deletion: Deletion) => void;
}

/** A registry that is restarted every night would never come to an interval of a day. */
const firstRunMsMax = 30 * 60_000;

/** The rules of retention for one registry: one run at a time, by itself or because somebody asks. */
export class RetentionRuns {
  readonly #options: RetentionOptions;
  readonly #retention: Retention;
  readonly #clock: RunClock;
  readonly #turns = new KeyedMutex();
  readonly #deletions: Counter | undefined;
  #lastRunMs = 0;

  constructor(options: RetentionOptions) {
    this.#options = options;
    const { opened, config, clock, logger, metrics, actor } = options;
    const { context, registry, metadata } = opened;
    this.#retention = new Retention({
      ...context,
      removals: registry.removals,
      clock,
      logger,
      rules: config.rules,
      ...(actor !== undefined && { actor }),
      isImmutable: (name, tag) => immutablePattern(name, tag, context.policy) !== undefined,
    });
    this.#clock = new RunClock(clock, metadata, config.intervalMs);
    this.#deletions = metrics?.counter(serverMetrics.retentionDeletions);
    metrics?.gauge({ ...serverMetrics.retentionLastRun, read: () => this.#lastRunMs / 1_000 });
  }

  get hasRules(): boolean {
    return this.#options.config.rules.length > 0;
  }

  plan(name: RepositoryName): Promise<RetentionPlan | "frozen"> {
    return this.#retention.plan(name);
  }

  repositories(): AsyncGenerator<RepositoryName> {
    return this.#retention.repositories();
  }

  /** One run; waits for one that is going on. */
  run(choice: RunChoice): Promise<RetentionResult> {
    return this.#turns.run("run", () => this.#run(choice));
  }

  /** Runs now and then, until `signal` is aborted. */
  async runNowAndThen(signal: AbortSignal): Promise<void> {
    const { config, logger } = this.#options;
    const intervalMs = Math.min(config.intervalMs, timerMsMax);
    // For the metrics alone: a database that is down just now must not end the program.
    this.#lastRunMs = (await this.#clock.lastRunMs().catch(() => undefined)) ?? 0;
    await systemSleep(Math.min(intervalMs, firstRunMsMax), signal);
    while (!signal.aborted) {
      try {
        await this.run({ signal, isFull: false });
      } catch (error) {
        logger.error("a run of retention failed; the next one begins again", { error });
      }
      await systemSleep(intervalMs, signal);
    }
  }

  async #run({ signal, only, isFull, say }: RunChoice): Promise<RetentionResult> {
    const { opened, config, clock, logger } = this.#options;
    const startedMs = clock.monotonicMs();
    const refusal = opened.registry.adoption.progress().isComplete
      ? await this.#clock.begin()
      : "not everything in the storage is known yet";
    if (refusal !== undefined) {
      logger.warn("retention deletes nothing this time", { why: refusal });
      return { ...noResult, halted: refusal };
    }
    this.#lastRunMs = clock.nowMs();
    const result = await this.#retention.run({
      signal,
      ...(only !== undefined && { only }),
      halt: () => this.#clock.problem(),
      pace: isFull ? fullSpeed : steadyPace(config.deletionsPerSecond, clock, signal),
      onDeleted: (deletion) => {
        this.#deletions?.add(1, { kind: deletion.kind });
        say?.(deletion);
      },
    });
    const durationMs = Math.round(clock.monotonicMs() - startedMs);
    logger.info("the rules of retention were carried out", { ...result, durationMs });
    return result;
  }
}

const noResult: RetentionResult = {
  repositories: 0,
  deletedTags: 0,
  deletedManifests: 0,
  changed: 0,
  frozen: 0,
  failed: 0,
};
