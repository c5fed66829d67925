import type { Database, Transaction } from "../database/database.ts";
import type { Digest } from "../oci/digest.ts";
import type { RepositoryName } from "../oci/repository-name.ts";
import { prepareCollectionReading, prepareCollectionWriting } from "./collection-statements.ts";
import {
  type BlobLink,
  type BlobState,
  type BlobUse,
  type CollectionStore,
  type FoundBlob,
  type FrozenRepository,
  type Links,
  linksOf,
  type Seen,
  type Window,
} from "./collection-store.ts";
import type { MetadataTables } from "./tables.ts";

/** What collection asks of the tables, in both dialects. */
export class SqlCollectionStore implements CollectionStore {
  readonly #database: Database<MetadataTables>;
  readonly #reading: ReturnType<typeof prepareCollectionReading>;
  readonly #writing: ReturnType<typeof prepareCollectionWriting>;

  constructor(database: Database<MetadataTables>) {
    this.#database = database;
    this.#reading = prepareCollectionReading(database);
    this.#writing = prepareCollectionWriting(database);
  }

  async unreferenced(window: Window): Promise<Seen<BlobState>> {
    const { range, next } = await this.#piece(window);
    const rows = await this.#database.all(this.#reading.unreferenced, range);
    return { found: rows.map(stateOf), next };
  }

