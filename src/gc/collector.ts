/**
 * The room of what is not needed any more, and how it goes while the registry serves: blobs that no
 * manifest needs, links that lead nowhere, empty repositories, uploads without a sign of life, tags
 * that a rule lets go; and of the bytes' health, which scrub and fsck look after. It owns the
 * decision that something is garbage, and refuses to know HTTP and users. The rule above the
 * others: what cannot be read is never a reason to delete; it freezes what it may need.
 *
 * Live collection, here, decides by rows, never by walking the storage, and ends things in two steps:
 *
 *     unreferenced, nobody told of it for the grace time
 *        │  under its exclusive lock, all checked again
 *        ▼
 *     trash ──── asked for again: back in its place, at once
 *        │  the second grace has passed; under its lock, all checked again
 *        ▼
 *     links durable gone, then bytes, then rows
 *
 * Killed anywhere, it starts again: every step is a rename or can be repeated.
 */
import { type Clock, patientClock } from "../base/clock.ts";
import type { Logger } from "../base/logger.ts";
import type { BlobState } from "../metadata/collection-store.ts";
import type { Digest } from "../oci/digest.ts";
import type { RegistryContext } from "../registry/context.ts";
import { holdDigests, lockTrash } from "../registry/lock-digests.ts";
import { batchesAtOnce, batchesOf, batchSize, inBatches } from "./batches.ts";
import { ClockGuard } from "./clock-guard.ts";
import { collectedBlobs } from "./collected-blobs.ts";
import { type Keeper, type Keepers, keepersOf, type Restorable } from "./keepers.ts";
import type { Pace } from "./pace.ts";
import { clearRemnants, endBlobs, removeEmptyRepositories, removeLooseLinks } from "./tidying.ts";
import { walkRows } from "./walk-rows.ts";

/** The parts of a registry that collection works with. */
export type CollectorParts = Pick<
  RegistryContext,
  "blobs" | "links" | "metadata" | "activity" | "locks" | "leases" | "adoption"
> & {
  readonly undo: Restorable;
  readonly clock: Clock;
  readonly logger: Logger;
};

export interface CollectorOptions {
  /** Least age of the last answer "this blob exists", in milliseconds. */
  readonly graceMs: number;
  /** How long a blob stays in the trash, in milliseconds. */
  readonly trashGraceMs: number;
}

export interface RoundOptions {
  readonly signal: AbortSignal;
  /** Limits how fast it goes; called with the number of blobs looked at. */
  readonly pace: Pace;
  /** Told of each blob that goes, and of what was kept after all; for people. */
  readonly say?: (event: CollectionEvent) => void;
}

export type CollectionEvent =
  | { readonly kind: "trashed" | "removed"; readonly digest: Digest; readonly sizeBytes: number }
  | { readonly kind: "kept"; readonly digest: Digest; readonly keeper: Keeper };

export interface RoundResult {
  readonly trashedBlobs: number;
  readonly trashedBytes: number;
  readonly removedBlobs: number;
  readonly removedBytes: number;
  readonly removedLinks: number;
  readonly removedRepositories: number;
  /** Set when nothing, or not all, could be done. */
  readonly problem?: string;
}

const entriesPerBatch = 500;

const notInAgreement = "the metadata does not agree with the storage yet: look at the log";

/** Where the time of the last run is kept, to notice a clock that went back between two. */
const lastRunKey = "gc.last-run-ms";

export class Collector {
  readonly #parts: CollectorParts;
  readonly #options: CollectorOptions;
  readonly #guard: ClockGuard;
  /**
   * For how long a deletion can be taken back, which is days: the guard waits for the graces only,
   * and then takes a step forward for true.
   */
  readonly #patient: Clock;

  constructor(parts: CollectorParts, options: CollectorOptions) {
    this.#parts = parts;
    this.#options = options;
    const holdMs = Math.max(options.graceMs, options.trashGraceMs);
    this.#guard = new ClockGuard({ clock: parts.clock, holdMs });
    this.#patient = patientClock(parts.clock);
  }

