import { BlockList, isIP } from "node:net";

/** A peer's address, as the socket says; empty on a Unix socket. */
export interface ClientAddress {
  readonly address: string;
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

/**
 * The origin (`scheme://host`) and address that the client has on its side of the proxies.
 * Anything malformed in the headers is passed over.
 */
export function originOf(
  headers: Headers,
  peer: ClientAddress & { readonly isTls: boolean; readonly host: string },
  trust: ProxyTrust,
): { readonly origin: string; readonly address: string } {
  const scheme = peer.isTls ? "https" : "http";
  const direct = { origin: `${scheme}://${peer.host}`, address: peer.address };
  const forwarded = headers.get("forwarded");
  const forwardedProto = headers.get("x-forwarded-proto");
  const forwardedHost = headers.get("x-forwarded-host");
  const forwardedFor = headers.get("x-forwarded-for");
  if (
    forwarded === null &&
    forwardedProto === null &&
    forwardedHost === null &&
    forwardedFor === null
  ) {
    return direct;
  }
  if (!trust.isTrusted(peer.address)) return direct;
  const standard = parseForwarded(forwarded);
  const proto = firstOf(forwardedProto) ?? standard.proto;
  const host = firstOf(forwardedHost) ?? standard.host;
  const clientAddress = firstOf(forwardedFor) ?? standard.for;
  const chosenScheme = proto === "http" || proto === "https" ? proto : scheme;
  const chosenHost = host !== undefined && hostPattern.test(host) ? host : peer.host;
  return {
    origin: `${chosenScheme}://${chosenHost}`,
    address:
      clientAddress !== undefined && isIP(clientAddress) !== 0 ? clientAddress : peer.address,
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
