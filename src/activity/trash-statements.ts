import type { Kysely, Selectable } from "kysely";
import { sql } from "kysely";
import type { Database } from "../database/database.ts";
import { type Placeholders, textsOf } from "../database/statement.ts";
import type { Digest } from "../oci/digest.ts";
import type { RepositoryName } from "../oci/repository-name.ts";
import type { Tag } from "../oci/tag.ts";
import type { ActivityTables } from "./tables.ts";
import type { RemovalAction } from "./trash-store.ts";

type ActivityDatabase = Database<ActivityTables>;
type Query = Kysely<ActivityTables>;
export type TrashRow = Selectable<ActivityTables["trash"]>;

type In = { readonly repository: RepositoryName };
type Of = { readonly digest: Digest };
type Limited = { readonly limit: number };
type Back = Limited & { readonly before: number };
type ById = { readonly id: number };
/** The repository may be empty: then it is any. */
type OperationArguments = Back & {
  readonly operation: string;
  readonly repository: RepositoryName | "";
};

export function prepareTrashReading(database: ActivityDatabase) {
  return { ...prepareListing(database), ...prepareKeeping(database) };
}

function newestFirst(query: Query, param: Placeholders<Back>) {
  return query
    .selectFrom("trash")
    .selectAll()
    .where("id", "<", param.before)
    .orderBy("id", "desc")
    .limit(param.limit);
}

function prepareListing(database: ActivityDatabase) {
  return {
    all: database.prepare((query, param: Placeholders<Back>) => newestFirst(query, param)),
    ofRepository: database.prepare((query, param: Placeholders<Back & In>) =>
      newestFirst(query, param).where("repository", "=", param.repository),
    ),
    ofOperation: database.prepare((query, param: Placeholders<OperationArguments>) =>
      newestFirst(query, param)
        .where("operation", "=", param.operation)
        .where((eb) =>
          eb.or([
            // Says the type where PostgreSQL cannot see it.
            eb(sql<string>`cast(${param.repository} as text)`, "=", ""),
            eb("repository", "=", sql<RepositoryName>`cast(${param.repository} as text)`),
          ]),
        ),
    ),
    ofManifest: database.prepare((query, param: Placeholders<In & Of & Back>) =>
      newestFirst(query, param)
        .where("repository", "=", param.repository)
        .where("digest", "=", param.digest),
    ),
    lastOfAction: database.prepare(
      (query, param: Placeholders<In & { readonly action: RemovalAction }>) =>
        query
          .selectFrom("trash")
          .select("operation")
          .where("repository", "=", param.repository)
          .where("action", "=", param.action)
          .orderBy("id", "desc")
          .limit(1),
    ),
    byId: database.prepare((query, param: Placeholders<ById>) =>
      query.selectFrom("trash").selectAll().where("id", "=", param.id),
    ),
    expired: database.prepare((query, param: Placeholders<Limited & { readonly nowMs: number }>) =>
      query
        .selectFrom("trash")
        .selectAll()
        .where("expires_at_ms", "<", param.nowMs)
        .orderBy("expires_at_ms")
        .orderBy("id")
        .limit(param.limit),
    ),
  };
}

function prepareKeeping(database: ActivityDatabase) {
  return {
    keptBy: database.prepare((query, param: Placeholders<ById>) =>
      query
        .selectFrom("trash_blobs")
        .select("digest")
        .where("trash_id", "=", param.id)
        .orderBy("digest"),
    ),
    keptAmong: database.prepare((query, param: Placeholders<{ readonly digests: string }>) =>
      query
        .selectFrom("trash_blobs")
        .select("digest")
        .distinct()
        .where("digest", "in", textsOf(database.dialect, param.digests)),
    ),
    keepers: database.prepare((query, param: Placeholders<Of & Limited>) =>
      query
        .selectFrom("trash_blobs")
        .innerJoin("trash", "trash.id", "trash_blobs.trash_id")
        .selectAll("trash")
        .where("trash_blobs.digest", "=", param.digest)
        .orderBy("trash_blobs.trash_id", "desc")
        .limit(param.limit),
    ),
  };
}

type NameArguments = In & Of & { readonly kind: "tag" | "manifest"; readonly tag: Tag | "" };
type EntryArguments = NameArguments & {
  readonly actor: string | null;
  readonly client: string | null;
  readonly address: string | null;
  readonly operation: string;
  readonly action: RemovalAction;
  readonly mediaType: string;
  readonly sizeBytes: number;
  readonly atMs: number;
  readonly expiresAtMs: number;
};

export function prepareTrashWriting(database: ActivityDatabase) {
  return {
    entry: database.prepare((query, param: Placeholders<EntryArguments>) =>
      query
        .insertInto("trash")
        .values({
          at_ms: param.atMs,
          expires_at_ms: param.expiresAtMs,
          actor: param.actor,
          client: param.client,
          address: param.address,
          operation: param.operation,
          action: param.action,
          kind: param.kind,
          repository: param.repository,
          tag: param.tag,
          digest: param.digest,
          media_type: param.mediaType,
          size_bytes: param.sizeBytes,
        })
        .returning("id"),
    ),
    blob: database.prepare(
      (query, param: Placeholders<Of & { readonly trashId: number | string }>) =>
        query.insertInto("trash_blobs").values({ trash_id: param.trashId, digest: param.digest }),
    ),
    removeSame: database.prepare((query, param: Placeholders<NameArguments>) =>
      query
        .deleteFrom("trash")
        .where("repository", "=", param.repository)
        .where("digest", "=", param.digest)
        .where("kind", "=", param.kind)
        .where("tag", "=", param.tag),
    ),
    remove: database.prepare((query, param: Placeholders<ById>) =>
      query.deleteFrom("trash").where("id", "=", param.id),
    ),
  };
}
