/**
 * The ground that every room stands on: time, randomness, log lines and measurements as
 * interfaces that are passed in, and small tools for bytes, locks and certificates. It refuses to
 * know anything of registries; this file and `random.ts` are the only owners of what they give.
 */

/** Time as its only owner gives it. Tests pass a clock of their own. */
export interface Clock {
  /** Milliseconds since 1970, UTC. May step backwards when the machine's clock is set. */
  nowMs(): number;
  /** Milliseconds from an arbitrary start; never steps backwards. For durations. */
  monotonicMs(): number;
}

/**
 * `clock` for what judges how old something is: a step forward, from now on, is not believed.
 *
 * The machine's clock may jump by years when it is set, and everything would seem old at once. Time
 * that has passed is measured instead; a step back is believed, because it makes nothing older.
 */
export function patientClock(clock: Clock): Clock {
  const aheadMs = clock.nowMs() - clock.monotonicMs();
  return {
    nowMs: () => Math.min(clock.nowMs(), clock.monotonicMs() + aheadMs),
    monotonicMs: () => clock.monotonicMs(),
  };
}

export const systemClock: Clock = {
  nowMs: () => Date.now(),
  monotonicMs: () => performance.now(),
};
