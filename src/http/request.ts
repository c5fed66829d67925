import { RegistryError } from "../oci/problems.ts";
import type { Client } from "./forwarded.ts";
import { isHost } from "./host.ts";

/** A request as the wire reads it, once: nothing after this looks at the raw target again. */
export interface WireRequest {
  readonly method: string;
  /** Decoded path, below the configured prefix; starts with `/`. */
  readonly path: string;
  readonly query: URLSearchParams;
  readonly headers: Headers;
  readonly body: ReadableStream<Uint8Array> | null;
  /** The client, behind the proxies that are trusted. */
  readonly client: Client;
  /** As the peer's. */
  readonly keepOpen: () => void;
}

const noQuery = new URLSearchParams();

/** Where a request goes: the path and query of its target, and the host that it names. */
export interface Target {
  readonly host: string;
  readonly path: string;
  readonly query: URLSearchParams;
}

/**
 * Takes the request's URL apart, as the server built it from target and Host header.
 *
 * Written by hand because a hostile Host makes `new URL()` throw, and because two parsers that
 * disagree are how paths get past a check.
 *
 * @throws {RegistryError} `hostInvalid`, `uriTooLong`, `pathInvalid`.
 */
export function parseTarget(url: string, lengthMax: number, headers: Headers): Target {
  if (url.length > lengthMax + 300) throw new RegistryError("uriTooLong", { max: lengthMax });
  // HTTP/1.0 has no Host, and the health checks of load balancers speak it. A bare target that
  // came with one means that it could not be used.
  if (url.startsWith("/") && headers.get("host") === null) {
    return targetIn(url, { pathStart: 0, host: "localhost", lengthMax });
  }
  const hostStart = url.indexOf("://") + 3;
  const pathStart = url.indexOf("/", hostStart);
  if (hostStart < 3 || hostStart > 8 || pathStart === -1) throw new RegistryError("hostInvalid");
  const host = url.slice(hostStart, pathStart);
  if (!isHost(host)) throw new RegistryError("hostInvalid");
  return targetIn(url, { pathStart, host, lengthMax });
}

/** The target that `url` names from `pathStart` on. */
function targetIn(
  url: string,
  found: { readonly pathStart: number; readonly host: string; readonly lengthMax: number },
): Target {
  const { pathStart, host, lengthMax } = found;
  if (url.length - pathStart > lengthMax) {
    throw new RegistryError("uriTooLong", { max: lengthMax });
  }
  const queryStart = url.indexOf("?", pathStart);
  const pathEnd = queryStart === -1 ? url.length : queryStart;
  return {
    host,
    path: decodePath(url.slice(pathStart, pathEnd)),
    query: queryStart === -1 ? noQuery : new URLSearchParams(url.slice(queryStart + 1)),
  };
}

function decodePath(path: string): string {
  if (!path.includes("%")) return path;
  try {
    return decodeURIComponent(path);
  } catch (cause) {
    throw new RegistryError("pathInvalid", { path }, { cause });
  }
}

/** The declared length of the body in bytes; undefined for a chunked or absent one. */
export function contentLengthOf(headers: Headers): number | undefined {
  const text = headers.get("content-length");
  if (text === null) return undefined;
  const length = /^\d+$/.test(text) ? Number(text) : Number.NaN;
  if (!Number.isSafeInteger(length)) {
    throw new RegistryError("bodyInvalid", { why: "Content-Length is not a number" });
  }
  return length;
}

/**
 * Bytes that a client has to send in the idle time of a connection, or it is cut off.
 *
 * Bun lets only those go on who send 16 KiB a second (measured with 1.4.5: 15 KiB/s was cut at the
 * end of the idle time, 18 KiB/s was not), which breaks five layers that share an uplink of half
 * a megabit. With an idle time of 255 s this asks for 1 KiB a second.
 */
const paceBytes = 256 << 10;

/**
 * The body in pieces, exactly as long as it was declared.
 *
 * A client that disconnects can end its body without an error, so the pieces are counted.
 *
 * @throws {RegistryError} `uploadIncomplete` when fewer bytes came than `declaredBytes`.
 */
export async function* readBody(
  request: WireRequest,
  declaredBytes: number | undefined,
): AsyncGenerator<Uint8Array> {
  let received = 0;
  let sincePace = 0;
  try {
    for await (const piece of request.body ?? []) {
      received += piece.byteLength;
      sincePace += piece.byteLength;
      if (sincePace >= paceBytes) {
        sincePace = 0;
        request.keepOpen();
      }
      yield piece;
    }
  } catch (cause) {
    if (cause instanceof RegistryError) throw cause;
    const expected = declaredBytes ?? "more";
    throw new RegistryError("uploadIncomplete", { actual: received, expected }, { cause });
  }
  if (declaredBytes !== undefined && received !== declaredBytes) {
    throw new RegistryError("uploadIncomplete", { actual: received, expected: declaredBytes });
  }
}
