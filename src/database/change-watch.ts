import { statSync } from "node:fs";

/** 48 bytes; the second copy behind it says the same. */
const headerWords = 12;

/** The size that SQLite gives the file when it makes it. */
const indexSizeBytesMin = 32_768;

/**
 * Tells without a system call whether a SQLite database has changed.
 *
 * In write-ahead logging, SQLite keeps the state of the log in the header of a file that all its
 * processes map into memory (`-shm`; sqlite.org/walformat.html, "The WAL-Index Header"). Every
 * commit of every process, and every reset of the log, rewrites it. So as long as its bytes stay
 * the same, an answer that was read before is the answer that would be read now.
 *
 * The file must be mapped before this process opens the database, and never touched afterwards:
 * closing any descriptor of it would drop the locks that SQLite holds on it, and another process
 * would take it for abandoned and truncate it (sqlite.org/howtocorrupt.html, 2.2). Hence the two
 * steps: {@link prepare} before the first connection, {@link begin} after it.
 */
export class ChangeWatch {
  readonly #path: string;
  readonly #inode: number;
  readonly #words: Uint32Array;
  readonly #seen = new Uint32Array(headerWords);

  private constructor(path: string, inode: number, mapped: Uint8Array) {
    this.#path = path;
    this.#inode = inode;
    this.#words = new Uint32Array(mapped.buffer, mapped.byteOffset, headerWords);
  }

  /**
   * Maps the log's index of the database at `path`, which uses a log and which this process does
   * not have open. Undefined where that is not possible: then nobody can say whether it has
   * changed, and everything has to be asked.
   */
  static prepare(path: string): ChangeWatch | undefined {
    try {
      const { ino, size } = statSync(`${path}-shm`);
      if (size < indexSizeBytesMin) return undefined;
      return new ChangeWatch(path, ino, Bun.mmap(`${path}-shm`, { shared: true }));
    } catch {
      return undefined;
    }
  }

  /**
   * Starts to watch; a connection of this process has read the database by now, so the file
   * stays. False when it is another one than was mapped: its last user had just removed it.
   */
  begin(): boolean {
    if (statSync(`${this.#path}-shm`, { throwIfNoEntry: false })?.ino !== this.#inode) return false;
    this.#seen.set(this.#words);
    return true;
  }

  /** True when something was committed, by anybody, since this was last asked. */
  hasChanged(): boolean {
    let isChanged = false;
    for (let index = 0; index < headerWords; index += 1) {
      const word = this.#words[index] ?? 0;
      if (this.#seen[index] === word) continue;
      this.#seen[index] = word;
      isChanged = true;
    }
    return isChanged;
  }
}