  /** One round over everything. Never two at once on one registry. */
  async run(round: RoundOptions): Promise<RoundResult> {
    const { leases, adoption } = this.#parts;
    const result = newTally();
    const clockProblem = await this.clockProblem();
    if (clockProblem !== undefined) return { ...result, problem: clockProblem };
    if (!adoption.progress().isCompared) return { ...result, problem: notInAgreement };
    await leases.flush();
    // First what gives space back: on a full disk neither rows nor deletions can be recorded.
    await this.#removeTrashed(round, result);
    // Of bytes that came back a moment ago, or a row that was not written: they need not wait.
    await adoption.settleDoubts(round.signal);
    if (adoption.progress().isComplete) await this.#decideByRows(round, result);
    const problem = await this.#problem(round);
    return problem === undefined ? result : { ...result, problem };
  }

  /** All that needs rows which say what the storage says. */
  async #decideByRows(round: RoundOptions, result: Tally): Promise<void> {
    const { metadata, clock, adoption } = this.#parts;
    const mayGoOn = async (): Promise<boolean> => (await this.#problem(round)) === undefined;
    const tidying = { ...this.#parts, pace: round.pace, mayGoOn };
    result.removedRepositories += await clearRemnants(adoption.remnants, tidying);
    await this.#mendFrozen();
    await this.#forgetExpired(round);
    await this.#trashUnreferenced(round, result);
    result.removedLinks += await removeLooseLinks(tidying);
    result.removedRepositories += await removeEmptyRepositories(tidying);
    await metadata.writeState(lastRunKey, String(clock.nowMs()));
  }

  /** What would go now, without anything going: first what goes to the trash, then for good. */
  async *preview(): AsyncGenerator<{
    readonly blob: BlobState;
    readonly step: "trash" | "remove";
    readonly keeper: Keeper | undefined;
  }> {
    await this.#parts.leases.flush();
    for await (const blobs of this.#candidates()) {
      const keepers = await this.#keepers(blobs);
      for (const blob of blobs) {
        // In the trash without a mark, or never pushed: a round has nothing to move.
        if (this.#parts.blobs.content(blob.digest) === undefined) continue;
        yield { blob, step: "trash", keeper: keepers.get(blob.digest) };
      }
    }
    const { collection } = this.#parts.metadata;
    const page = { trashedBeforeMs: this.#trashedBeforeMs(), limit: Number.MAX_SAFE_INTEGER };
    for (const batch of batchesOf(await collection.trashed(page))) {
      const { inPlace, keepers } = await this.#returning(batch.map((blob) => blob.digest));
      for (const blob of batch) {
        if (inPlace.has(blob.digest)) continue;
        yield { blob, step: "remove", keeper: keepers.get(blob.digest) };
      }
    }
  }

  /** Why rows may not decide, or no longer; asked before every step. */
  async #problem({ signal }: RoundOptions): Promise<string | undefined> {
    if (signal.aborted) return "it was stopped";
    const problem = await this.clockProblem();
    if (problem !== undefined) return problem;
    return this.#parts.adoption.progress().isComplete ? undefined : notInAgreement;
  }

  /** Why ages cannot be believed now, or undefined. */
  async clockProblem(): Promise<string | undefined> {
    const lastRun = await this.#parts.metadata.readState(lastRunKey);
    return this.#guard.problem(lastRun === undefined ? undefined : Number(lastRun));
  }

  /** Repositories that could not be read whole are looked at again: somebody may have mended them. */
  async #mendFrozen(): Promise<void> {
    const { metadata, adoption, logger } = this.#parts;
    for (const { repository } of await metadata.collection.frozenRepositories(100)) {
      try {
        await adoption.refresh(repository);
      } catch (error) {
        // It stays frozen. The others are none the worse for it.
        logger.warn("a frozen repository could not be read again", { repository, error });
      }
    }
    const frozen = await metadata.collection.frozenRepositories(100);
    const first = frozen.find((it) => it.unreadableManifests > 0);
    if (first === undefined) return;
    logger.warn(
      "manifests cannot be read, so nothing is collected that they may need; " +
        "push them again, or delete them by their digest; berth fsck names them",
      { ...first },
    );
  }

  /** What was deleted so long ago that it can no longer be taken back keeps nothing any more. */
  async #forgetExpired(round: RoundOptions): Promise<void> {
    const { trash } = this.#parts.activity;
    while ((await this.#problem(round)) === undefined) {
      const entries = await trash.expired(this.#patient.nowMs(), entriesPerBatch);
      if (entries.length === 0) return;
      await round.pace(entries.length);
      await trash.remove(entries.map((entry) => entry.id));
    }
  }

  async *#candidates(): AsyncGenerator<readonly BlobState[]> {
    const { metadata, leases } = this.#parts;
    yield* walkRows((window) =>
      metadata.collection.unreferenced({ ...window, touchedBeforeMs: leases.touchedBeforeMs() }),
    );
  }

  async #trashUnreferenced(round: RoundOptions, result: Tally): Promise<void> {
    let waiting: BlobState[] = [];
    for await (const candidates of this.#candidates()) {
      await round.pace(1);
      for (const batch of batchesOf(candidates)) {
        const unkept = await this.#unkept(batch, round);
        await round.pace(unkept.length + 1);
        if ((await this.#problem(round)) !== undefined) return;
        waiting.push(...unkept);
      }
      if (waiting.length < batchSize * batchesAtOnce) continue;
      await this.#trashBatches(waiting, round, result);
      waiting = [];
    }
    await this.#trashBatches(waiting, round, result);
  }

  /**
   * A first look without locks. A hundred thousand blobs may be kept for a week because they can
   * be taken back: they cost neither a wait nor anybody's lock, in every round.
   */
  async #unkept(batch: readonly BlobState[], round: RoundOptions): Promise<readonly BlobState[]> {
    const keepers = await this.#keepers(batch);
    return batch.filter(({ digest }) => {
      const keeper = keepers.get(digest);
      if (keeper !== undefined) round.say?.({ kind: "kept", digest, keeper });
      return keeper === undefined;
    });
  }

  async #trashBatches(
    blobs: readonly BlobState[],
    round: RoundOptions,
    result: Tally,
  ): Promise<void> {
    const digests = blobs.map((blob) => blob.digest);
    await inBatches(digests, (batch) => this.#trashBatch(batch, round, result));
  }

  async #trashBatch(digests: readonly Digest[], round: RoundOptions, result: Tally): Promise<void> {
    const { locks } = this.#parts;
    await holdDigests(locks, digests, () =>
      // A pull takes no lock of the blob: it was told of it before this one, and holds a lease, or
      // it waits, and brings it back.
      lockTrash(locks, digests, async () => {
        const gone = await this.#withoutKeeper(digests, round);
        const moved = new Set(await this.#moveToTrash(gone));
        for (const { digest, sizeBytes = 0 } of gone.filter((blob) => moved.has(blob.digest))) {
          result.trashedBlobs += 1;
          result.trashedBytes += sizeBytes;
          round.say?.({ kind: "trashed", digest, sizeBytes });
        }
      }),
    );
  }

  /** Everything may have changed since the query: a push, a pull, a restored tag. */
  async #withoutKeeper(
    digests: readonly Digest[],
    round: RoundOptions,
  ): Promise<readonly BlobState[]> {
    const states = await this.#parts.metadata.collection.statesOf(digests);
    return this.#unkept([...states.values()], round);
  }

