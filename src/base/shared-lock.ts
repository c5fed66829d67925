type Mode = "shared" | "exclusive";

interface Waiter {
  readonly mode: Mode;
  readonly enter: () => void;
}

interface Lock {
  holders: number;
  mode: Mode;
  readonly waiting: Waiter[];
}

/**
 * Shared and exclusive locks by key inside this process, first come first served: a waiting
 * exclusive one is not overtaken. A key that nobody holds takes no memory.
 */
export class SharedLocks {
  readonly #locks = new Map<string, Lock>();
  #exclusiveEnds = 0;

  /**
   * How many exclusive holds of any key have ended. Who looked at something without a lock, and
   * finds this changed, may have seen what is no longer so.
   */
  get exclusiveEnds(): number {
    return this.#exclusiveEnds;
  }

  /** Runs `work` together with other shared holders of the key, never with an exclusive one. */
  async shared<T>(key: string, work: () => Promise<T>): Promise<T> {
    return this.#run(key, "shared", work);
  }

  /** Runs `work` alone among all holders of the key. */
  async exclusive<T>(key: string, work: () => Promise<T>): Promise<T> {
    return this.#run(key, "exclusive", work);
  }

  /** True while nobody holds any key. */
  get isIdle(): boolean {
    return this.#locks.size === 0;
  }

  /** True while somebody holds the key, in whatever mode. */
  isHeld(key: string): boolean {
    return this.#locks.has(key);
  }

  async #run<T>(key: string, mode: Mode, work: () => Promise<T>): Promise<T> {
    const lock = this.#locks.get(key) ?? { holders: 0, mode, waiting: [] };
    this.#locks.set(key, lock);
    if (lock.holders === 0 || (lock.mode === mode && mode === "shared" && !lock.waiting.length)) {
      lock.mode = mode;
      lock.holders += 1;
    } else {
      const { promise, resolve } = Promise.withResolvers<void>();
      lock.waiting.push({ mode, enter: resolve });
      await promise;
    }
    try {
      return await work();
    } finally {
      this.#leave(key, lock);
    }
  }

  #leave(key: string, lock: Lock): void {
    if (lock.mode === "exclusive") this.#exclusiveEnds += 1;
    lock.holders -= 1;
    if (lock.holders > 0) return;
    const next = lock.waiting[0];
    if (next === undefined) {
      this.#locks.delete(key);
      return;
    }
    lock.mode = next.mode;
    do {
      lock.holders += 1;
      lock.waiting.shift()?.enter();
    } while (lock.mode === "shared" && lock.waiting[0]?.mode === "shared");
  }
}
