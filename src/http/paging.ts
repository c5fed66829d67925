import { RegistryError } from "../oci/problems.ts";
import type { Exchange } from "./exchange.ts";

/** What a client asked of a listing. */
export interface PageRequest {
  /** Undefined when the client did not say. */
  readonly count: number | undefined;
  /** Exclusive start; empty from the beginning. */
  readonly last: string;
}

/**
 * `n` and `last` of a listing; an empty one counts as absent. A larger `n` than `countMax` is cut
 * to it, not refused: clients ask for 10,000 and follow the Link.
 *
 * @throws {RegistryError} `paginationInvalid`
 */
export function parsePage(query: URLSearchParams, countMax: number): PageRequest {
  const text = query.get("n") ?? "";
  // No name has a NUL in it, and databases read one each in its own way: what stands before it
  // begins the same page.
  const last = query.get("last")?.split("\u0000")[0] ?? "";
  if (text === "") return { count: undefined, last };
  if (!/^\d+$/.test(text)) throw new RegistryError("paginationInvalid", { n: text });
  return { count: Math.min(Number(text), countMax), last };
}

/**
 * The Link to the page after the entry `last` (RFC 8288). Always a path, also where Locations are
 * whole URLs: clients refuse a Link to another origin than the one they asked.
 */
export function nextLink(
  path: string,
  query: Readonly<Record<string, string>>,
  { settings }: Exchange,
): { readonly Link: string } {
  return {
    Link: `<${settings.prefix}${path}?${new URLSearchParams(query).toString()}>; rel="next"`,
  };
}