  /** Says which had bytes. The others are named by a manifest once and were never pushed: they end. */
  async #moveToTrash(gone: readonly BlobState[]): Promise<readonly Digest[]> {
    const { blobs, metadata, clock } = this.#parts;
    const digests = gone.map((blob) => blob.digest);
    const moved = await blobs.trash(digests);
    const marked = [...moved];
    const bytesless: Digest[] = [];
    for (const digest of digests.filter((it) => !moved.includes(it))) {
      // There without a mark: the database failed after an earlier move.
      if ((await blobs.sizeInTrash(digest)) !== undefined) marked.push(digest);
      else bytesless.push(digest);
    }
    await metadata.collection.markTrashed(marked, clock.nowMs());
    if (bytesless.length > 0) {
      const linked = await metadata.collection.linksTo(bytesless);
      await endBlobs(bytesless, linked, this.#parts);
    }
    return moved;
  }

  async #removeTrashed(round: RoundOptions, result: Tally): Promise<void> {
    const { collection } = this.#parts.metadata;
    while (!round.signal.aborted && (await this.clockProblem()) === undefined) {
      const limit = batchSize * batchesAtOnce;
      const page = await collection.trashed({ trashedBeforeMs: this.#trashedBeforeMs(), limit });
      if (page.length === 0) return;
      await inBatches(page, async (batch) => {
        await round.pace(batch.length);
        await this.#removeBatch(batch, round, result);
      });
    }
  }

  async #removeBatch(
    batch: readonly BlobState[],
    round: RoundOptions,
    result: Tally,
  ): Promise<void> {
    const { locks, metadata, activity, clock } = this.#parts;
    const digests = batch.map((blob) => blob.digest);
    await holdDigests(locks, digests, () =>
      // Who is asked for one of them right now waits, and then finds it in place, or not at all.
      lockTrash(locks, digests, async () => {
        const back = await this.#bringBack(digests, round);
        const ending = batch.filter((blob) => !back.has(blob.digest));
        const ended = ending.map((blob) => blob.digest);
        const linked = await metadata.collection.linksTo(ended);
        await endBlobs(ended, linked, this.#parts);
        const entries = collectedBlobs(ending, linked, clock.nowMs());
        if (entries.length > 0) await activity.collected.record(entries);
        for (const { digest, sizeBytes = 0 } of ending) {
          result.removedBlobs += 1;
          result.removedBytes += sizeBytes;
          round.say?.({ kind: "removed", digest, sizeBytes });
        }
      }),
    );
  }

  /**
   * Says which have their place again, or are to have it, and gives it to those that do not. The
   * caller holds their locks.
   */
  async #bringBack(digests: readonly Digest[], round: RoundOptions): Promise<ReadonlySet<Digest>> {
    const { blobs, metadata } = this.#parts;
    const { inPlace, keepers } = await this.#returning(digests);
    for (const digest of inPlace) await blobs.emptyTrash([digest]);
    for (const [digest, keeper] of keepers) {
      if (inPlace.has(digest)) continue;
      await blobs.restore(digest);
      round.say?.({ kind: "kept", digest, keeper });
    }
    const back = new Set([...inPlace, ...keepers.keys()]);
    for (const digest of back) await metadata.collection.markRestored(digest);
    return back;
  }

