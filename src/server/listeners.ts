import { unlinkSync } from "node:fs";
import type { HttpConfig } from "../config/config.ts";
import type { Peer } from "../http/forwarded.ts";
import type { Wire } from "../http/wire.ts";

/** A blob may be as large as it likes; everything else is limited where it is read. */
const bodyBytesMax = Number.MAX_SAFE_INTEGER;
/** Seconds in which a connection has to move at least a byte; the most that the server takes. */
const idleTimeoutSeconds = 255;

export interface Listener {
  /** As a client would write it, without a path: `http://127.0.0.1:5000`, `unix:/run/berth.sock`. */
  readonly origin: string;
  /** Takes no new connection and waits for the open requests; `now` ends them. */
  stop(now: boolean): Promise<void>;
}

/** Starts to answer requests where the configuration says. */
export function listen(http: HttpConfig, wire: Wire): Listener {
  const { listen: where } = http;
  const fetch = (request: Request, server: Bun.Server<undefined>): Promise<Response> =>
    wire.answer(request, peerOf(request, server));
  const common = { maxRequestBodySize: bodyBytesMax, idleTimeout: idleTimeoutSeconds };
  if (where.kind === "unix") {
    removeStaleSocket(where.path);
    const server = Bun.serve({ maxRequestBodySize: bodyBytesMax, unix: where.path, fetch });
    return { origin: `unix:${where.path}`, stop: (now) => server.stop(now) };
  }
  const server = Bun.serve({
    ...common,
    port: where.port,
    ...(where.host !== undefined && { hostname: where.host }),
    fetch,
  });
  const host = where.host ?? "localhost";
  const shown = host.includes(":") ? `[${host}]` : host;
  return { origin: `http://${shown}:${server.port}`, stop: (now) => server.stop(now) };
}

function peerOf(request: Request, server: Bun.Server<undefined>): Peer {
  return {
    // On a socket for both families an IPv4 peer comes mapped; people know it by its own form.
    address: () => server.requestIP(request)?.address.replace(/^::ffff:/, "") ?? "",
    isTls: false,
  };
}

/** A socket that an earlier process left behind would keep this one from listening. */
function removeStaleSocket(path: string): void {
  try {
    unlinkSync(path);
  } catch {
    // There was none: the usual case. Anything else shows when the socket is opened.
  }
}
