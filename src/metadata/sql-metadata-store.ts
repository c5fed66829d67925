import { type Clock, systemClock } from "../base/clock.ts";
import { type Logger, silentLogger } from "../base/logger.ts";
import { damageWatch, isDamage, noteDamage } from "../database/damaged-file.ts";
import type { Database, DatabaseLocation, RoomReserve, Transaction } from "../database/database.ts";
import { openDatabase } from "../database/open-database.ts";
import type { Descriptor } from "../oci/descriptor.ts";
import type { Digest } from "../oci/digest.ts";
import type { ManifestMediaType } from "../oci/media-type.ts";
import { RegistryError } from "../oci/problems.ts";
import type { RepositoryName } from "../oci/repository-name.ts";
import type { Tag } from "../oci/tag.ts";
import type { CollectionStore } from "./collection-store.ts";
import { prepareListings, prepareLookups, prepareSnapshots } from "./lookups.ts";
import { fingerprintOf } from "./manifest-rows.ts";
import type {
  BlobRecord,
  ManifestRecord,
  ManifestStat,
  MetadataStore,
  Page,
  RepositoryContent,
  RepositorySnapshot,
  TagRecord,
} from "./metadata-store.ts";
import { Recorder, type RowId } from "./recording.ts";
import { prepareView, type RepositoryView, readView } from "./repository-view.ts";
import { SqlCollectionStore } from "./sql-collection-store.ts";
import { type MetadataTables, metadataMigrations } from "./tables.ts";

export interface MetadataOptions {
  readonly logger?: Pick<Logger, "error">;
  readonly reserve?: RoomReserve | undefined;
}

/** Opens the derived store, or makes an empty one. `:memory:` is the store of the memory driver. */
export async function openMetadataStore(
  location: DatabaseLocation,
  clock: Clock = systemClock,
  { logger = silentLogger, reserve }: MetadataOptions = {},
): Promise<MetadataStore> {
  const onFailure = damageWatch((cause) => {
    noteDamage(location);
    logger.error(damageSentence, { error: cause });
  });
  const opening = openDatabase<MetadataTables>(location, {
    migrations: metadataMigrations,
    durability: "derived",
    reserve,
    refuse(reason, cause) {
      onFailure(cause);
      return new RegistryError(reason, {}, { cause });
    },
  });
  try {
    return new SqlMetadataStore(await opening, clock);
  } catch (error) {
    // What it says of damage goes to whoever starts the program.
    if (error instanceof Error && isDamage(error.cause)) noteDamage(location);
    throw error;
  }
}

const damageSentence =
  "the metadata database is damaged, and some requests are refused: restart the registry, which " +
  "then makes it anew from the storage; and look whether the disk fails";

const nothing = { manifests: 0, tags: 0 };

/** The revision of a repository that is not recorded. */
const revisionOfNone = "0";

class SqlMetadataStore implements MetadataStore {
  readonly #database: Database<MetadataTables>;
  readonly #lookups: ReturnType<typeof prepareLookups>;
  readonly #listings: ReturnType<typeof prepareListings>;
  readonly #snapshots: ReturnType<typeof prepareSnapshots>;
  readonly #view: ReturnType<typeof prepareView>;
  readonly #recorder: Recorder;
  readonly collection: CollectionStore;

  constructor(database: Database<MetadataTables>, clock: Clock) {
    this.#database = database;
    this.#lookups = prepareLookups(database);
    this.#listings = prepareListings(database);
    this.#snapshots = prepareSnapshots(database);
    this.#recorder = new Recorder(database, clock);
    this.collection = new SqlCollectionStore(database);
    this.#view = prepareView(database);
  }

