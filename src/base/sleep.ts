import { setTimeout as sleepFor } from "node:timers/promises";

/** Resolves after `delayMs`, or earlier when the signal is aborted. */
export type Sleep = (delayMs: number, signal: AbortSignal) => Promise<void>;

export const systemSleep: Sleep = async (delayMs, signal) => {
  await sleepFor(delayMs, undefined, { signal, ref: false }).catch(() => undefined);
};
