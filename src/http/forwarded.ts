import { BlockList, isIP } from "node:net";

/** Where a request comes from, as the socket says. */
export interface Peer {
  /** Its address, empty on a Unix socket. Asked only when needed: the runtime looks it up. */
  readonly address: () => string;
  readonly isTls: boolean;
}

/** The client on its side of the proxies. */
export interface Client {
  readonly address: () => string;
  /** `scheme://host` as it sees this registry. */
  readonly origin: string;
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

/** The client behind a request. Anything malformed in the headers is passed over. */
export function clientOf(
  headers: Headers,
  direct: { readonly peer: Peer; readonly host: string },
  trust: ProxyTrust,
): Client {
  const { peer, host } = direct;
  const scheme = peer.isTls ? "https" : "http";
  const forwarded = headers.get("forwarded");
  const proto = headers.get("x-forwarded-proto");
  const forwardedHost = headers.get("x-forwarded-host");
  const forwardedFor = headers.get("x-forwarded-for");
  const isForwarded = (forwarded ?? proto ?? forwardedHost ?? forwardedFor) !== null;
  if (!isForwarded || !trust.isTrusted(peer.address())) {
    return { origin: `${scheme}://${host}`, address: peer.address };
  }
  const standard = parseForwarded(forwarded);
  const saidProto = firstOf(proto) ?? standard.proto;
  const saidHost = firstOf(forwardedHost) ?? standard.host;
  const saidAddress = firstOf(forwardedFor) ?? standard.for;
  const isProto = saidProto === "http" || saidProto === "https";
  const isHost = saidHost !== undefined && hostPattern.test(saidHost);
  const isAddress = saidAddress !== undefined && isIP(saidAddress) !== 0;
  return {
    origin: `${isProto ? saidProto : scheme}://${isHost ? saidHost : host}`,
    address: isAddress ? () => saidAddress : peer.address,
  };
}

const hostPattern = /^(?:[A-Za-z0-9._~-]+|\[[0-9A-Fa-f:.]+\])(?::[0-9]{1,5})?$/;

/** Each proxy adds at the end: the first is what the client asked. */
function firstOf(header: string | null): string | undefined {
  const first = header?.split(",")[0]?.trim();
  return first === undefined || first === "" ? undefined : first;
}

/** The first element of a `Forwarded` header (RFC 7239); what is malformed is left out. */
function parseForwarded(header: string | null): {
  readonly proto?: string;
  readonly host?: string;
  readonly for?: string;
} {
  const first = firstOf(header);
  const found: Record<string, string> = {};
  for (const pair of first?.split(";") ?? []) {
    const match = /^\s*([a-z]+)\s*=\s*(?:"([^"]*)"|([^\s"]+))\s*$/i.exec(pair);
    const key = match?.[1]?.toLowerCase();
    if (key !== undefined) found[key] ??= match?.[2] ?? match?.[3] ?? "";
  }
  return found;
}