  async findTag(repository: RepositoryName, tag: Tag): Promise<ManifestStat | undefined> {
    return statOf(await this.#database.first(this.#lookups.findTag, { repository, tag }));
  }

  async findManifest(
    repository: RepositoryName,
    digest: Digest,
  ): Promise<ManifestStat | undefined> {
    return statOf(await this.#database.first(this.#lookups.findManifest, { repository, digest }));
  }

  async findBlob(repository: RepositoryName, digest: Digest): Promise<number | undefined> {
    const row = await this.#database.first(this.#lookups.findBlob, { repository, digest });
    return row === undefined ? undefined : Number(row.size_bytes);
  }

  async hasRepository(repository: RepositoryName): Promise<boolean> {
    const row = await this.#database.first(this.#lookups.findRepository, { repository });
    return row !== undefined;
  }

  async repositoriesWithBlob(digest: Digest, limit: number): Promise<readonly RepositoryName[]> {
    const statement = this.#lookups.repositoriesWithBlob;
    return namesOf(await this.#database.all(statement, { digest, limit }));
  }

  async repositoriesNaming(digest: Digest, limit: number): Promise<readonly RepositoryName[]> {
    const statement = this.#lookups.repositoriesNaming;
    return namesOf(await this.#database.all(statement, { digest, limit }));
  }

  async listTags(repository: RepositoryName, page: Page): Promise<readonly string[]> {
    const args = { repository, after: page.after ?? "", limit: page.limit };
    return namesOf(await this.#database.all(this.#listings.tags, args));
  }

  async listRepositories(page: Page): Promise<readonly string[]> {
    const args = { after: page.after ?? "", limit: page.limit };
    return namesOf(await this.#database.all(this.#listings.repositories, args));
  }

  async listRecorded(page: Page): Promise<readonly RepositoryName[]> {
    const args = { after: page.after ?? "", limit: page.limit };
    return namesOf(await this.#database.all(this.#listings.recorded, args));
  }

  async listReferrers(
    repository: RepositoryName,
    subject: Digest,
    page: Page & { readonly artifactType?: string },
  ): Promise<readonly Descriptor[]> {
    const rows = await this.#database.all(this.#listings.referrers, {
      repository,
      subject,
      after: page.after ?? "",
      limit: page.limit,
      artifactType: page.artifactType ?? "",
    });
    return descriptorsOf(rows);
  }

  async tagsOfManifest(
    repository: RepositoryName,
    digest: Digest,
    limit: number,
  ): Promise<readonly Tag[]> {
    const args = { repository, digest, limit };
    return namesOf(await this.#database.all(this.#listings.tagsOfManifest, args));
  }

  async parentsOf(
    repository: RepositoryName,
    digest: Digest,
    limit: number,
  ): Promise<readonly Digest[]> {
    const args = { repository, digest, limit };
    const rows = await this.#database.all(this.#listings.parents, args);
    return rows.map((row) => row.digest);
  }

  viewOf(repository: RepositoryName): Promise<RepositoryView> {
    return readView(this.#database, this.#view, repository);
  }

  async isManifestAnywhere(digest: Digest): Promise<boolean> {
    return (await this.#database.first(this.#view.manifestAnywhere, { digest })) !== undefined;
  }

  recordBlob(repository: RepositoryName, blob: BlobRecord): Promise<void> {
    return this.#record(repository, (transaction, id) =>
      this.#recorder.writeBlobs(transaction, id, [blob]),
    );
  }

  removeBlob(repository: RepositoryName, digest: Digest): Promise<void> {
    return this.#record(repository, (transaction, id) =>
      this.#recorder.unlinkBlobs(transaction, id, [digest]),
    );
  }

  recordManifest(repository: RepositoryName, record: ManifestRecord): Promise<void> {
    return this.recordPush(repository, record, []);
  }

  recordTag(repository: RepositoryName, tag: TagRecord): Promise<void> {
    return this.#record(repository, (transaction, id) =>
      this.#recorder.writeTags(transaction, id, [tag]),
    );
  }

  recordPush(
    repository: RepositoryName,
    record: ManifestRecord,
    tags: readonly TagRecord[],
  ): Promise<void> {
    return this.#record(repository, async (transaction, id) => {
      await this.#recorder.writeManifest(transaction, id, record);
      await this.#recorder.writeTags(transaction, id, tags);
    });
  }

  removeManifest(repository: RepositoryName, digest: Digest): Promise<void> {
    return this.#record(repository, async (transaction, id) => {
      await this.#recorder.removeTagsOf(transaction, id, digest);
      await this.#recorder.removeManifests(transaction, id, [digest]);
    });
  }

  removeTag(repository: RepositoryName, tag: Tag): Promise<void> {
    return this.#record(repository, (transaction, id) =>
      this.#recorder.removeTags(transaction, id, [tag]),
    );
  }