  /** Of blobs in the trash: which were pushed anew meanwhile, and what keeps the others. */
  async #returning(digests: readonly Digest[]): Promise<{
    readonly inPlace: ReadonlySet<Digest>;
    readonly keepers: Keepers;
  }> {
    const { blobs, metadata } = this.#parts;
    const states = await metadata.collection.statesOf(digests);
    // Asked as if they were in their places: a lease given while one was moved counts in full.
    const asIfInPlace = [...states.values()].map((it) => ({ ...it, trashedAtMs: undefined }));
    const keepers = await this.#keepers(asIfInPlace);
    // Without leaving the thread: it is asked of every blob that ends.
    const inPlace = new Set(digests.filter((digest) => blobs.content(digest) !== undefined));
    return { inPlace, keepers };
  }

  #keepers(blobs: readonly BlobState[]): Promise<Keepers> {
    return keepersOf(blobs, this.#parts);
  }

  #trashedBeforeMs(): number {
    return this.#parts.clock.nowMs() - this.#options.trashGraceMs;
  }
}

type Tally = { -readonly [Field in keyof RoundResult]: RoundResult[Field] };

function newTally(): Tally {
  return {
    trashedBlobs: 0,
    trashedBytes: 0,
    removedBlobs: 0,
    removedBytes: 0,
    removedLinks: 0,
    removedRepositories: 0,
  };
}
