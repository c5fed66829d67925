import { BytePace } from "../base/byte-pace.ts";
import type { Clock } from "../base/clock.ts";
import type { Logger } from "../base/logger.ts";
import type { Counter } from "../base/metrics.ts";
import type { Sleep } from "../base/sleep.ts";
import type { MetadataStore } from "../metadata/metadata-store.ts";
import { type Digest, parseDigest } from "../oci/digest.ts";
import { quarantinedBlobKey } from "../storage/layout.ts";
import { type BlobCheck, type BlobCheckParts, checkBlob } from "./blob-check.ts";

export interface ScrubParts extends BlobCheckParts {
  readonly metadata: MetadataStore;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly sleep: Sleep;
  readonly counters: ScrubCounters;
}

/** Where measurements go. */
export interface ScrubCounters {
  readonly blobs: Counter;
  readonly bytes: Counter;
  readonly corrupt: Counter;
  readonly unreadable: Counter;
}

export interface ScrubRoundOptions {
  /** Undefined for as fast as it goes. */
  readonly bytesPerSecond: number | undefined;
  /** True begins with the first blob; false goes on where the last round was interrupted. */
  readonly isNew: boolean;
  readonly signal: AbortSignal;
  /** Told now and then how far it is. */
  readonly onProgress?: (state: ScrubState) => void;
  /** Told of every blob that is not what it should be. */
  readonly onFound?: (digest: Digest, found: Damage) => void;
}

export type Damage = Extract<BlobCheck, { readonly isMoved: boolean }>;

/** How far a round is. */
export interface ScrubState {
  readonly startedAtMs: number;
  /** Undefined while it is not at its end. */
  readonly finishedAtMs?: number;
  /** The last blob that was looked at; undefined before the first. */
  readonly cursor?: Digest;
  readonly blobs: number;
  readonly bytes: number;
  readonly corrupt: number;
  readonly unreadable: number;
}

/** What lies in quarantine, and what came of its blob. */
export interface Quarantined {
  readonly digest: Digest;
  /** `healed`: pushed again, so the damaged bytes went. `returned`: they were right after all. */
  readonly outcome: "waiting" | "healed" | "returned";
}

const stateKey = "scrub";
const saveIntervalMs = 5_000;
const progressIntervalMs = 2_000;

/** So many blobs in a row that cannot be read say that it is the disk, or a mount that is gone. */
const unreadableInARowMax = 3;

const repositoriesNamed = 10;

/**
 * Hashes every blob again, slowly, in the order of digests. How far it is survives a restart;
 * where the derived store is lost, a round begins anew. One round at a time: a new one ends the
 * one that is under way.
 */
export class Scrub {
  readonly #parts: ScrubParts;
  #quarantined = 0;
  #running: { readonly ends: AbortController; readonly ended: Promise<void> } | undefined;

  constructor(parts: ScrubParts) {
    this.#parts = parts;
  }

  /** How far the last round came; undefined when there was none. */
  async state(): Promise<ScrubState | undefined> {
    const text = await this.#parts.metadata.readState(stateKey);
    return text === undefined ? undefined : parseState(text);
  }

  /** True when no round is whole that is younger than `intervalMs`. */
  async isDue(intervalMs: number): Promise<boolean> {
    const finishedAtMs = (await this.state())?.finishedAtMs;
    if (finishedAtMs === undefined) return true;
    const ageMs = this.#parts.clock.nowMs() - finishedAtMs;
    // From the future: the clock was set back since.
    return ageMs < 0 || ageMs >= intervalMs;
  }

  /** Blobs in quarantine that nobody has pushed again, as far as this process knows. */
  get quarantined(): number {
    return this.#quarantined;
  }

  /** Counts anew what lies in quarantine, but for what lies at its place again. */
  async countQuarantined(): Promise<void> {
    const { blobs, quarantine } = this.#parts;
    let count = 0;
    for (const digest of await quarantine.listBlobs()) {
      if ((await blobs.sizeOf(digest)) === undefined) count += 1;
    }
    this.#quarantined = count;
  }

  get isRunning(): boolean {
    return this.#running !== undefined;
  }

