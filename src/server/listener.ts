import type { Clock } from "../base/clock.ts";
import type { Logger } from "../base/logger.ts";
import type { HttpConfig, ListenConfig } from "../config/config.ts";
import type { Peer } from "../http/forwarded.ts";
import { addressOf } from "./listen-problem.ts";
import type { Every } from "./periodic.ts";

/** Answers one request of the API. Never rejects. */
export type Answer = (request: Request, peer: Peer) => Promise<Response>;

export interface ListenOptions {
  readonly http: HttpConfig;
  readonly answer: Answer;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly every: Every;
  /** The descriptor of a socket that is open already, in the place of `http.addr`. */
  readonly activatedSocket: number | undefined;
}

export interface Listener {
  /** As a client would write it, without a path: `http://127.0.0.1:5000`, `unix:/run/berth.sock`. */
  readonly origin: string;
  /** Looks at once whether the certificate's files have changed; does nothing without TLS. */
  renewCertificate(): void;
  /**
   * Takes no new connection, closes the idle ones and waits for the open requests; `isNow` ends
   * them. It may be called again with `isNow` while it waits.
   */
  stop(isNow: boolean): Promise<void>;
}

/** How often the files of a certificate are looked at. Authorities renew days before the end. */
export const watchIntervalMs = 10_000;

/** On a socket for both families an IPv4 peer comes mapped; people know it by its own form. */
export function peerAddress(address: string): string {
  return address.replace(/^::ffff:/, "");
}

export function originAt(listen: ListenConfig, isTls: boolean): string {
  if (listen.kind === "unix") return `unix:${listen.path}`;
  const scheme = isTls ? "https" : "http";
  return `${scheme}://${addressOf({ ...listen, host: listen.host ?? "localhost" })}`;
}
