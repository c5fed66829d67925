import type { Clock } from "../../base/clock.ts";
import type { MetadataStore } from "../../metadata/metadata-store.ts";
import { ClockGuard } from "../clock-guard.ts";

const stateKey = "retention.last-run";

/**
 * Keeps rules that count days from running on a clock that is wrong: what seems unused for years
 * was perhaps pulled this morning. A run that may not go leaves its stamp all the same, so that
 * the next one goes, an interval later, if the clock has been right since: time for a person to
 * look.
 */
export class RunClock {
  readonly #clock: Clock;
  readonly #metadata: MetadataStore;
  readonly #guard: ClockGuard;

  constructor(clock: Clock, metadata: MetadataStore, intervalMs: number) {
    this.#clock = clock;
    this.#metadata = metadata;
    // Less than an interval, so that the run after the one that noticed the step may go.
    this.#guard = new ClockGuard({ clock, holdMs: intervalMs / 2 });
  }

  /** When a run last began; undefined when none has. */
  async lastRunMs(): Promise<number | undefined> {
    const stamp = await this.#metadata.readState(stateKey);
    return stamp === undefined ? undefined : Number(stamp);
  }

  /** Leaves the stamp of a run. Why it may not go, or undefined when it may. */
  async begin(): Promise<string | undefined> {
    const lastRunMs = await this.lastRunMs();
    await this.#metadata.writeState(stateKey, String(this.#clock.nowMs()));
    return this.#guard.problem(lastRunMs);
  }

  /** Why a run that has begun has to end, or undefined. */
  problem(): string | undefined {
    return this.#guard.problem(undefined);
  }
}
