import type { ActivityStore } from "../activity/activity-store.ts";
import type { Clock } from "../base/clock.ts";
import type { Logger } from "../base/logger.ts";
import { orAborted } from "../base/or-aborted.ts";
import type { SharedLocks } from "../base/shared-lock.ts";
import type { Sleep } from "../base/sleep.ts";
import { Turns } from "../base/turns.ts";
import type {
  MetadataStore,
  RepositoryContent,
  RepositorySnapshot,
} from "../metadata/metadata-store.ts";
import { recordedRepositories } from "../metadata/recorded-repositories.ts";
import type { Digest } from "../oci/digest.ts";
import type { RepositoryName } from "../oci/repository-name.ts";
import type { BlobStore } from "../storage/blob-store.ts";
import type { LinkStore } from "../storage/link-store.ts";
import { recordFoundMoves, recordMovesSinceHistory } from "./found-moves.ts";
import { repositoryLock } from "./lock-keys.ts";
import type { ManifestReader } from "./manifest-reader.ts";
import { readRepository } from "./read-repository.ts";
import { Remnants } from "./remnants.ts";

/** How long adoption may go without a sign of life in the log. */
const progressIntervalMs = 5_000;

/** A comparison that failed is repeated after this time, and then after twice the last one … */
const retryMsMin = 1_000;
/** … up to this one: every pass walks through all repositories. */
const retryMsMax = 600_000;

/** A look that a push has overtaken is repeated so often before pushes have to wait. */
const attemptsBesidePushes = 3;

/** Set in the metadata once they have agreed with the whole storage. */
const completedKey = "adoption.completed";

interface Comparison {
  /** Equal names and stamps count as equal content. */
  readonly trustsStamps: boolean;
  /** Ends it in the middle of a repository, by throwing its reason. */
  readonly signal?: AbortSignal;
}

/** What adoption has done so far, for the log and the metrics. */
export interface AdoptionProgress {
  readonly isComplete: boolean;
  /** Also true while single repositories, known before, have writes that were not recorded. */
  readonly isCompared: boolean;
  readonly checked: number;
  readonly changed: number;
}

/**
 * Brings the metadata store into agreement with the layout, while the registry serves.
 *
 * A volume may come from Distribution, or have been in its hands since Berth last ran, or a
 * crash may have left a link that is not recorded. So at start no repository counts as current;
 * each is compared by the names and stamps of its links, without reading what has not changed,
 * and only then is the metadata store asked about it. Until that moment `Lookup` answers from
 * the layout itself. Nothing is kept of how far it came: a killed adoption starts again and
 * passes quickly over what is recorded already.
 *
 *     not current ── compare stamps ──┬── equal ───────────────────────► current
 *         ▲                           └── differs: read, replace rows ─► current
 *         └───────────────── what was written could not be recorded ◄───────┘
 */
export class Adoption {
  readonly #parts: AdoptionParts;
  readonly #current = new Set<RepositoryName>();
  /** What is left of deletes that a crash broke off, and links to bytes that are gone. */
  readonly remnants = new Remnants();
  readonly #running = new Map<RepositoryName, Promise<void>>();
  /**
   * Repositories with a write that was not recorded, each with a number that says how often: a
   * comparison that began before the last of them may have missed it.
   */
  readonly #doubts = new Map<RepositoryName, number>();
  #isComplete = false;
  /** Ends the pass that was begun last. */
  #pass: AbortSignal | undefined;
  /** The repository that the pass over all of them is at, and when that was last in the log. */
  #comparing: RepositoryName | undefined;
  #reportedMs = 0;
  /** Whether a tag that differs was moved, or is only seen for the first time. */
  #knewAll: boolean | undefined;
  #checked = 0;
  #changed = 0;
  /** What went wrong and is in the log already: a pass that is repeated says what is new. */
  readonly #reported = new Set<string>();

  constructor(parts: AdoptionParts) {
    this.#parts = parts;
  }

