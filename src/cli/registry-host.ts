import { isIP } from "node:net";

/** A host that clients will call the registry by, as a person types it. */
export interface RegistryHost {
  /** A DNS name in lower case or an IP address, without brackets. */
  readonly name: string;
  readonly isAddress: boolean;
  readonly port: number;
}

export const portMax = 65_535;
const nameLengthMax = 253;
/** With underscores, which DNS has not, but Docker networks have; a star only as the first label. */
const dnsName =
  /^(?:\*\.)?[a-z0-9_](?:[a-z0-9_-]*[a-z0-9_])?(?:\.[a-z0-9_](?:[a-z0-9_-]*[a-z0-9_])?)*$/;
const labelLengthMax = 63;

/**
 * The host that `text` spells: a DNS name, an IPv4 address or an IPv6 address, with a port
 * behind it or the default one; undefined when it is none. An IPv6 address with a port is
 * written in brackets.
 */
export function parseRegistryHost(text: string, defaultPort: number): RegistryHost | undefined {
  if (isIP(text) === 6) return hostAtIpv6(text, defaultPort);
  const parts = /^(?:\[([0-9A-Fa-f:.]+)\]|([^:[\]]+))(?::([0-9]{1,5}))?$/.exec(text);
  if (parts === null) return undefined;
  const [, bracketed, plain = "", digits] = parts;
  const port = digits === undefined ? defaultPort : Number(digits);
  if (!isPort(port)) return undefined;
  if (bracketed !== undefined) return hostAtIpv6(bracketed, port);
  const name = plain.toLowerCase();
  if (isIP(name) === 4) return { name, isAddress: true, port };
  return isDnsName(name) ? { name, isAddress: false, port } : undefined;
}

/**
 * In the one form that everybody reads alike: with its end written as IPv4, a certificate would get
 * another address. A zone, as in fe80::1%eth0, is a matter of one machine.
 */
function hostAtIpv6(text: string, port: number): RegistryHost | undefined {
  if (isIP(text) !== 6 || text.includes("%")) return undefined;
  const name = new URL(`http://[${text}]/`).hostname.slice(1, -1);
  return { name, isAddress: true, port };
}

export function isPort(port: number): boolean {
  return port >= 1 && port <= portMax;
}

/** Four numbers that are no address, such as 300.1.1.1, are no name either. */
function isDnsName(name: string): boolean {
  return (
    name.length <= nameLengthMax &&
    dnsName.test(name) &&
    name.split(".").every((label) => label.length <= labelLengthMax) &&
    !/^[0-9.]+$/.test(name)
  );
}

/** The host as it stands in the name of an image and in a URL: the port of https is left out. */
export function formatRegistryHost({ name, isAddress, port }: RegistryHost): string {
  const host = isAddress && name.includes(":") ? `[${name}]` : name;
  return port === 443 ? host : `${host}:${port}`;
}