  removeRepository(repository: RepositoryName): Promise<void> {
    return this.#database.transaction((transaction) =>
      this.#recorder.removeRepository(transaction, repository),
    );
  }

  async snapshotOf(repository: RepositoryName): Promise<RepositorySnapshot> {
    // The revision is read first: what is recorded while the rest is read makes it outdated.
    const row = await this.#database.first(this.#lookups.findRepository, { repository });
    const repositoryId = row?.id ?? 0;
    const tags = await this.#database.all(this.#snapshots.tags, { repositoryId });
    const manifests = await this.#database.all(this.#snapshots.manifests, { repositoryId });
    const blobs = await this.#database.all(this.#snapshots.blobs, { repositoryId });
    return {
      revision: revisionOf(row),
      tags: new Map(tags.map(({ name, digest, stamp }) => [name, { digest, stamp }])),
      manifests: new Map(manifests.map(({ digest, fingerprint }) => [digest, fingerprint])),
      blobs: new Map(blobs.map(({ digest, size_bytes }) => [digest, Number(size_bytes)])),
    };
  }

  replaceRepository(
    repository: RepositoryName,
    content: RepositoryContent,
    revision: string,
  ): Promise<boolean> {
    return this.#database.transaction(async (transaction) => {
      const row = await transaction.first(this.#lookups.findRepository, { repository });
      if (revisionOf(row) !== revision) return false;
      const id = await this.#recorder.touchRepository(transaction, repository);
      // In PostgreSQL another transaction may have come between that look and the lock.
      const expected = { id: row?.id ?? id, revision: Number(row?.revision ?? 0) + 1 };
      const locked = await transaction.first(this.#lookups.findRepository, { repository });
      if (revisionOf(locked) !== revisionOf(expected)) return false;
      await this.#replaceBlobs(transaction, id, content.blobs);
      await this.#replaceManifests(transaction, id, content.manifests);
      await this.#replaceTags(transaction, id, content.tags);
      await this.#recorder.writeUnreadable(transaction, id, content.unreadable ?? nothing);
      return true;
    });
  }

  async readState(key: string): Promise<string | undefined> {
    return (await this.#database.first(this.#lookups.readState, { key }))?.value;
  }

  writeState(key: string, value: string): Promise<void> {
    return this.#database.transaction((transaction) =>
      this.#recorder.writeState(transaction, key, value),
    );
  }

  close(): Promise<void> {
    return this.#database.close();
  }

  /**
   * A removal makes the repository's row as well: somebody may have read the layout before it and
   * be about to record all of that, and only the revision tells that it is outdated.
   */
  #record(
    repository: RepositoryName,
    write: (transaction: Transaction, id: RowId) => Promise<void>,
  ): Promise<void> {
    return this.#database.transaction(async (transaction) => {
      await write(transaction, await this.#recorder.touchRepository(transaction, repository));
    });
  }

  async #replaceBlobs(
    transaction: Transaction,
    repositoryId: RowId,
    blobs: readonly BlobRecord[],
  ): Promise<void> {
    const rows = await transaction.all(this.#snapshots.blobs, { repositoryId });
    const known = new Map(rows.map((row) => [row.digest, Number(row.size_bytes)]));
    const wanted = new Set(blobs.map((blob) => blob.digest));
    const gone = [...known.keys()].filter((digest) => !wanted.has(digest));
    const changed = blobs.filter((blob) => known.get(blob.digest) !== blob.sizeBytes);
    await this.#recorder.unlinkBlobs(transaction, repositoryId, gone);
    await this.#recorder.writeBlobs(transaction, repositoryId, changed);
  }

  async #replaceManifests(
    transaction: Transaction,
    repositoryId: RowId,
    manifests: readonly ManifestRecord[],
  ): Promise<void> {
    const rows = await transaction.all(this.#snapshots.manifests, { repositoryId });
    const known = new Map(rows.map((row) => [row.digest, row]));
    const wanted = new Set(manifests.map((record) => record.digest));
    const gone = [...known.keys()].filter((digest) => !wanted.has(digest));
    await this.#recorder.removeManifests(transaction, repositoryId, gone);
    for (const record of manifests) {
      const row = known.get(record.digest);
      const isSame =
        row?.fingerprint === fingerprintOf(record) &&
        Number(row.pushed_at_ms) === Math.floor(record.pushedAtMs);
      if (!isSame) await this.#recorder.writeManifest(transaction, repositoryId, record);
    }
  }

  async #replaceTags(
    transaction: Transaction,
    repositoryId: RowId,
    tags: readonly TagRecord[],
  ): Promise<void> {
    const rows = await transaction.all(this.#snapshots.tags, { repositoryId });
    const known = new Map(rows.map((row) => [row.name, row]));
    const wanted = new Set(tags.map((record) => record.tag));
    const gone = [...known.keys()].filter((tag) => !wanted.has(tag));
    const changed = tags.filter(({ tag, digest, stamp, pushedAtMs }) => {
      const row = known.get(tag);
      if (row?.digest !== digest || row.stamp !== stamp) return true;
      return Number(row.pushed_at_ms) !== Math.floor(pushedAtMs);
    });
    await this.#recorder.removeTags(transaction, repositoryId, gone);
    await this.#recorder.writeTags(transaction, repositoryId, changed);
  }
}

