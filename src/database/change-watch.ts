/**
 * Tells without a system call whether a SQLite database has changed.
 *
 * In write-ahead logging, SQLite keeps the state of the log in the header of a file that all its
 * processes map into memory (`-shm`; sqlite.org/walformat.html, "The WAL-Index Header"). Every
 * commit of every process, and every reset of the log, rewrites it. So as long as its bytes stay
 * the same, an answer that was read before is the answer that would be read now.
 */
export class ChangeWatch {
  readonly #words: Uint32Array;
  readonly #seen = new Uint32Array(headerWords);

  private constructor(mapped: Uint8Array) {
    this.#words = new Uint32Array(mapped.buffer, mapped.byteOffset, headerWords);
    this.#seen.set(this.#words);
  }

  /**
   * Watches the database at `path`, whose log must be in use already. Undefined where files
   * cannot be mapped: then nobody can say, and everything has to be asked.
   */
  static open(path: string): ChangeWatch | undefined {
    try {
      return new ChangeWatch(Bun.mmap(`${path}-shm`, { shared: true }));
    } catch {
      return undefined;
    }
  }

  /** True when something was committed, by anybody, since this was last asked. */
  hasChanged(): boolean {
    const { length } = this.#seen;
    let isChanged = false;
    for (let index = 0; index < length; index += 1) {
      const word = this.#words[index] ?? 0;
      if (this.#seen[index] === word) continue;
      this.#seen[index] = word;
      isChanged = true;
    }
    return isChanged;
  }
}

/** 48 bytes; the second copy behind it says the same. */
const headerWords = 12;
