/** Names that a browser needs to see for a registry UI on another origin to work. */
const allowOriginHeader = "access-control-allow-origin";

/**
 * The configured extra headers (`http.headers`) as they go out with one answer.
 *
 * Several allowed origins are a list in Distribution's configuration, but a browser takes only
 * one: the one that asks, when it is in the list.
 */
export function extraHeadersFor(
  extra: ReadonlyMap<string, readonly string[]>,
  origin: string | null,
): Readonly<Record<string, string>> {
  const headers: Record<string, string> = {};
  for (const [name, values] of extra) {
    if (name.toLowerCase() !== allowOriginHeader || values.length < 2) {
      headers[name] = values.join(", ");
    } else {
      if (origin !== null && values.includes(origin)) headers[name] = origin;
      headers["Vary"] = "Origin";
    }
  }
  return headers;
}
