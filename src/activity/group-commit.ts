/**
 * Writes what comes while a write is running together in the next one.
 *
 * A durable commit waits for the disk: a hundred pushes at once wait for two, not for a hundred.
 */
export class GroupCommit<T> {
  readonly #write: (items: readonly T[]) => Promise<void>;
  #pending: T[] = [];
  /** The write that will take what is pending now. */
  #next: Promise<void> | undefined;
  #running: Promise<void> = Promise.resolve();

  constructor(write: (items: readonly T[]) => Promise<void>) {
    this.#write = write;
  }

  /** Resolves when `item` is written, and rejects when the write that it was part of failed. */
  add(item: T): Promise<void> {
    this.#pending.push(item);
    this.#next ??= this.#afterRunning();
    return this.#next;
  }

  /** Resolves when all that was added is written, or has failed. */
  async settled(): Promise<void> {
    await (this.#next ?? this.#running).catch(() => undefined);
  }

  async #afterRunning(): Promise<void> {
    // Its failure was told to those whose write it was.
    await this.#running.catch(() => undefined);
    const items = this.#pending;
    this.#pending = [];
    this.#next = undefined;
    this.#running = this.#write(items);
    await this.#running;
  }
}
