import { RegistryError } from "../oci/problems.ts";
import { parseRoute } from "./route.ts";

/**
 * The path that a read meant which has slashes too many, as `//v2/_catalog` is made of a base URL
 * that ends in one; undefined when there is nothing at that one either. Asked of paths that have
 * no route. A path that is found has only letters that a `Location` may carry.
 */
export function pathWithFewerSlashes(
  method: string,
  path: string,
  withoutPrefix: (path: string) => string,
): string | undefined {
  if (method !== "GET" && method !== "HEAD") return undefined;
  const single = path.replaceAll(/\/{2,}/g, "/");
  return [single, single.replace(/\/$/, "")].find(
    (candidate) => candidate !== path && isRead(candidate, withoutPrefix),
  );
}

function isRead(path: string, withoutPrefix: (path: string) => string): boolean {
  try {
    parseRoute("GET", withoutPrefix(path));
    return true;
  } catch (error) {
    if (error instanceof RegistryError) return false;
    throw error;
  }
}
