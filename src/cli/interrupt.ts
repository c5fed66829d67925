/** Aborted when somebody gives up waiting: Ctrl-C, or SIGTERM of a service manager. */
export function interruptSignal(): AbortSignal {
  const ends = new AbortController();
  const interrupt = (): void => ends.abort(new Error("interrupted"));
  process.once("SIGINT", interrupt);
  process.once("SIGTERM", interrupt);
  return ends.signal;
}
