/** Time as its only owner gives it. Tests pass a clock of their own. */
export interface Clock {
  /** Milliseconds since 1970, UTC. May step backwards when the machine's clock is set. */
  nowMs(): number;
  /** Milliseconds from an arbitrary start; never steps backwards. For durations. */
  monotonicMs(): number;
}

export const systemClock: Clock = {
  nowMs: () => Date.now(),
  monotonicMs: () => performance.now(),
};
