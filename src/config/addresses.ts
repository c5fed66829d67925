/** Addresses, networks, URLs and headers as a configuration writes them. Pure. */

/** `host:port`, `:port` or `[address]:port`; undefined when it is none of them. */
export function parseHostPort(
  text: string,
): { readonly host?: string; readonly port: number } | undefined {
  const parts = /^(?:\[([^[\]]+)\]|([^:[\]/\s]*)):(\d{1,5})$/.exec(text);
  if (parts === null) return undefined;
  const [, bracketed, plain, digits] = parts;
  const port = Number(digits);
  if (port > 65_535) return undefined;
  if (bracketed !== undefined && !isIpv6(bracketed)) return undefined;
  const host = bracketed ?? plain ?? "";
  return host === "" ? { port } : { host, port };
}

/** An IP address, or one with the length of a prefix: `10.0.0.0/8`, `::1`. */
export function isNetwork(text: string): boolean {
  const [address = "", prefix, ...more] = text.split("/");
  if (more.length > 0) return false;
  const bitsMax = isIpv4(address) ? 32 : isIpv6(address) ? 128 : undefined;
  if (bitsMax === undefined) return false;
  return prefix === undefined || (/^\d{1,3}$/.test(prefix) && Number(prefix) <= bitsMax);
}

function isIpv4(text: string): boolean {
  const parts = text.split(".");
  return (
    parts.length === 4 &&
    parts.every((part) => /^(?:0|[1-9]\d{0,2})$/.test(part) && Number(part) <= 255)
  );
}

function isIpv6(text: string): boolean {
  // The URL standard's parser knows every form; a zone (%eth0) is not one of them.
  return /^[0-9a-fA-F:.]+$/.test(text) && text.includes(":") && URL.canParse(`http://[${text}]/`);
}

/** True for a header name as RFC 9110 has it. */
export function isHeaderName(text: string): boolean {
  return /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/.test(text);
}

/** True when `text` can stand in a header: no control character, so that nothing can be added. */
export function isHeaderValue(text: string): boolean {
  // oxlint-disable-next-line no-control-regex -- control characters are what must not get in
  return !/[\u0000-\u0008\u000a-\u001f\u007f]/.test(text);
}

/** `text` as an http(s) URL without user, query and fragment; undefined when it is not one. */
export function parseOrigin(text: string): string | undefined {
  if (!URL.canParse(text)) return undefined;
  const url = new URL(text);
  if (url.protocol !== "http:" && url.protocol !== "https:") return undefined;
  if (url.username !== "" || url.password !== "" || url.search !== "" || url.hash !== "") {
    return undefined;
  }
  return `${url.origin}${url.pathname}`.replace(/\/+$/, "");
}

/**
 * The regular expression that Go's `text` means, or undefined when it cannot be one here.
 *
 * The forms that Go has and JavaScript writes otherwise are translated: flags at the beginning,
 * named groups, `\A` and `\z`. Classes such as `[[:alpha:]]` would mean something else without a
 * word, so they are refused.
 */
export function parseGoRegExp(text: string): RegExp | undefined {
  if (/\[\[:\^?\w+:\]/.test(text)) return undefined;
  const [, flags = "", rest = ""] = /^(?:\(\?([ims]+)\))?([^]*)$/.exec(text) ?? [];
  const source = rest.replaceAll("(?P<", "(?<").replace(/^\\A/, "^").replace(/\\z$/, "$");
  try {
    return new RegExp(source, [...new Set(flags)].join(""));
  } catch {
    // Not a regular expression: that is the answer.
    return undefined;
  }
}
