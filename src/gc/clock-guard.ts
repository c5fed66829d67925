import type { Clock } from "../base/clock.ts";

/** A difference that slow ticks and the slewing of a clock do not make. */
const stepMsMin = 60_000;
/** A clock may be behind the stamp of an earlier run by this much without harm. */
const backwardsMsMax = 60_000;
/** A process that begins so long after the last run was off, or its clock is wrong. */
const standstillMsMax = 30 * 86_400_000;

const untilWhen = "ages are believed again after the grace time";

export interface ClockGuardOptions {
  readonly clock: Clock;
  /** How long ages mean nothing after a step: the longest that collection waits for anything. */
  readonly holdMs: number;
}

/**
 * Whether ages may be believed. What collection waits for is counted by the wall clock, because
 * it outlives the process, and somebody may set that clock: ten years forward would end every
 * grace at once. A step shows as a difference between the wall clock and the monotonic one;
 * from then on nothing is collected for the longest grace, by the monotonic clock. So it is from
 * the beginning of a process that finds the last run of an earlier one in the future, or months
 * ago.
 */
export class ClockGuard {
  readonly #options: ClockGuardOptions;
  readonly #began: { readonly wallMs: number; readonly monotonicMs: number };
  #wallMs: number;
  #monotonicMs: number;
  #heldUntilMs = 0;
  /** A stamp from the future that the hold of its own was begun for. */
  #futureRunMs: number | undefined;

  constructor(options: ClockGuardOptions) {
    this.#options = options;
    const { clock } = options;
    this.#began = { wallMs: clock.nowMs(), monotonicMs: clock.monotonicMs() };
    this.#wallMs = this.#began.wallMs;
    this.#monotonicMs = this.#began.monotonicMs;
  }

  /**
   * Why nothing may be collected now, or undefined. Asked before every step.
   *
   * @param lastRunMs the wall clock at the end of the last run of any process, if there was one.
   */
  problem(lastRunMs: number | undefined): string | undefined {
    const { clock, holdMs } = this.#options;
    const wallMs = clock.nowMs();
    const monotonicMs = clock.monotonicMs();
    const stepMs = wallMs - this.#wallMs - (monotonicMs - this.#monotonicMs);
    this.#wallMs = wallMs;
    this.#monotonicMs = monotonicMs;
    if (Math.abs(stepMs) >= stepMsMin) this.#heldUntilMs = monotonicMs + holdMs;
    const isBehind = lastRunMs !== undefined && wallMs < lastRunMs - backwardsMsMax;
    if (isBehind && this.#futureRunMs !== lastRunMs) {
      // Held as for a step, not until that time comes: it may be ten years off.
      this.#futureRunMs = lastRunMs;
      this.#heldUntilMs = monotonicMs + holdMs;
    }
    const isAhead =
      lastRunMs !== undefined &&
      this.#began.wallMs > lastRunMs + standstillMsMax &&
      monotonicMs < this.#began.monotonicMs + holdMs;
    if ((isBehind && monotonicMs < this.#heldUntilMs) || isAhead) {
      return `the clock says ${iso(wallMs)}, and the last run was at ${iso(lastRunMs)}; ${untilWhen}`;
    }
    if (monotonicMs >= this.#heldUntilMs) return undefined;
    return `the clock was set while the registry ran; ${untilWhen}`;
  }
}

function iso(ms: number): string {
  return new Date(ms).toISOString();
}
