import { closeSync, existsSync, openSync, renameSync, rmSync } from "node:fs";
import { codeOf } from "../base/errors.ts";
import type { DatabaseLocation } from "./database.ts";

/**
 * True when SQLite says that a database of its own is broken (sqlite.org/rescode.html). A file
 * that was never one (`SQLITE_NOTADB`) is somebody else's.
 */
export function isDamage(cause: unknown): boolean {
  return codeOf(cause).startsWith("SQLITE_CORRUPT");
}

/** Looks at failures, and calls `onDamage` for the first that is damage. */
export function damageWatch(onDamage: (cause: unknown) => void): (cause: unknown) => void {
  let isKnown = false;
  return (cause) => {
    if (isKnown || !isDamage(cause)) return;
    isKnown = true;
    onDamage(cause);
  };
}

/**
 * Leaves word beside a database that was found damaged while it was in use. Whoever opens it next
 * alone, and can do without it, sets it aside.
 */
export function noteDamage(location: DatabaseLocation): void {
  if (location.kind !== "sqlite") return;
  try {
    closeSync(openSync(noteOf(location.path), "w"));
  } catch {
    // On a disk that takes nothing more: it will be found damaged again.
  }
}

/**
 * Moves a database of which `noteDamage` left word out of the way, so that opening makes a new
 * one. Only for who has it to itself: whoever has it open would go on with the old one.
 *
 * @returns where the old one is, for people, or undefined when there is no word of any damage.
 */
export function setDamagedAside(path: string): string | undefined {
  if (!existsSync(noteOf(path))) return undefined;
  const aside = `${path}.damaged`;
  // What was killed halfway begins again: the note is the last to go.
  if (existsSync(path)) renameSync(path, aside);
  // The log of the old one would be taken for that of the new one.
  for (const suffix of ["-wal", "-shm"]) rmSync(`${path}${suffix}`, { force: true });
  rmSync(noteOf(path));
  return aside;
}

function noteOf(path: string): string {
  return `${path}.is-damaged`;
}
