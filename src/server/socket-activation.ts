/** The first file descriptor that a service manager hands over (sd_listen_fds(3)). */
const firstDescriptor = 3;

/**
 * The descriptor of the socket that systemd, or whoever speaks its protocol, has opened for this
 * process; undefined when there is none. It takes the place of `http.addr`, as in Distribution.
 *
 * @throws {Error} when there is more than one: which of them is meant cannot be known.
 */
export function activatedSocket(
  environment: Readonly<Record<string, string | undefined>>,
  processId: number,
): number | undefined {
  const { LISTEN_PID: owner, LISTEN_FDS: count } = environment;
  // Another process's variables are inherited by its children, and mean nothing to them.
  if (owner !== String(processId) || count === undefined || count === "0") return undefined;
  if (count !== "1") {
    throw new Error(
      `the service manager handed over ${count} sockets (LISTEN_FDS), and the registry takes ` +
        "exactly one: keep a single ListenStream= in the socket unit",
    );
  }
  return firstDescriptor;
}
