import type { Clock } from "../base/clock.ts";
import type { Logger } from "../base/logger.ts";
import type { MetadataStore } from "../metadata/metadata-store.ts";
import type { Digest } from "../oci/digest.ts";

export interface LeaseOptions {
  readonly metadata: Pick<MetadataStore, "collection" | "readState" | "writeState">;
  readonly clock: Clock;
  readonly logger: Logger;
  /** How long an answer "this blob exists" keeps the blob from collection, in milliseconds. */
  readonly graceMs: number;
}

/** A lease is written down once in this time, however often the blob is asked for. */
const renewalMsMax = 3_600_000;
/** Whether the last server wrote all its leases down before it ended. */
const endedKey = "leases.all-written";

/** Renewals wait this long for others, to share a transaction. */
const flushMs = 1_000;
/** More renewals than this are written early, and forgotten in memory: they are in the rows. */
const renewalsMax = 8_000;

/**
 * Who was told of a blob may build on it: a client that hears "it is there" does not upload it,
 * and names it in a manifest minutes later. So every such answer leases the blob for the grace
 * time, and collection keeps its hands off (design, section 5).
 *
 * On the path of every pull and push, so a lease is one look into a map. It is written down once
 * an hour at most, and together with others. A crash takes those of its last second: for bytes the
 * second step of collection covers that, which gives back what is asked for again, and names that
 * go in one step stay for a grace after it. Ages count by the monotonic clock here
 * and by the wall clock in the rows: a step of the one does not end a lease of the other.
 */
export class Leases {
  readonly #options: LeaseOptions;
  /** A row may be behind by this much. */
  readonly renewalMs: number;
  /** Renewed in this period, and in the one before it. */
  #renewed = new Set<Digest>();
  #renewedBefore = new Set<Digest>();
  #periodEndsMs: number;
  #pending = new Set<Digest>();
  /** Of these no row says so, because the database took no writes. */
  readonly #unwritten = new Set<Digest>();
  #timer: ReturnType<typeof setTimeout> | undefined;
  #flushing: Promise<void> = Promise.resolve();
  #hasBegun = false;
  #lostUntilMs = 0;

  constructor(options: LeaseOptions) {
    this.#options = options;
    this.renewalMs = Math.min(renewalMsMax, options.graceMs / 4);
    this.#periodEndsMs = options.clock.monotonicMs() + this.renewalMs;
  }

  /** For a server, before its first answer: notes whether the one before it ended by a crash. */
  async begin(): Promise<void> {
    const { metadata, clock, logger, graceMs } = this.#options;
    this.#hasBegun = true;
    if ((await metadata.readState(endedKey)) !== "yes") {
      this.#lostUntilMs = clock.monotonicMs() + graceMs + this.renewalMs;
    }
    try {
      await metadata.writeState(endedKey, "no");
    } catch (error) {
      // A full disk, which the server is started to dig itself out of.
      logger.warn("that the registry runs could not be written down", { error });
    }
  }

  /** For a server that has given its last answer. */
  async end(): Promise<void> {
    await this.flush();
    if (!this.#hasBegun || this.#pending.size > 0) return;
    const { metadata, logger } = this.#options;
    try {
      await metadata.writeState(endedKey, "yes");
    } catch (error) {
      logger.warn("that the registry has ended could not be written down", { error });
    }
  }

  /**
   * True while there may be clients whose lease is nowhere, because they were told in the last
   * second before a crash.
   */
  get mayBeLost(): boolean {
    return this.#options.clock.monotonicMs() < this.#lostUntilMs;
  }

  /** Notes that somebody was told that the blob exists. */
  touch(digest: Digest): void {
    this.#rotate();
    if (this.#renewed.has(digest)) return;
    this.#renewed.add(digest);
    this.#pending.add(digest);
    this.#timer ??= setTimeout(() => void this.flush(), flushMs).unref();
  }

  /** True when the blob was leased so lately that its row need not say so yet. */
  isFresh(digest: Digest): boolean {
    this.#rotate();
    if (this.#renewed.has(digest) || this.#renewedBefore.has(digest)) return true;
    return this.#unwritten.has(digest);
  }

  /** True when somebody was told of the blob within the grace time, or may have been. */
  async isLeased(digest: Digest): Promise<boolean> {
    const state = await this.#options.metadata.collection.stateOf(digest);
    return this.isLeasedBy(digest, state?.touchedAtMs ?? -Infinity);
  }

  /** The same for who has read its row, `touchedAtMs`, already. */
  isLeasedBy(digest: Digest, touchedAtMs: number): boolean {
    return this.mayBeLost || this.isFresh(digest) || touchedAtMs >= this.touchedBeforeMs();
  }

  /**
   * Rows touched before this time are out of their lease, if `isFresh` is false for them too:
   * a row may be a whole period behind.
   */
  touchedBeforeMs(): number {
    return this.#options.clock.nowMs() - this.#options.graceMs - this.renewalMs;
  }

  /** When a lease of that age ends, or undefined when it has. */
  leasedUntilMs(touchedAtMs: number | undefined): number | undefined {
    if (touchedAtMs === undefined || touchedAtMs < this.touchedBeforeMs()) return undefined;
    return touchedAtMs + this.#options.graceMs + this.renewalMs;
  }

  /** Writes down what waits. What cannot be written stays, and is tried again. */
  flush(): Promise<void> {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#flushing = this.#flushing.then(() => this.#write());
    return this.#flushing;
  }

  async #write(): Promise<void> {
    const { metadata, clock, logger } = this.#options;
    const digests = this.#pending;
    if (digests.size === 0) return;
    this.#pending = new Set();
    try {
      await metadata.collection.touch([...digests], clock.nowMs());
      this.#unwritten.clear();
    } catch (error) {
      logger.warn("leases of blobs could not be written down; they count in memory", { error });
      for (const digest of digests) {
        this.#pending.add(digest);
        this.#unwritten.add(digest);
      }
      this.#timer ??= setTimeout(() => void this.flush(), 10 * flushMs).unref();
    }
  }

  #rotate(): void {
    const nowMs = this.#options.clock.monotonicMs();
    if (nowMs < this.#periodEndsMs && this.#renewed.size < renewalsMax) return;
    // Of a registry that slept through a whole period, nothing is fresh.
    const isLate = nowMs >= this.#periodEndsMs + this.renewalMs;
    this.#renewedBefore = isLate ? new Set() : this.#renewed;
    this.#renewed = new Set();
    this.#periodEndsMs = nowMs + this.renewalMs;
  }
}
