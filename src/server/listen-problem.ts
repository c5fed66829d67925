import { codeOf, messageOf } from "../base/errors.ts";
import type { ListenConfig } from "../config/config.ts";

/** Where and for which key of the configuration something listens. */
export interface Place {
  readonly key: "http.addr" | "http.debug.addr" | "the control socket";
  readonly listen: ListenConfig;
}

/** A port that only a privileged process may open, unless the system says otherwise. */
const firstFreePort = 1_024;

/** Why a socket could not be opened, in a sentence that says what to do. */
export function listenProblem(cause: unknown, { key, listen }: Place): Error {
  const where = addressOf(listen);
  const why = sentences[codeOf(cause)]?.(listen) ?? messageOf(cause);
  return new Error(`cannot listen on ${where}: ${why} (${key})`, { cause });
}

/** An address as the configuration writes it. */
export function addressOf(listen: ListenConfig): string {
  if (listen.kind === "unix") return listen.path;
  const host = listen.host ?? "";
  return `${host.includes(":") ? `[${host}]` : host}:${listen.port}`;
}

const sentences: Readonly<Record<string, (listen: ListenConfig) => string>> = {
  EADDRINUSE: (listen) =>
    listen.kind === "unix"
      ? "there is something else at this path. Move it away, or choose another path"
      : "another program uses this port. Stop it (ss -ltnp shows which one it is), " +
        "or choose another port",
  EACCES: (listen) => {
    if (listen.kind === "unix") return "this user may not create files in that folder";
    return listen.port < firstFreePort
      ? `ports below ${firstFreePort} are for privileged programs. Choose another port such as ` +
          ":5000, or give this one the capability CAP_NET_BIND_SERVICE"
      : "this user may not open this port";
  },
  EADDRNOTAVAIL: () =>
    "this machine has no such address. Choose one of its own, or leave the host away for all",
  ENOENT: (listen) =>
    listen.kind === "unix"
      ? "the folder of the socket is not there. Create it first"
      : "this name has no address. Write an address of this machine, or leave the host away for all",
  ENAMETOOLONG: () => "the path of a socket has at most 107 bytes",
};
