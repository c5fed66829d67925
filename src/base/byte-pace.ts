import type { Clock } from "./clock.ts";
import type { Sleep } from "./sleep.ts";

export interface BytePaceOptions {
  /** Undefined for as fast as it goes. */
  readonly bytesPerSecond: number | undefined;
  readonly clock: Clock;
  readonly sleep: Sleep;
  readonly signal: AbortSignal;
}

/** What was not used while the work stood still may be caught up for so long, no longer. */
const burstMs = 200;

/** Holds a background work to so many bytes a second. */
export class BytePace {
  readonly #options: BytePaceOptions;
  /** When all bytes so far are paid for, on the monotonic clock. */
  #paidAtMs = 0;

  constructor(options: BytePaceOptions) {
    this.#options = options;
  }

  /**
   * Counts bytes that were read, and waits until they may have been.
   *
   * @throws the signal's reason once it is aborted.
   */
  async spend(sizeBytes: number): Promise<void> {
    const { bytesPerSecond, clock, sleep, signal } = this.#options;
    signal.throwIfAborted();
    if (bytesPerSecond === undefined) return;
    const nowMs = clock.monotonicMs();
    this.#paidAtMs = Math.max(this.#paidAtMs, nowMs - burstMs) + (sizeBytes / bytesPerSecond) * 1e3;
    if (this.#paidAtMs <= nowMs) return;
    await sleep(this.#paidAtMs - nowMs, signal);
    signal.throwIfAborted();
  }
}
