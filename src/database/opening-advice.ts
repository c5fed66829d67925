import { basename, dirname } from "node:path";
import { codeOf } from "../base/errors.ts";
import { writeObstacle } from "../base/write-access.ts";
import { isDamage } from "./damaged-file.ts";
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
  if (/^SQLITE_(?:CANTOPEN|READONLY)/.test(code)) {
    const file = basename(path);
    const obstacle = writeObstacle(dirname(path), ["", file, `${file}-wal`, `${file}-shm`]);
    return obstacle === undefined ? "" : `: ${obstacle}`;
  }
  if (!isDamage(cause) && code !== "SQLITE_NOTADB") return "";
  if (durability === "records") return "; put the one of a backup in its place";
  if (isDamage(cause)) return "; start again: it is set aside then, and made anew from the storage";
  return `; delete it, with ${path}-wal and ${path}-shm: it is made again from the storage`;
}