  /**
   * One round, or what is left of one. Undefined `finishedAtMs` in the result: it was interrupted.
   *
   * @throws {Error} with a sentence when the storage cannot be read at all.
   */
  async round(options: ScrubRoundOptions): Promise<ScrubState> {
    while (this.#running !== undefined) {
      this.#running.ends.abort();
      await this.#running.ended;
    }
    const ends = new AbortController();
    const { promise: ended, resolve } = Promise.withResolvers<void>();
    this.#running = { ends, ended };
    try {
      const signal = AbortSignal.any([options.signal, ends.signal]);
      return await this.#walk({ ...options, signal });
    } finally {
      this.#running = undefined;
      resolve();
    }
  }

  /** Checks one blob, counts it, and says in the log what is wrong with it. */
  async check(
    digest: Digest,
    options: Parameters<typeof checkBlob>[2],
  ): Promise<Damage | { readonly kind: "intact" | "absent"; readonly sizeBytes?: number }> {
    const { counters } = this.#parts;
    const found = await checkBlob(digest, this.#parts, {
      ...options,
      onPiece: async (sizeBytes) => {
        counters.bytes.add(sizeBytes);
        await options.onPiece(sizeBytes);
      },
    });
    if (found.kind !== "absent") counters.blobs.add(1);
    if (found.kind === "corrupt" || found.kind === "unreadable") {
      counters[found.kind].add(1);
      await this.#report(digest, found);
      if (found.isMoved) await this.countQuarantined();
    }
    return found;
  }

  /**
   * Looks at what lies in quarantine: what was pushed again since is removed, and what turns out
   * to be right goes back, unless `isDryRun`.
   */
  async tidyQuarantine(options: { readonly isDryRun: boolean }): Promise<readonly Quarantined[]> {
    const { blobs, quarantine, locks, reader, logger } = this.#parts;
    const found: Quarantined[] = [];
    for (const digest of await quarantine.listBlobs()) {
      const outcome = await locks.exclusive(digest, async () => {
        const stored = await blobs.rehash(digest).catch(() => undefined);
        if (stored?.actual === digest) {
          if (!options.isDryRun) await quarantine.removeBlob(digest);
          return "healed";
        }
        if (stored !== undefined) return "waiting";
        // A disk that failed for a while, or a file that was there too late.
        const aside = await blobs.rehashQuarantined(digest).catch(() => undefined);
        if (aside !== digest) return "waiting";
        if (!options.isDryRun) await quarantine.giveBlobBack(digest);
        reader.forget(digest);
        return "returned";
      });
      if (outcome !== "waiting" && !options.isDryRun) {
        logger.info("a blob left the quarantine", { digest, outcome });
      }
      found.push({ digest, outcome });
    }
    await this.countQuarantined();
    return found;
  }

  async #walk(options: ScrubRoundOptions): Promise<ScrubState> {
    const { blobs, clock, logger, sleep } = this.#parts;
    const { signal, bytesPerSecond } = options;
    const progress = new Progress(await this.#beginState(options.isNew));
    const pace = new BytePace({ bytesPerSecond, clock, sleep, signal });
    let savedMs = clock.monotonicMs();
    let toldMs = savedMs;
    const onPiece = async (sizeBytes: number): Promise<void> => {
      progress.partialBytes += sizeBytes;
      if (clock.monotonicMs() - toldMs >= progressIntervalMs) {
        toldMs = clock.monotonicMs();
        options.onProgress?.(progress.state());
      }
      await pace.spend(sizeBytes);
    };
    let unreadableInARow = 0;
    try {
      for await (const digest of blobs.list(progress.cursor)) {
        signal.throwIfAborted();
        const movesUnreadable = unreadableInARow < unreadableInARowMax - 1;
        const found = await this.check(digest, { onPiece, movesUnreadable, moves: true });
        progress.add(digest, found);
        if (found.kind === "corrupt" || found.kind === "unreadable") {
          options.onFound?.(digest, found);
        }
        unreadableInARow = found.kind === "unreadable" ? unreadableInARow + 1 : 0;
        if (unreadableInARow >= unreadableInARowMax) {
          throw new Error(
            `${unreadableInARow} blobs in a row cannot be read: look at the disk and its mount; ` +
              "the scrub goes on from there",
          );
        }
        if (clock.monotonicMs() - savedMs < saveIntervalMs) continue;
        savedMs = clock.monotonicMs();
        await this.#save(progress.state());
      }
    } catch (error) {
      await this.#save(progress.state());
      if (signal.aborted) return progress.state();
      throw error;
    }
    await this.tidyQuarantine({ isDryRun: false });
    const state = { ...progress.state(), finishedAtMs: clock.nowMs() };
    await this.#save(state);
    logger.info("every blob was hashed again", { ...countsOf(state) });
    return state;
  }

  async #beginState(isNew: boolean): Promise<ScrubState> {
    const before = isNew ? undefined : await this.state();
    if (before !== undefined && before.finishedAtMs === undefined) return before;
    const startedAtMs = this.#parts.clock.nowMs();
    return { startedAtMs, blobs: 0, bytes: 0, corrupt: 0, unreadable: 0 };
  }

  async #save(state: ScrubState): Promise<void> {
    await this.#parts.metadata.writeState(stateKey, JSON.stringify(state));
  }

  async #report(digest: Digest, { kind, why, isMoved }: Damage): Promise<void> {
    const { metadata, logger } = this.#parts;
    const holders = await Promise.all([
      metadata.repositoriesWithBlob(digest, repositoriesNamed),
      metadata.repositoriesNaming(digest, repositoriesNamed),
    ]);
    const repositories = [...new Set(holders.flat())].sort();
    const fields = { digest, kind, why, repositories };
    if (isMoved) {
      logger.error(
        "a blob is damaged and was moved aside: requests for it are answered with 404 until an " +
          "image that has it is pushed again",
        { ...fields, movedTo: quarantinedBlobKey(digest) },
      );
    } else {
      logger.error("a blob cannot be used and stays where it is: look at the disk", fields);
    }
  }
}

