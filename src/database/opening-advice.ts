import { codeOf } from "../base/errors.ts";
import type { DatabaseOptions } from "./database.ts";

/** What to do about a SQLite file that cannot be opened; empty where the cause says it all. */
export function openingAdvice(
  cause: unknown,
  path: string,
  durability: DatabaseOptions["durability"],
): string {
  const code = codeOf(cause);
  if (/^SQLITE_(?:IOERR|FULL)/.test(code)) {
    // SQLite calls it an I/O error when there is no room for the file that its readers share.
    return ": look whether its disk is full (df, df -i) or fails";
  }
  if (!/^SQLITE_(?:CORRUPT|NOTADB)/.test(code)) return "";
  if (durability === "records") return "; put the one of a backup in its place";
  return `; delete it, with ${path}-wal and ${path}-shm: it is made again from the storage`;
}
