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
    else fixed[name] = values.join(", ");
  }
  if (origins.length > 0) fixed["Vary"] = "Origin";
  return { fixed, origins: new Set(origins) };
}

/**
 * The header that lets the page that asks read the answer. Several allowed origins are a list in
 * Distribution's configuration, but a browser takes only one.
 */
export function allowedOrigin({ origins }: ExtraHeaders, origin: string | null): HeaderFields {
  return origin !== null && origins.has(origin) ? { "Access-Control-Allow-Origin": origin } : {};
}
