import type { Logger } from "../base/logger.ts";
import type { Digest } from "../oci/digest.ts";
import type { RepositoryName } from "../oci/repository-name.ts";
import type { Tag } from "../oci/tag.ts";
import { type Attempt, dayOf, type Pull } from "./activity-store.ts";

/** Pulls of one manifest by one tag, or by digest. */
export interface PullTally {
  readonly repository: RepositoryName;
  readonly digest: Digest;
  readonly tag: Tag | undefined;
  readonly count: number;
  readonly lastAtMs: number;
}

/** Pulls of one repository on one day. */
export interface DayTally {
  readonly repository: RepositoryName;
  readonly day: number;
  readonly count: number;
}

export interface Buffered {
  readonly pulls: readonly PullTally[];
  readonly days: readonly DayTally[];
  readonly attempts: readonly Attempt[];
}

export interface BufferOptions {
  readonly write: (buffered: Buffered) => Promise<void>;
  readonly logger: Logger;
  readonly flushIntervalMs: number;
  /** Different pulls, or attempts, that are written without waiting for the interval. */
  readonly entriesPerFlush: number;
  /** What is kept while the database cannot be written; more is dropped and logged. */
  readonly entriesMax: number;
}

/** A tally that is added to in place: on the path of every pull, another object would be garbage. */
type Growing<Tally> = { -readonly [Key in keyof Tally]: Tally[Key] };

/** Adds up in memory what is not worth a write of its own. */
export class StatisticsBuffer {
  readonly #options: BufferOptions;
  #pulls = new Map<string, Growing<PullTally>>();
  #days = new Map<string, Growing<DayTally>>();
  #attempts: Attempt[] = [];
  #timer: ReturnType<typeof setTimeout> | undefined;
  #flushing: Promise<void> = Promise.resolve();
  #isFlushing = false;
  /** Then only the interval tries again, not every pull. */
  #hasFailed = false;
  #isFull = false;

  constructor(options: BufferOptions) {
    this.#options = options;
  }

  countPull({ repository, digest, tag, atMs }: Pull): void {
    this.#addPull({ repository, digest, tag, count: 1, lastAtMs: atMs });
    this.#addDay({ repository, day: dayOf(atMs), count: 1 });
    this.#schedule();
  }

  noteAttempt(attempt: Attempt): void {
    if (this.#hasRoom(this.#attempts.length)) this.#attempts.push(attempt);
    this.#schedule();
  }

  /** Writes all that has come until now. What cannot be written is kept. */
  flush(): Promise<void> {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#flushing = this.#flushing.catch(() => undefined).then(() => this.#writeBuffered());
    return this.#flushing;
  }

  #schedule(): void {
    const count = Math.max(this.#pulls.size, this.#attempts.length);
    if (this.#isFlushing) return;
    if (count >= this.#options.entriesPerFlush && !this.#hasFailed) {
      void this.#flushInBackground();
      return;
    }
    this.#timer ??= setTimeout(
      () => void this.#flushInBackground(),
      this.#options.flushIntervalMs,
    ).unref();
  }

  async #flushInBackground(): Promise<void> {
    this.#isFlushing = true;
    try {
      await this.flush();
      this.#hasFailed = false;
    } catch (cause) {
      this.#hasFailed = true;
      this.#options.logger.warn("pull statistics could not be written and are kept in memory", {
        cause,
      });
    } finally {
      this.#isFlushing = false;
    }
    if (this.#pulls.size + this.#attempts.length > 0) this.#schedule();
  }

  async #writeBuffered(): Promise<void> {
    const pulls = [...this.#pulls.values()];
    const days = [...this.#days.values()];
    const attempts = this.#attempts;
    if (pulls.length + attempts.length === 0) return;
    this.#pulls = new Map();
    this.#days = new Map();
    this.#attempts = [];
    try {
      await this.#options.write({ pulls, days, attempts });
      this.#isFull = false;
    } catch (cause) {
      for (const tally of pulls) this.#addPull(tally);
      for (const tally of days) this.#addDay(tally);
      this.#attempts = [...attempts, ...this.#attempts].slice(-this.#options.entriesMax);
      throw cause;
    }
  }

  #addPull(tally: Growing<PullTally>): void {
    const key = `${tally.repository} ${tally.digest} ${tally.tag ?? ""}`;
    const known = this.#pulls.get(key);
    if (known !== undefined) {
      known.count += tally.count;
      known.lastAtMs = Math.max(known.lastAtMs, tally.lastAtMs);
    } else if (this.#hasRoom(this.#pulls.size)) {
      this.#pulls.set(key, tally);
    }
  }

  #addDay(tally: Growing<DayTally>): void {
    const key = `${tally.repository} ${tally.day}`;
    const known = this.#days.get(key);
    if (known !== undefined) known.count += tally.count;
    else if (this.#hasRoom(this.#days.size)) this.#days.set(key, tally);
  }

  #hasRoom(count: number): boolean {
    if (count < this.#options.entriesMax) return true;
    if (!this.#isFull) {
      this.#isFull = true;
      this.#options.logger.error(
        "pull statistics and failed pushes are dropped: too many wait to be written",
        { entriesMax: this.#options.entriesMax },
      );
    }
    return false;
  }
}
