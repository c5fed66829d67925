import { setTimeout as sleep } from "node:timers/promises";
import { codeOf } from "../base/errors.ts";

/**
 * What SQLite's errors mean (sqlite.org/rescode.html), and waiting for another process.
 */

const pauseMsMax = 25;
/** About a minute of waiting for another process. */
const attemptsMax = 2_500;

/**
 * Failures of the disk, of another process that does not let go, of a damaged file
 * (sqlite.org/rescode.html). Everything else is a fault of ours: a constraint, a wrong statement.
 */
export const unavailableCodes =
  /^SQLITE_(?:BUSY|LOCKED|IOERR|READONLY|CANTOPEN|NOMEM|CORRUPT|NOTADB|PROTOCOL|PERM|AUTH)/;

/**
 * Runs `attempt` until no other process stands in its way. SQLite itself would wait as well, but
 * the whole program with it; so it is given a moment only, and requests go on being answered.
 */
export async function whenFree(attempt: () => void): Promise<void> {
  for (let attempts = 1; ; attempts += 1) {
    try {
      attempt();
      return;
    } catch (cause) {
      if (!isBusy(cause) || attempts >= attemptsMax) throw cause;
    }
    await sleep(Math.min(attempts, pauseMsMax));
  }
}

export function isBusy(cause: unknown): boolean {
  return sqliteCodeOf(cause).startsWith("SQLITE_BUSY");
}

/** The code of an error of SQLite's; empty for any other error. */
export function sqliteCodeOf(cause: unknown): string {
  const code = codeOf(cause);
  return code.startsWith("SQLITE_") ? code : "";
}
