/**
 * Runs `work` every `intervalMs` until the function that it hands back is called. The real one
 * keeps no process alive; tests pass one that they turn by hand.
 */
export type Every = (intervalMs: number, work: () => void) => () => void;

export const systemEvery: Every = (intervalMs, work) => {
  const timer = setInterval(work, intervalMs);
  timer.unref();
  return () => clearInterval(timer);
};
