/** The door to Bun.serve: the limits and habits that every server of this process shares. */
import type { ListenConfig } from "../config/config.ts";
import type { Every } from "./periodic.ts";
import type { TlsOptions } from "./tls-options.ts";

export type Server = Bun.Server<undefined>;

export interface ServerOptions {
  readonly listen: ListenConfig;
  readonly fetch: (request: Request, server: Server) => Response | Promise<Response>;
  /** With it, further servers may open the same port. */
  readonly tls: TlsOptions | undefined;
  readonly isHttp2: boolean;
}

/** A blob may be as large as it likes; everything else is limited where it is read. */
const bodyBytesMax = Number.MAX_SAFE_INTEGER;
/** Seconds in which a connection has to move something; the most that the server takes. */
const idleTimeoutSeconds = 255;

/** Lets the connection of `request` be idle for as long again as at its beginning. */
export function keepOpen(server: Server, request: Request): void {
  server.timeout(request, idleTimeoutSeconds);
}

/** @throws the system's error when the address cannot be opened. */
export function openServer({ listen, fetch, tls, isHttp2 }: ServerOptions): Server {
  const common = {
    fetch,
    maxRequestBodySize: bodyBytesMax,
    idleTimeout: idleTimeoutSeconds,
    // Otherwise an error is answered with a page of sources.
    development: false,
    ...(tls !== undefined && { tls }),
  };
  if (listen.kind === "unix") {
    // @ts-expect-error Bun's types leave idleTimeout out for a Unix socket; it counts there too.
    return Bun.serve({ ...common, unix: listen.path });
  }
  return Bun.serve({
    ...common,
    port: listen.port,
    ...(listen.host !== undefined && { hostname: listen.host }),
    // Always said: without it, a server that is not for development shares its port with anyone.
    reusePort: tls !== undefined,
    ...(isHttp2 && { http2: true }),
  });
}

/** Milliseconds in which a handshake, or a connection on its way, comes to its end. */
const handshakeMs = 1_000;

/**
 * Drains a server that another one has taken the place of; not at once, because its end resets
 * what the kernel has queued for it, and every handshake that is under way.
 */
export async function retireServer(server: Server, every: Every): Promise<void> {
  const { promise: waited, resolve } = Promise.withResolvers<void>();
  const stopWaiting = every(handshakeMs, resolve);
  await waited;
  stopWaiting();
  await drainServer(server, every);
}

const drainLookIntervalMs = 100;
/** Looks in a row that find no request: by then a request on its way has arrived. */
const quietLooksMin = 10;

/**
 * Takes no new connection, closes the idle ones and waits for the requests that are open.
 *
 * A connection that never carried a request, as browsers open in advance, is left open by Bun
 * until it has been idle for minutes; here it is closed when no request is left.
 */
export async function drainServer(server: Server, every: Every): Promise<void> {
  let quietLooks = 0;
  const stopLooking = every(drainLookIntervalMs, () => {
    quietLooks = server.pendingRequests === 0 ? quietLooks + 1 : 0;
    if (quietLooks === quietLooksMin) void server.stop(true);
  });
  try {
    await server.stop(false);
  } finally {
    stopLooking();
  }
}
