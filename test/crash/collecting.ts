/** Live collection of a registry in this process, round by round, for rigs that set the clock. */
import type { Clock } from "../../src/base/clock.ts";
import { silentLogger } from "../../src/base/logger.ts";
import { Collector, type RoundResult } from "../../src/gc/collector.ts";
import { takeInventory } from "../../src/gc/inventory.ts";
import type { OpenRegistry } from "../../src/server/open-registry.ts";

const foldersOfAll = 512;
const hourMs = 3_600_000;

/** A clock that a rig moves: the wall's and the monotonic one together. */
export interface PassingClock extends Clock {
  pass(ms: number): void;
}

/** As the program puts it together, without pauses, and with all folders looked at each time. */
export class Collecting {
  readonly #opened: OpenRegistry;
  readonly #clock: Clock;
  readonly #collector: Collector;

  constructor(opened: OpenRegistry, clock: Clock) {
    this.#opened = opened;
    this.#clock = clock;
    const { context, activity } = opened;
    const parts = { ...context, undo: activity.trash, clock, logger: silentLogger };
    const { leaseMs: graceMs } = context.policy;
    this.#collector = new Collector(parts, { graceMs, trashGraceMs: graceMs });
  }

  async round(): Promise<RoundResult> {
    const { signal } = new AbortController();
    const pace = async (): Promise<void> => undefined;
    const clock = this.#clock;
    await takeInventory(this.#opened.context, { folders: foldersOfAll, pace, clock, signal });
    return this.#collector.run({ signal, pace });
  }
}

/** So long after the last answer, nobody's lease is left; and so long the trash is waited for. */
export function graceOf({ context }: OpenRegistry): number {
  return context.policy.leaseMs + 2 * hourMs;
}

/** So long after a deletion, nothing of it can be taken back. */
export function retentionOf({ context }: OpenRegistry): number {
  return context.policy.trashRetentionMs + 2 * hourMs;
}
