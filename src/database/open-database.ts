import type { Database, DatabaseLocation, DatabaseOptions } from "./database.ts";
import { openPostgres } from "./postgres.ts";
import { openSqlite } from "./sqlite.ts";

/** @throws {Error} when it cannot be opened, or was written by a newer version of the program. */
export function openDatabase<Tables>(
  location: DatabaseLocation,
  options: DatabaseOptions,
): Promise<Database<Tables>> {
  return location.kind === "sqlite"
    ? openSqlite(location.path, options)
    : openPostgres(location, options);
}
