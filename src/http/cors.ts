import type { HeaderFields } from "./reply.ts";

const allowOrigin = "access-control-allow-origin";

/** The configured extra headers (`http.headers`), told apart by whether they are always the same. */
export interface ExtraHeaders {
  readonly fixed: HeaderFields;
  /** Allowed origins, when there are several: which one is answered depends on who asks. */
  readonly origins: ReadonlySet<string>;
}

export function readExtraHeaders(headers: ReadonlyMap<string, readonly string[]>): ExtraHeaders {
  const fixed: Record<string, string> = {};
  let origins: readonly string[] = [];
  for (const [name, values] of headers) {
    if (name.toLowerCase() === allowOrigin && values.length > 1) origins = values;
    else fixed[spelled(name)] = utf8(values.join(", "));
  }
  const vary = fixed["Vary"];
  if (origins.length > 0) fixed["Vary"] = vary === undefined ? "Origin" : `${vary}, Origin`;
  return { fixed, origins: new Set(origins) };
}

/** Parts of names that answers carry in another spelling than with one capital. */
const spellings: ReadonlyMap<string, string> = new Map([
  ["api", "API"],
  ["etag", "ETag"],
  ["oci", "OCI"],
  ["uuid", "UUID"],
  ["www", "WWW"],
]);

/**
 * A name as answers spell it, so that what an answer says itself replaces what is configured. A
 * variable of the environment makes names in lower case, and two spellings would both be sent.
 */
function spelled(name: string): string {
  const parts = name.toLowerCase().split("-");
  return parts
    .map((part) => spellings.get(part) ?? part.slice(0, 1).toUpperCase() + part.slice(1))
    .join("-");
}

/** The text whose characters are the bytes of `text`: a header cannot be made of any others. */
function utf8(text: string): string {
  return Buffer.from(text, "utf8").toString("latin1");
}

/**
 * The header that lets the page that asks read the answer. Several allowed origins are a list in
 * Distribution's configuration, but a browser takes only one.
 */
export function allowedOrigin({ origins }: ExtraHeaders, origin: string | null): HeaderFields {
  return origin !== null && origins.has(origin) ? { "Access-Control-Allow-Origin": origin } : {};
}
