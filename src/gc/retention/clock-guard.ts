import type { Clock } from "../../base/clock.ts";
import type { MetadataStore } from "../../metadata/metadata-store.ts";

const stateKey = "retention.lastrun";

/** The wall clock may differ so much from the time that has passed, by corrections of NTP. */
const leapMsMax = 10 * 60_000;

/** After so long a standstill nobody can have pulled anything, which is no sign of disuse. */
const standstillMsMax = 30 * 86_400_000;

/**
 * Keeps rules that count days from running on a clock that is wrong: what seems unused for years
 * was perhaps pulled this morning. A run that is refused leaves its stamp, so that the next one
 * goes, an interval later, if the clock has been right since: time for a person to look.
 */
export class ClockGuard {
  readonly #clock: Clock;
  readonly #metadata: MetadataStore;
  #baseline: Baseline;

  constructor(clock: Clock, metadata: MetadataStore) {
    this.#clock = clock;
    this.#metadata = metadata;
    this.#baseline = baselineOf(clock);
  }

  /** Leaves the stamp of a run. Undefined when it may go, else why not, as a sentence's end. */
  async begin(): Promise<string | undefined> {
    const leap = this.leap();
    this.#baseline = baselineOf(this.#clock);
    const stamp = await this.#metadata.readState(stateKey);
    const { nowMs } = this.#baseline;
    await this.#metadata.writeState(stateKey, String(nowMs));
    if (leap !== undefined) return leap;
    if (stamp === undefined) return undefined;
    const passedMs = nowMs - Number(stamp);
    if (passedMs < 0) return `the last run was at ${timeOf(Number(stamp))}, which is yet to come`;
    return passedMs > standstillMsMax
      ? `the last run was at ${timeOf(Number(stamp))}, more than 30 days ago`
      : undefined;
  }

  /** Why the clock cannot be trusted since the last look; asked during a run too. */
  leap(): string | undefined {
    const now = baselineOf(this.#clock);
    const passedMs = now.monotonicMs - this.#baseline.monotonicMs;
    const leapMs = now.nowMs - this.#baseline.nowMs - passedMs;
    if (Math.abs(leapMs) <= leapMsMax) return undefined;
    const minutes = Math.round(Math.abs(leapMs) / 60_000);
    return `the clock went ${minutes} minutes ${leapMs > 0 ? "forward" : "back"}`;
  }
}

interface Baseline {
  readonly nowMs: number;
  readonly monotonicMs: number;
}

function baselineOf(clock: Clock): Baseline {
  return { nowMs: clock.nowMs(), monotonicMs: clock.monotonicMs() };
}

function timeOf(ms: number): string {
  return new Date(ms).toISOString();
}