interface StatRow {
  readonly digest: Digest;
  readonly media_type: ManifestMediaType;
  readonly size_bytes: number | string;
}

function statOf(row: StatRow | undefined): ManifestStat | undefined {
  if (row === undefined) return undefined;
  return { digest: row.digest, mediaType: row.media_type, sizeBytes: Number(row.size_bytes) };
}

function namesOf<Name>(rows: readonly { readonly name: Name }[]): readonly Name[] {
  return rows.map((row) => row.name);
}

/** Ids are never given twice, so a repository that was removed and made again differs too. */
function revisionOf(
  row: { readonly id: RowId; readonly revision: number | string } | undefined,
): string {
  return row === undefined ? revisionOfNone : `${row.id}.${row.revision}`;
}

interface ReferrerRow extends StatRow {
  readonly artifact_type: string | null;
  readonly key: string | null;
  readonly value: string | null;
}

/** One descriptor for all rows of a digest; each row brings one annotation, or none. */
function descriptorsOf(rows: readonly ReferrerRow[]): readonly Descriptor[] {
  const groups = Map.groupBy(rows, (row) => row.digest);
  return [...groups.values()].flatMap((group) => {
    const [first] = group;
    if (first === undefined) return [];
    const { artifact_type: artifactType } = first;
    const annotations = group.flatMap(({ key, value }): [string, string][] =>
      key === null || value === null ? [] : [[key, value]],
    );
    return {
      mediaType: first.media_type,
      digest: first.digest,
      sizeBytes: Number(first.size_bytes),
      ...(artifactType === null ? {} : { artifactType }),
      ...(annotations.length === 0 ? {} : { annotations: Object.fromEntries(annotations) }),
    };
  });
}