  /** True when the metadata store may be asked about this repository. */
  isCurrent(name: RepositoryName): boolean {
    if (this.#doubts.size > 0 && this.#doubts.has(name)) return false;
    return this.#isComplete || this.#current.has(name);
  }

  /** An upload left a repository: if nothing else is recorded there, its folders may be empty. */
  async noteEndedUpload(name: RepositoryName): Promise<void> {
    if (this.remnants.isFull) return;
    const isRecorded = await this.#parts.metadata.hasRepository(name).catch(() => true);
    if (!isRecorded) this.remnants.add(name);
  }

  /** The metadata store missed a write to this repository: it is asked again once compared. */
  distrust(name: RepositoryName): void {
    this.#doubts.set(name, (this.#doubts.get(name) ?? 0) + 1);
  }

  /** These bytes are there: repositories that had only a link to them have them again. */
  noteBytes(digest: Digest): void {
    for (const name of this.remnants.takeLost(digest)) this.distrust(name);
  }

  /** Compares what `distrust` named; what still cannot be recorded is left for the next time. */
  async settleDoubts(signal: AbortSignal): Promise<void> {
    for (const name of [...this.#doubts.keys()]) {
      if (signal.aborted) return;
      try {
        await this.adopt(name);
        this.#parts.logger.info("a repository agrees with the storage again", { repository: name });
      } catch (error) {
        const fields = { repository: name, error };
        this.#parts.logger.warn("a repository is still served from the storage alone", fields);
        return;
      }
    }
  }

  progress(): AdoptionProgress {
    const isCompared = this.#isComplete;
    const isComplete = isCompared && this.#doubts.size === 0;
    return { isComplete, isCompared, checked: this.#checked, changed: this.#changed };
  }

  /** Adopts the whole registry in the background; ends early, without harm, on `signal`. */
  async run(signal: AbortSignal): Promise<void> {
    try {
      this.#pass = signal;
      await this.#adoptAll(signal, (name) => this.#adoptOrReport(name, signal));
    } catch (error) {
      // Unadopted repositories go on being served from the layout: slower, never wrong.
      this.#report("comparing the metadata with the storage failed", { error });
    }
  }

  /**
   * Repeats a `run` that failed, until everything is compared: collection and retention wait for
   * it, and a disk may have stumbled for a moment only.
   */
  async retry(sleep: Sleep, signal: AbortSignal): Promise<void> {
    for (let waitMs = retryMsMin; !this.#isComplete; waitMs = Math.min(2 * waitMs, retryMsMax)) {
      await sleep(waitMs, signal);
      if (signal.aborted) return;
      await this.run(signal);
    }
  }

  /** Reads everything again, whatever the stamps say; false when the signal has ended it. */
  async rebuild(signal: AbortSignal, onRepository?: () => void): Promise<boolean> {
    try {
      await this.#adoptAll(signal, async (name) => {
        await this.#adopt(name, { trustsStamps: false, signal });
        onRepository?.();
        return true;
      });
    } catch (error) {
      if (!signal.aborted) throw error;
    }
    return !signal.aborted;
  }

  /** @param adopt false when the repository could not be compared. */
  async #adoptAll(
    signal: AbortSignal,
    adopt: (name: RepositoryName) => Promise<boolean>,
  ): Promise<void> {
    const { links, logger, clock } = this.#parts;
    const startedMs = clock.monotonicMs();
    this.#reportedMs = startedMs;
    const seen = new Set<RepositoryName>();
    let failed = 0;
    for await (const name of links.listRepositories()) {
      if (signal.aborted) return;
      seen.add(name);
      this.#comparing = name;
      if (!(await adopt(name))) failed += 1;
      this.#reportProgress();
    }
    this.#comparing = undefined;
    if (signal.aborted) return;
    await this.#forgetVanished(seen);
    this.#isComplete = failed === 0;
    if (this.#isComplete && !(await this.#hasKnownAll())) {
      await this.#parts.metadata.writeState(completedKey, "1");
      this.#knewAll = true;
    }
    const durationMs = Math.round(clock.monotonicMs() - startedMs);
    const counts = { repositories: seen.size, changed: this.#changed, failed };
    if (this.#isComplete) {
      this.#reported.clear();
      logger.info("the metadata agrees with the storage", { ...counts, durationMs });
    } else {
      this.#report("some repositories are served from the storage alone for now", counts);
    }
  }

  /** Makes one repository current; joins the work when it is under way. */
  async adopt(name: RepositoryName, signal?: AbortSignal): Promise<void> {
    const how = { trustsStamps: true, ...(signal && { signal }) };
    // Again, when a write was missed after the comparison that was joined had begun.
    while (!this.isCurrent(name)) {
      const joined = this.#running.get(name);
      const running = joined ?? this.#adopt(name, how);
      this.#running.set(name, running);
      try {
        await (joined && signal ? orAborted(joined, signal) : running);
      } catch (error) {
        // The pass was told to end, and who joined it here was not.
        const isOther = signal === undefined && this.#pass?.aborted === true;
        if (!isOther || error !== this.#pass?.reason) throw error;
      } finally {
        this.#running.delete(name);
      }
    }
  }

  /** Reads one repository again, whatever the stamps say: something in the layout was mended. */
  async refresh(name: RepositoryName): Promise<void> {
    await this.#adopt(name, { trustsStamps: false });
  }

  /** What the layout says of a repository, as the metadata store would record it. */
  read(name: RepositoryName, signal?: AbortSignal): Promise<RepositoryContent> {
    const onStep = (): void => this.#step(signal);
    return readRepository(name, { ...this.#parts, remnants: this.remnants, onStep });
  }

  /** One repository may take minutes: so this is asked at each of its links. */
  #step(signal: AbortSignal | undefined): void {
    signal?.throwIfAborted();
    this.#reportProgress();
  }

  #reportProgress(): void {
    const { clock, logger } = this.#parts;
    if (this.#comparing === undefined) return;
    const nowMs = clock.monotonicMs();
    if (nowMs - this.#reportedMs < progressIntervalMs) return;
    this.#reportedMs = nowMs;
    const fields = { repositories: this.#checked, repository: this.#comparing };
    logger.info("comparing the metadata with the storage", fields);
  }

  async #adoptOrReport(name: RepositoryName, signal: AbortSignal): Promise<boolean> {
    try {
      await this.adopt(name, signal);
      return true;
    } catch (error) {
      if (signal.aborted) return false;
      this.#report("a repository could not be compared with the storage", {
        repository: name,
        error,
      });
      return false;
    }
  }

  #report(message: string, fields: Readonly<Record<string, unknown>>): void {
    const cause = JSON.stringify([message, ...Object.values(fields).map(String)]);
    if (this.#reported.has(cause)) return;
    this.#reported.add(cause);
    this.#parts.logger.error(message, fields);
  }

  async #adopt(name: RepositoryName, how: Comparison): Promise<void> {
    const { locks } = this.#parts;
    const doubt = this.#doubts.get(name);
    let isDone = false;
    for (let attempt = 0; attempt < attemptsBesidePushes && !isDone; attempt += 1) {
      isDone = await this.#compareOnce(name, how);
    }
    // A repository that is pushed to all the time: its pushes wait for once.
    if (!isDone) {
      isDone = await locks.exclusive(repositoryLock(name), () => this.#compareOnce(name, how));
    }
    if (!isDone) throw new Error(`another process keeps changing ${name}`);
    this.#current.add(name);
    if (doubt !== undefined && this.#doubts.get(name) === doubt) this.#doubts.delete(name);
    this.#checked += 1;
  }

  /**
   * False when something was recorded while the layout was read: what was read may be outdated.
   * A push writes its link before it records it, so whatever this look misses is recorded after.
   */
  async #compareOnce(name: RepositoryName, how: Comparison): Promise<boolean> {
    const { metadata } = this.#parts;
    const before = await metadata.snapshotOf(name);
    if (how.trustsStamps && (await this.#isSame(name, before, how.signal))) return true;
    const found = await this.read(name, how.signal);
    const isKnown = (await this.#hasKnownAll()) && (await metadata.hasRepository(name));
    if (isKnown) await recordFoundMoves(name, { recorded: before, found }, this.#parts);
    else await recordMovesSinceHistory(name, found, this.#parts);
    const isReplaced = await metadata.replaceRepository(name, found, {
      revision: before.revision,
      ...(how.signal && { signal: how.signal }),
    });
    if (isReplaced) this.#changed += 1;
    return isReplaced;
  }

  /**
   * True when the metadata have known the whole storage once. Before that, tags are not there
   * because nobody has looked, and a history of a fresh volume would be invented.
   */
  async #hasKnownAll(): Promise<boolean> {
    this.#knewAll ??= (await this.#parts.metadata.readState(completedKey)) !== undefined;
    return this.#knewAll;
  }

  /**
   * Compares names and stamps; reads nothing. That a manifest or a blob has a folder says nothing:
   * a deletion that was broken off leaves it without its link, and the row it did not come to.
   */
  async #isSame(
    name: RepositoryName,
    recorded: RepositorySnapshot,
    signal: AbortSignal | undefined,
  ): Promise<boolean> {
    const { links } = this.#parts;
    // Each look at a link is so quick that it does not leave the thread.
    const turns = new Turns();
    const revisions = await links.listRevisions(name);
    if (revisions.length !== recorded.manifests.size) return false;
    for (const digest of revisions) {
      await turns.step();
      this.#step(signal);
      if (!recorded.manifests.has(digest)) return false;
      if (!(await links.hasLinkOf("revision", name, digest))) return false;
    }
    const layers = await links.listLayers(name);
    if (layers.length !== recorded.blobs.size) return false;
    for (const digest of layers) {
      await turns.step();
      this.#step(signal);
      if (!recorded.blobs.has(digest)) return false;
      if (!(await links.hasLinkOf("layer", name, digest))) return false;
    }
    const tags = await links.listTags(name);
    if (tags.length !== recorded.tags.size) return false;
    // Folders without a link: a crash broke off their removal, or an upload is about to begin.
    if (revisions.length + layers.length + tags.length === 0) this.remnants.add(name);
    for (const tag of tags) {
      this.#step(signal);
      const stamp = recorded.tags.get(tag)?.stamp;
      if (stamp === undefined || (await links.stampOfTag(name, tag)) !== stamp) return false;
    }
    return true;
  }

  /** Repositories that are recorded but have no folder any more. */
  async #forgetVanished(seen: ReadonlySet<RepositoryName>): Promise<void> {
    const { metadata, locks, links } = this.#parts;
    for await (const name of recordedRepositories(metadata)) {
      if (seen.has(name)) continue;
      await locks.exclusive(repositoryLock(name), async () => {
        // Pushed since the walk went by? Then it is there now.
        if ((await links.listRevisions(name)).length > 0) return;
        if ((await links.listLayers(name)).length > 0) return;
        const recorded = await metadata.snapshotOf(name);
        if (await this.#hasKnownAll()) {
          await recordFoundMoves(name, { recorded, found: { tags: [] } }, this.#parts);
        }
        // Killed while it removed them, nobody may ever have listed these folders again.
        await links.removeIfEmpty(name);
        await metadata.removeRepository(name);
      });
    }
  }
}

interface AdoptionParts {
  readonly links: LinkStore;
  readonly blobs: BlobStore;
  readonly metadata: MetadataStore;
  readonly activity: ActivityStore;
  readonly reader: ManifestReader;
  readonly locks: SharedLocks;
  readonly clock: Clock;
  readonly logger: Logger;
}