  /** The ids of the piece, and where the next one begins. */
  async #piece({ after, scan, touchedBeforeMs }: Window) {
    const end = await this.#database.first(this.#reading.windowEnd, { after, limit: scan });
    const upTo = Number(end?.last ?? after);
    const next = Number(end?.count ?? 0) < scan ? undefined : upTo;
    return { range: { after, upTo, touchedBeforeMs: Math.floor(touchedBeforeMs) }, next };
  }

  async trashed(page: {
    readonly trashedBeforeMs: number;
    readonly limit: number;
  }): Promise<readonly BlobState[]> {
    return (await this.#database.all(this.#reading.trashed, page)).map(stateOf);
  }

  async looseLinks(window: Window): Promise<Seen<BlobLink>> {
    const { range, next } = await this.#piece(window);
    const rows = await this.#database.all(this.#reading.looseLinks, range);
    const found = rows.map((row) => ({
      repository: row.name,
      digest: row.digest,
      revision: String(row.revision),
    }));
    return { found, next };
  }

  async isLoose(repository: RepositoryName, digest: Digest): Promise<boolean> {
    const row = await this.#database.first(this.#reading.useIn, { repository, digest });
    return row === undefined;
  }

  async revisionOf(repository: RepositoryName): Promise<string | undefined> {
    const row = await this.#database.first(this.#reading.revision, { repository });
    return row === undefined ? undefined : String(row.revision);
  }

  async emptyRepositories(limit: number): Promise<readonly RepositoryName[]> {
    const rows = await this.#database.all(this.#reading.emptyRepositories, { limit });
    return rows.map((row) => row.name);
  }

  async stateOf(digest: Digest): Promise<BlobState | undefined> {
    const row = await this.#database.first(this.#reading.state, { digest });
    return row === undefined ? undefined : stateOf(row);
  }

  async statesOf(digests: readonly Digest[]): Promise<ReadonlyMap<Digest, BlobState>> {
    const args = { digests: JSON.stringify(digests) };
    const rows = await this.#database.all(this.#reading.statesAmong, args);
    return new Map(rows.map((row) => [row.digest, stateOf(row)]));
  }

  async linksTo(digests: readonly Digest[]): Promise<Links> {
    const args = { digests: JSON.stringify(digests) };
    const rows = await this.#database.all(this.#reading.linksAmong, args);
    return linksOf(rows.map(({ name: repository, digest }) => ({ repository, digest })));
  }

  async recordedAmong(digests: readonly Digest[]): Promise<ReadonlyMap<Digest, number>> {
    let [first] = digests;
    if (first === undefined) return new Map();
    let last = first;
    for (const digest of digests) {
      if (digest < first) first = digest;
      if (digest > last) last = digest;
    }
    const rows = await this.#database.all(this.#reading.between, { first, last });
    const wanted = new Set(digests);
    const recorded = rows.filter((row) => wanted.has(row.digest));
    return new Map(recorded.map((row) => [row.digest, Number(row.touched_at_ms)]));
  }

  async referencesOf(digest: Digest, limit: number): Promise<readonly BlobUse[]> {
    const rows = await this.#database.all(this.#reading.references, { digest, limit });
    return rows.map((row) => ({ repository: row.name, manifest: row.digest, role: row.role }));
  }

  async hasFrozen(): Promise<boolean> {
    return (await this.#database.first(this.#reading.firstFrozen, {})) !== undefined;
  }

  async isFrozen(digest: Digest): Promise<boolean> {
    if (!(await this.hasFrozen())) return false;
    // A blob without any link may be one whose link is among what cannot be read.
    const link = await this.#database.first(this.#reading.firstLink, { digest });
    if (link === undefined) return true;
    return (await this.#database.first(this.#reading.frozenLink, { digest })) !== undefined;
  }

  async frozenRepositories(limit: number): Promise<readonly FrozenRepository[]> {
    const rows = await this.#database.all(this.#reading.frozen, { limit });
    return rows.map((row) => ({
      repository: row.name,
      unreadableManifests: Number(row.unreadable_manifests),
      unreadableTags: Number(row.unreadable_tags),
    }));
  }

  async trashTotals(): Promise<{ readonly count: number; readonly sizeBytes: number }> {
    const row = await this.#database.first(this.#reading.trashTotals, {});
    return { count: Number(row?.count ?? 0), sizeBytes: Number(row?.size_bytes ?? 0) };
  }

  touch(digests: readonly Digest[], atMs: number): Promise<void> {
    return this.#setTouched(this.#writing.touch, digests, atMs);
  }

  lowerTouches(digests: readonly Digest[], atMs: number): Promise<void> {
    return this.#setTouched(this.#writing.lowerTouches, digests, atMs);
  }

  #setTouched(
    statement: ReturnType<typeof prepareCollectionWriting>["touch" | "lowerTouches"],
    digests: readonly Digest[],
    atMs: number,
  ): Promise<void> {
    const touchedAtMs = Math.floor(atMs);
    const rows = [...digests].sort().map((digest) => ({ digest, touchedAtMs }));
    return this.#write((transaction) => transaction.runAll(statement, rows));
  }

  markTrashed(digests: readonly Digest[], atMs: number): Promise<void> {
    const trashedAtMs = Math.floor(atMs);
    return this.#write((transaction) =>
      transaction.runAll(
        this.#writing.markTrashed,
        [...digests].sort().map((digest) => ({ digest, trashedAtMs })),
      ),
    );
  }

  markRestored(digest: Digest): Promise<void> {
    return this.#write(async (transaction) => {
      await transaction.run(this.#writing.markRestored, { digest });
    });
  }

  recordUnlinked(blobs: readonly FoundBlob[]): Promise<void> {
    const rows = [...blobs].sort((a, b) => (a.digest < b.digest ? -1 : 1));
    return this.#write((transaction) =>
      transaction.runAll(
        this.#writing.recordUnlinked,
        rows.map((row) => ({
          digest: row.digest,
          sizeBytes: row.sizeBytes,
          touchedAtMs: Math.floor(row.touchedAtMs),
          trashedAtMs: row.trashedAtMs === undefined ? null : Math.floor(row.trashedAtMs),
        })),
      ),
    );
  }

  unlink(links: Links): Promise<void> {
    // In one order for all, so that two processes cannot wait for each other's rows.
    const repositories = [...links.keys()].sort().map((repository) => ({ repository }));
    const rows = repositories.flatMap(({ repository }) =>
      [...(links.get(repository) ?? [])].sort().map((digest) => ({ repository, digest })),
    );
    return this.#write(async (transaction) => {
      await transaction.runAll(this.#writing.countUp, repositories);
      await transaction.runAll(this.#writing.unlink, rows);
    });
  }

  forget(digests: readonly Digest[], linkedIn: Iterable<RepositoryName> = []): Promise<void> {
    const rows = [...digests].sort().map((digest) => ({ digest }));
    const repositories = [...linkedIn].sort().map((repository) => ({ repository }));
    return this.#write(async (transaction) => {
      await transaction.runAll(this.#writing.countUp, repositories);
      await transaction.runAll(this.#writing.unlinkEverywhere, rows);
      await transaction.runAll(this.#writing.forget, rows);
    });
  }

  #write(work: (transaction: Transaction) => Promise<void>): Promise<void> {
    return this.#database.transaction(work);
  }
}

interface StateRow {
  readonly digest: Digest;
  readonly size_bytes: number | string | null;
  readonly touched_at_ms: number | string;
  readonly trashed_at_ms: number | string | null;
  /** Null when nothing references it. */
  readonly manifest_id: number | string | null;
}

function stateOf(row: StateRow): BlobState {
  return {
    digest: row.digest,
    sizeBytes: row.size_bytes === null ? undefined : Number(row.size_bytes),
    touchedAtMs: Number(row.touched_at_ms),
    trashedAtMs: row.trashed_at_ms === null ? undefined : Number(row.trashed_at_ms),
    isReferenced: row.manifest_id !== null,
  };
}
