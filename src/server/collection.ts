import { type Clock, patientClock } from "../base/clock.ts";
import type { Logger } from "../base/logger.ts";
import type { Counter, Metrics } from "../base/metrics.ts";
import { KeyedMutex } from "../base/mutex.ts";
import type { GcConfig } from "../config/config.ts";
import { type CollectionEvent, Collector, type RoundResult } from "../gc/collector.ts";
import { type InventoryOptions, takeInventory } from "../gc/inventory.ts";
import { withoutExpired } from "../gc/keepers.ts";
import { fullSpeed, steadyPace } from "../gc/pace.ts";
import { type Reasons, reasonsFor } from "../gc/why.ts";
import type { Digest } from "../oci/digest.ts";
import type { RegistryContext } from "../registry/context.ts";
import { isDatabaseFailure } from "../registry/database-failure.ts";
import { serverMetrics } from "./metrics.ts";

export interface CollectionOptions {
  readonly context: RegistryContext;
  readonly config: GcConfig;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly metrics?: Metrics;
}

export interface RoundChoice {
  readonly signal: AbortSignal;
  /** A person waits: no pauses, and all folders are looked at for bytes that no row knows. */
  readonly isFull: boolean;
  readonly say?: (event: CollectionEvent) => void;
}

/** What `berth gc status` shows of the last round. */
export interface LastRound extends RoundResult {
  readonly endedAtMs: number;
  readonly durationMs: number;
}

const lastRoundKey = "gc.last-round";
/** 512 folders at most in 64 rounds: at the default interval once around in half a day. */
const foldersPerRound = 8;

/** Live collection of one registry: one round at a time, by itself or because somebody asks. */
export class Collection {
  readonly #options: CollectionOptions;
  readonly #collector: Collector;
  readonly #preview: Collector;
  readonly #rounds = new KeyedMutex();
  readonly #counters: { readonly blobs: Counter; readonly bytes: Counter } | undefined;
  #trash = { count: 0, sizeBytes: 0 };
  #frozenCount = 0;

  constructor(options: CollectionOptions) {
    this.#options = options;
    const { context, config, clock, logger, metrics } = options;
    const parts = { ...context, undo: context.activity.trash, clock, logger };
    this.#collector = new Collector(parts, config);
    const undo = withoutExpired(parts.undo, patientClock(clock));
    this.#preview = new Collector({ ...parts, undo }, config);
    this.#counters = metrics && {
      blobs: metrics.counter(serverMetrics.collectedBlobs),
      bytes: metrics.counter(serverMetrics.collectedBytes),
    };
    metrics?.gauge({ ...serverMetrics.trashBlobs, read: () => this.#trash.count });
    metrics?.gauge({ ...serverMetrics.trashBytes, read: () => this.#trash.sizeBytes });
    metrics?.gauge({ ...serverMetrics.frozenRepositories, read: () => this.#frozenCount });
  }

  /** One round; waits for one that is running. */
  round(choice: RoundChoice): Promise<RoundResult> {
    return this.#rounds.run("round", () => this.#round(choice));
  }

  preview(): ReturnType<Collector["preview"]> {
    return this.#preview.preview();
  }

  /** Why a round would collect nothing now, because ages cannot be believed; or undefined. */
  clockProblem(): Promise<string | undefined> {
    return this.#collector.clockProblem();
  }

  reasonsFor(digest: Digest): Promise<Reasons> {
    return reasonsFor(digest, this.#options.context);
  }

  async lastRound(): Promise<LastRound | undefined> {
    const text = await this.#options.context.metadata.readState(lastRoundKey);
    if (text === undefined) return undefined;
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- nobody else writes this row
    return JSON.parse(text) as LastRound;
  }

  /** Looks up what the metrics say of the state of collection: after each round, and at the start. */
  async measure(): Promise<void> {
    const { collection } = this.#options.context.metadata;
    this.#trash = await collection.trashTotals();
    this.#frozenCount = (await collection.frozenRepositories(1_000)).length;
  }

  async #round({ signal, isFull, say }: RoundChoice): Promise<RoundResult> {
    const { config, clock } = this.#options;
    const startedMs = clock.monotonicMs();
    const pace = isFull ? fullSpeed : steadyPace(config.rate, clock, signal);
    await this.#inventory({ folders: isFull ? "all" : foldersPerRound, pace, clock, signal });
    const result = await this.#collector.run({ signal, pace, ...(say !== undefined && { say }) });
    const durationMs = Math.round(clock.monotonicMs() - startedMs);
    await this.#report(result, durationMs);
    return result;
  }

  async #inventory(options: InventoryOptions): Promise<void> {
    const { context, logger } = this.#options;
    if (!context.adoption.progress().isComplete) return;
    if ((await this.#collector.clockProblem()) !== undefined) return;
    try {
      const found = await takeInventory(context, options);
      if (found > 0) logger.info("bytes were found that no link leads to", { blobs: found });
    } catch (error) {
      // A full disk takes no rows: the round after this is how it gets room again.
      if (!isDatabaseFailure(error)) throw error;
      logger.warn("bytes that no link leads to could not be looked for", { error });
    }
  }

  async #report(result: RoundResult, durationMs: number): Promise<void> {
    const { context, clock, logger } = this.#options;
    this.#counters?.blobs.add(result.removedBlobs);
    this.#counters?.bytes.add(result.removedBytes);
    await this.measure();
    const last: LastRound = { ...result, endedAtMs: clock.nowMs(), durationMs };
    try {
      await context.metadata.writeState(lastRoundKey, JSON.stringify(last));
    } catch (error) {
      // The round has done what it could, and on a full disk that is what matters.
      if (!isDatabaseFailure(error)) throw error;
      logger.warn("what a round of collection did could not be written down for gc status", {
        error,
      });
    }
    if (result.problem !== undefined) logger.warn("nothing was collected", { ...result });
    else if (isEmpty(result)) logger.debug("there was nothing to collect", { durationMs });
    else logger.info("collected what nothing needs", { ...result, durationMs });
  }
}

function isEmpty(result: RoundResult): boolean {
  const { trashedBlobs, removedBlobs, removedLinks, removedRepositories } = result;
  return trashedBlobs + removedBlobs + removedLinks + removedRepositories === 0;
}
