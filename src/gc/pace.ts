import type { Clock } from "../base/clock.ts";
import { systemSleep } from "../base/sleep.ts";
import { nextTurn } from "../base/turns.ts";

/** Waits until so many blobs more may be looked at. */
export type Pace = (count: number) => Promise<void>;

/** For a person who waits: as fast as it goes, with a breath for requests now and then. */
export const fullSpeed: Pace = nextTurn;

/** At most `rate` a second, counted from the last wait, so that a pause saves nothing up. */
export function steadyPace(rate: number, clock: Clock, signal: AbortSignal): Pace {
  let freeAtMs = 0;
  return async (count) => {
    const nowMs = clock.monotonicMs();
    const waitMs = Math.max(0, freeAtMs - nowMs);
    freeAtMs = Math.max(freeAtMs, nowMs) + (count * 1_000) / rate;
    if (waitMs > 0) await systemSleep(waitMs, signal);
  };
}