/** Counts along a round. */
class Progress {
  readonly #startedAtMs: number;
  cursor: Digest | undefined;
  blobs: number;
  bytes: number;
  corrupt: number;
  unreadable: number;
  /** Of the blob that is being read: they do not count when the round ends in it. */
  partialBytes = 0;

  constructor(state: ScrubState) {
    this.#startedAtMs = state.startedAtMs;
    this.cursor = state.cursor;
    this.blobs = state.blobs;
    this.bytes = state.bytes;
    this.corrupt = state.corrupt;
    this.unreadable = state.unreadable;
  }

  add(digest: Digest, { kind }: { readonly kind: BlobCheck["kind"] }): void {
    this.cursor = digest;
    this.bytes += this.partialBytes;
    this.partialBytes = 0;
    if (kind !== "absent") this.blobs += 1;
    if (kind === "corrupt") this.corrupt += 1;
    if (kind === "unreadable") this.unreadable += 1;
  }

  state(): ScrubState {
    const { cursor, blobs, bytes, corrupt, unreadable } = this;
    const startedAtMs = this.#startedAtMs;
    const counts = { blobs, bytes, corrupt, unreadable };
    return { startedAtMs, ...(cursor !== undefined && { cursor }), ...counts };
  }
}

function countsOf({ blobs, bytes, corrupt, unreadable }: ScrubState) {
  return { blobs, bytes, corrupt, unreadable };
}

/** Undefined for what another version may have written. */
function parseState(text: string): ScrubState | undefined {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return undefined;
  }
  if (typeof value !== "object" || value === null) return undefined;
  const fields: Readonly<Record<string, unknown>> = { ...value };
  const number = (name: string): number => {
    const found = fields[name];
    return typeof found === "number" ? found : 0;
  };
  const { cursor: cursorText, finishedAtMs } = fields;
  const cursor = typeof cursorText === "string" ? parseDigest(cursorText) : undefined;
  return {
    startedAtMs: number("startedAtMs"),
    ...(typeof finishedAtMs === "number" && { finishedAtMs }),
    ...(cursor !== undefined && { cursor }),
    blobs: number("blobs"),
    bytes: number("bytes"),
    corrupt: number("corrupt"),
    unreadable: number("unreadable"),
  };
}
