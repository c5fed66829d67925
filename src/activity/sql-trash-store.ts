import { assert } from "../base/assert.ts";
import type { Database, Transaction } from "../database/database.ts";
import type { Digest } from "../oci/digest.ts";
import type { RepositoryName } from "../oci/repository-name.ts";
import { actorOf, actorRow } from "./actor-columns.ts";
import { GroupCommit } from "./group-commit.ts";
import { beforeNewest, type PageBack } from "./records.ts";
import type { ActivityTables } from "./tables.ts";
import { prepareTrashReading, prepareTrashWriting, type TrashRow } from "./trash-statements.ts";
import type {
  NewTrashEntry,
  TrashEntry,
  TrashedNameKey,
  TrashPage,
  TrashStore,
} from "./trash-store.ts";

/** The trash of names in the database of the records. */
export class SqlTrashStore implements TrashStore {
  readonly #database: Database<ActivityTables>;
  readonly #reading: ReturnType<typeof prepareTrashReading>;
  readonly #writing: ReturnType<typeof prepareTrashWriting>;
  readonly #additions = new GroupCommit<readonly NewTrashEntry[]>((groups) =>
    this.#write(groups.flat()),
  );

  constructor(database: Database<ActivityTables>) {
    this.#database = database;
    this.#reading = prepareTrashReading(database);
    this.#writing = prepareTrashWriting(database);
  }

  add(entries: readonly NewTrashEntry[]): Promise<void> {
    return this.#additions.add(entries);
  }

  /** Resolves when what was added is written, or has failed. */
  settled(): Promise<void> {
    return this.#additions.settled();
  }

  async list(page: TrashPage): Promise<readonly TrashEntry[]> {
    const { repository, operation, before = beforeNewest, limit } = page;
    const args = { before, limit };
    if (operation !== undefined) {
      const filter = { ...args, operation, repository: repository ?? ("" as const) };
      return entriesOf(await this.#database.all(this.#reading.ofOperation, filter));
    }
    return entriesOf(
      await (repository === undefined
        ? this.#database.all(this.#reading.all, args)
        : this.#database.all(this.#reading.ofRepository, { ...args, repository })),
    );
  }

  async find(id: number): Promise<TrashEntry | undefined> {
    const row = await this.#database.first(this.#reading.byId, { id });
    return row === undefined ? undefined : entryOf(row);
  }

  async ofManifest(
    repository: RepositoryName,
    digest: Digest,
    { before = beforeNewest, limit }: PageBack,
  ): Promise<readonly TrashEntry[]> {
    const args = { repository, digest, before, limit };
    return entriesOf(await this.#database.all(this.#reading.ofManifest, args));
  }

  async lastRemovalOf(repository: RepositoryName): Promise<string | undefined> {
    const args = { repository, action: "delete repository" } as const;
    return (await this.#database.first(this.#reading.lastOfAction, args))?.operation;
  }

  async keptBy(id: number): Promise<readonly Digest[]> {
    const rows = await this.#database.all(this.#reading.keptBy, { id });
    return rows.map((row) => row.digest);
  }

  async keptAmong(digests: readonly Digest[]): Promise<ReadonlySet<Digest>> {
    const args = { digests: JSON.stringify(digests) };
    const rows = await this.#database.all(this.#reading.keptAmong, args);
    return new Set(rows.map((row) => row.digest));
  }

  async keepersOf(digest: Digest, limit: number): Promise<readonly TrashEntry[]> {
    return entriesOf(await this.#database.all(this.#reading.keepers, { digest, limit }));
  }

  async expired(nowMs: number, limit: number): Promise<readonly TrashEntry[]> {
    const args = { nowMs: Math.floor(nowMs), limit };
    return entriesOf(await this.#database.all(this.#reading.expired, args));
  }

  removeName({ repository, digest, tag }: TrashedNameKey): Promise<void> {
    const kind = tag === undefined ? "manifest" : "tag";
    return this.#database.transaction(async (transaction) => {
      const name = { repository, digest, kind, tag: tag ?? "" } as const;
      await transaction.run(this.#writing.removeSame, name);
    });
  }

  remove(ids: readonly number[]): Promise<void> {
    const rows = ids.map((id) => ({ id }));
    return this.#database.transaction((transaction) =>
      transaction.runAll(this.#writing.remove, rows),
    );
  }

  #write(entries: readonly NewTrashEntry[]): Promise<void> {
    return this.#database.transaction(async (transaction) => {
      for (const entry of entries) await this.#writeEntry(transaction, entry);
    });
  }

  async #writeEntry(transaction: Transaction, entry: NewTrashEntry): Promise<void> {
    const { repository, digest, kind, operation, action, mediaType } = entry;
    const tag = entry.kind === "tag" ? entry.tag : ("" as const);
    const name = { kind, repository, tag, digest };
    await transaction.run(this.#writing.removeSame, name);
    const row = await transaction.first(this.#writing.entry, {
      ...actorRow(entry.by),
      ...name,
      ...{ operation, action, mediaType },
      sizeBytes: entry.sizeBytes,
      atMs: Math.floor(entry.atMs),
      expiresAtMs: Math.floor(entry.expiresAtMs),
    });
    assert(row !== undefined, "an insert gives the row");
    const trashId = row.id;
    await transaction.runAll(
      this.#writing.blob,
      [...new Set(entry.keeps)].map((kept) => ({ trashId, digest: kept })),
    );
  }
}

function entriesOf(rows: readonly TrashRow[]): readonly TrashEntry[] {
  return rows.map(entryOf);
}

function entryOf(row: TrashRow): TrashEntry {
  const { operation, action, repository, digest, tag } = row;
  return {
    id: Number(row.id),
    ...{ operation, action, repository, digest },
    mediaType: row.media_type,
    sizeBytes: Number(row.size_bytes),
    atMs: Number(row.at_ms),
    expiresAtMs: Number(row.expires_at_ms),
    by: actorOf(row),
    ...(tag === "" ? { kind: "manifest" } : { kind: "tag", tag }),
  };
}
