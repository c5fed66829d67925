/**
 * Runs `work` every `intervalMs` until the function that it hands back is called. The real one
 * keeps no process alive; tests pass one that they turn by hand.
 */
export type Every = (intervalMs: number, work: () => void) => () => void;

/** The longest time that a timer can wait; a longer one would fire at once, again and again. */
export const timerMsMax = 2 ** 31 - 1;

export const systemEvery: Every = (intervalMs, work) => {
  const timer = setInterval(work, intervalMs);
  timer.unref();
  return () => clearInterval(timer);
};
