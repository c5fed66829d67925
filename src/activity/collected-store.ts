import type { Database } from "../database/database.ts";
import type { Placeholders } from "../database/statement.ts";
import type { Digest } from "../oci/digest.ts";
import type { ActivityTables } from "./tables.ts";

/** A blob that collection has ended, for whoever asks where it went. */
export interface CollectedBlob {
  readonly digest: Digest;
  readonly sizeBytes: number;
  readonly atMs: number;
  /** When a client was last told of it. */
  readonly touchedAtMs: number;
  /** When it went to the trash. */
  readonly trashedAtMs: number;
  /** Repositories that held it at last, the first few; for people. */
  readonly heldBy: string;
}

/** Why a blob is gone is of interest for a season. */
const keptMs = 90 * 86_400_000;

/** What collection has ended in the last 90 days. */
export class CollectedStore {
  readonly #database: Database<ActivityTables>;
  readonly #statements: ReturnType<typeof prepare>;

  constructor(database: Database<ActivityTables>) {
    this.#database = database;
    this.#statements = prepare(database);
  }

  /** Resolves when the entries are durable; older ones go. */
  async record(blobs: readonly CollectedBlob[]): Promise<void> {
    const newestMs = Math.max(...blobs.map((blob) => blob.atMs));
    await this.#database.transaction(async (transaction) => {
      await transaction.runAll(
        this.#statements.insert,
        blobs.map(({ digest, sizeBytes, heldBy, ...times }) => ({
          digest,
          sizeBytes,
          heldBy,
          atMs: Math.floor(times.atMs),
          touchedAtMs: Math.floor(times.touchedAtMs),
          trashedAtMs: Math.floor(times.trashedAtMs),
        })),
      );
      await transaction.run(this.#statements.trim, { beforeMs: Math.floor(newestMs - keptMs) });
    });
  }

  /** The last time that the blob was ended, or undefined. */
  async find(digest: Digest): Promise<CollectedBlob | undefined> {
    const row = await this.#database.first(this.#statements.find, { digest });
    if (row === undefined) return undefined;
    return {
      digest,
      sizeBytes: Number(row.size_bytes),
      atMs: Number(row.at_ms),
      touchedAtMs: Number(row.touched_at_ms),
      trashedAtMs: Number(row.trashed_at_ms),
      heldBy: row.held_by,
    };
  }
}

type Row = {
  readonly digest: Digest;
  readonly sizeBytes: number;
  readonly atMs: number;
  readonly touchedAtMs: number;
  readonly trashedAtMs: number;
  readonly heldBy: string;
};

function prepare(database: Database<ActivityTables>) {
  return {
    insert: database.prepare((query, param: Placeholders<Row>) =>
      query.insertInto("collected").values({
        digest: param.digest,
        size_bytes: param.sizeBytes,
        at_ms: param.atMs,
        touched_at_ms: param.touchedAtMs,
        trashed_at_ms: param.trashedAtMs,
        held_by: param.heldBy,
      }),
    ),
    trim: database.prepare((query, param: Placeholders<{ readonly beforeMs: number }>) =>
      query.deleteFrom("collected").where("at_ms", "<", param.beforeMs),
    ),
    find: database.prepare((query, param: Placeholders<{ readonly digest: Digest }>) =>
      query
        .selectFrom("collected")
        .selectAll()
        .where("digest", "=", param.digest)
        .orderBy("id", "desc")
        .limit(1),
    ),
  };
}
