import { BlockList, isIP } from "node:net";
import { isHost } from "./host.ts";

/** Where a request comes from, as the socket says. */
export interface Peer {
  /** Its address, empty on a Unix socket. Asked only when needed: the runtime looks it up. */
  readonly address: () => string;
  readonly isTls: boolean;
  /** Gives the connection its idle time anew: for a body that comes slowly but comes. */
  readonly keepOpen: () => void;
}

/**
 * Whose `X-Forwarded-*` and `Forwarded` headers count. As in Distribution everybody's, until
 * `http.trustedproxies` names the proxies.
 */
export interface ProxyTrust {
  isTrusted(address: string): boolean;
}

/** Trust in the networks of `cidrs`; undefined trusts everybody. */
export function proxyTrust(cidrs: readonly string[] | undefined): ProxyTrust {
  if (cidrs === undefined) return { isTrusted: () => true };
  const list = new BlockList();
  for (const cidr of cidrs) {
    const [address = "", bits] = cidr.split("/");
    const family = isIP(address) === 6 ? "ipv6" : "ipv4";
    const length = bits === undefined ? (family === "ipv6" ? 128 : 32) : Number(bits);
    list.addSubnet(address, length, family);
  }
  return {
    isTrusted(address) {
      // A Unix socket has no address: whoever may open it is on this machine.
      if (address === "") return true;
      const plain = address.startsWith("::ffff:") ? address.slice(7) : address;
      return isIP(plain) !== 0 && list.check(plain, isIP(plain) === 6 ? "ipv6" : "ipv4");
    },
  };
}

/** What a request arrived with. */
interface Arrival {
  readonly headers: Headers;
  readonly peer: Peer;
  /** As the Host header said. */
  readonly host: string;
}

/**
 * The client behind a request, on its side of the proxies. Anything malformed in the headers is
 * passed over. Looked at only when asked: a pull needs none of it.
 */
export class Client {
  readonly #arrival: Arrival;
  readonly #trust: ProxyTrust;
  #said: Said | undefined;
  #address: string | undefined;

  constructor(arrival: Arrival, trust: ProxyTrust) {
    this.#arrival = arrival;
    this.#trust = trust;
  }

  /** Empty on a Unix socket. Looked up once: a connection that is gone has none any more. */
  get address(): string {
    this.#address ??= this.#forwarded().address ?? this.#arrival.peer.address();
    return this.#address;
  }

  /** `scheme://host` as the client sees this registry. */
  get origin(): string {
    const { peer, host } = this.#arrival;
    const said = this.#forwarded();
    const proto = said.proto?.toLowerCase();
    const scheme = proto === "http" || proto === "https" ? proto : undefined;
    const saidHost = said.host !== undefined && isHost(said.host) ? said.host : host;
    return `${scheme ?? (peer.isTls ? "https" : "http")}://${saidHost}`;
  }

  /** What the proxies say, if they may be believed. */
  #forwarded(): Said {
    if (this.#said !== undefined) return this.#said;
    const { headers, peer } = this.#arrival;
    const forwarded = headers.get("forwarded");
    const proto = headers.get("x-forwarded-proto");
    const host = headers.get("x-forwarded-host");
    const address = headers.get("x-forwarded-for");
    const realAddress = headers.get("x-real-ip");
    const isForwarded = (forwarded ?? proto ?? host ?? address ?? realAddress) !== null;
    if (!isForwarded || !this.#trust.isTrusted(peer.address())) {
      this.#said = {};
    } else {
      const standard = parseForwarded(forwarded);
      this.#said = {
        proto: firstOf(proto) ?? standard.proto,
        host: firstOf(host) ?? standard.host,
        // X-Real-IP last: a proxy that writes one of the others may pass on a client's own.
        address:
          this.#farthest(address?.split(",") ?? standard.addresses) ?? addressIn(realAddress ?? ""),
      };
    }
    return this.#said;
  }

  /**
   * Of the addresses that the request has come through, the one behind the last proxy that is
   * trusted: each proxy adds at the end what it saw, and a client may have begun the list itself.
   */
  #farthest(hops: readonly string[]): string | undefined {
    let farthest: string | undefined;
    for (const hop of hops.toReversed()) {
      const address = addressIn(hop);
      if (address === undefined) break;
      farthest = address;
      if (!this.#trust.isTrusted(address)) break;
    }
    return farthest;
  }
}

interface Said {
  readonly proto?: string | undefined;
  readonly host?: string | undefined;
  readonly address?: string | undefined;
}

/** The address in `hop`, which may have a port, and brackets around an IPv6 address. */
function addressIn(hop: string): string | undefined {
  const match = /^(?:\[([^\]]+)\]|([0-9.]+))(?::[0-9]+)?$/.exec(hop.trim());
  const address = match?.[1] ?? match?.[2] ?? hop.trim();
  return isIP(address) === 0 ? undefined : address;
}

/** Each proxy adds at the end: the first is what the client asked. */
function firstOf(header: string | null): string | undefined {
  const first = header?.split(",")[0]?.trim();
  return first === undefined || first === "" ? undefined : first;
}

/**
 * A `Forwarded` header (RFC 7239): what its first element says, and the addresses of all. What is
 * malformed is left out.
 */
function parseForwarded(header: string | null): {
  readonly proto: string | undefined;
  readonly host: string | undefined;
  readonly addresses: readonly string[];
} {
  const elements = header?.split(",").map(pairsOf) ?? [];
  return {
    proto: elements[0]?.get("proto"),
    host: elements[0]?.get("host"),
    addresses: elements.map((pairs) => pairs.get("for") ?? ""),
  };
}

function pairsOf(element: string): ReadonlyMap<string, string> {
  const found = new Map<string, string>();
  for (const pair of element.split(";")) {
    const match = /^\s*([a-z]+)\s*=\s*(?:"([^"]*)"|([^\s"]+))\s*$/i.exec(pair);
    const key = match?.[1]?.toLowerCase();
    if (key !== undefined && !found.has(key)) found.set(key, match?.[2] ?? match?.[3] ?? "");
  }
  return found;
}
