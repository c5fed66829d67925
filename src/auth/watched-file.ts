/**
 * The door of this room to the file system: small files that an administrator changes while the
 * registry runs.
 */
import {
  closeSync,
  fstatSync,
  mkdirSync,
  openSync,
  readFileSync,
  statSync,
  writeSync,
} from "node:fs";
import { dirname } from "node:path";
import type { Clock } from "../base/clock.ts";
import { codeOf } from "../base/errors.ts";
import type { Logger } from "../base/logger.ts";

export interface WatchedFileOptions<T> {
  readonly path: string;
  /** What the file's text means. Throws when it cannot be used at all. */
  readonly parse: (text: string) => T;
  readonly clock: Clock;
  readonly logger: Logger;
}

const checkIntervalMs = 1_000;

/**
 * The parsed content of a file, read again when the file has changed.
 *
 * Reading is synchronous: it happens when the file changed and not otherwise, and so a decision
 * that needs no bcrypt and no signature needs no promise either.
 */
export class WatchedFile<T> {
  readonly #options: WatchedFileOptions<T>;
  #content: T;
  #stamp: string;
  #checkedAtMs: number;
  #isFailing = false;

  /** @throws {Error} when the file cannot be read or parsed: a start must not pass over it. */
  constructor(options: WatchedFileOptions<T>) {
    this.#options = options;
    this.#checkedAtMs = options.clock.monotonicMs();
    const { text, stamp } = read(options.path);
    this.#content = options.parse(text);
    this.#stamp = stamp;
  }

  /**
   * The content, at most a second old. The same object for as long as the file is the same.
   *
   * A file that is missing or unusable for a while, as between the two steps of an editor,
   * leaves the last good content in force; the log says so once.
   */
  current(): T {
    const nowMs = this.#options.clock.monotonicMs();
    if (nowMs - this.#checkedAtMs >= checkIntervalMs) {
      this.#checkedAtMs = nowMs;
      this.#check();
    }
    return this.#content;
  }

  #check(): void {
    const { path, parse, logger } = this.#options;
    try {
      if (stampOf(statSync(path, { bigint: true })) === this.#stamp) return;
      const { text, stamp } = read(path);
      // Recorded before parsing, so that a file with a mistake is reported once and not each second.
      this.#stamp = stamp;
      this.#content = parse(text);
      this.#isFailing = false;
      logger.info("file has changed and was read again", { path });
    } catch (cause) {
      if (!this.#isFailing) {
        logger.warn("file cannot be used; what was read before stays in force", { path, cause });
      }
      this.#isFailing = true;
    }
  }
}

interface FileStamp {
  readonly mtimeNs: bigint;
  readonly ctimeNs: bigint;
  readonly size: bigint;
  readonly ino: bigint;
}

function stampOf({ mtimeNs, ctimeNs, size, ino }: FileStamp): string {
  return `${mtimeNs} ${ctimeNs} ${size} ${ino}`;
}

/** The stamp is taken before the bytes, so a change in between is seen by the next check. */
function read(path: string): { readonly text: string; readonly stamp: string } {
  try {
    const file = openSync(path, "r");
    try {
      const stamp = stampOf(fstatSync(file, { bigint: true }));
      return { text: readFileSync(file, "utf8"), stamp };
    } finally {
      closeSync(file);
    }
  } catch (cause) {
    const isFolder = codeOf(cause) === "EISDIR";
    const why = isFolder ? `${path} is a folder, and a file is needed` : `cannot read ${path}`;
    throw new Error(why, { cause });
  }
}

/**
 * Writes `text` to a new file that only its owner may read. False, and nothing is written, when
 * there is a file already: of several processes that start together, one creates it.
 */
export function createPrivateFile(path: string, text: string): boolean {
  try {
    mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
    const file = openSync(path, "wx", 0o600);
    try {
      writeSync(file, text);
    } finally {
      closeSync(file);
    }
    return true;
  } catch (cause) {
    if (codeOf(cause) === "EEXIST") return false;
    throw new Error(`cannot create ${path}`, { cause });
  }
}

/** Whether there is anything at `path`. */
export function fileExists(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false }) !== undefined;
}
