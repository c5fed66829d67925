import { type ExpressionBuilder, type Kysely, sql } from "kysely";
import type { Database } from "../database/database.ts";
import { type Placeholders, textsOf } from "../database/statement.ts";
import type { Digest } from "../oci/digest.ts";
import type { RepositoryName } from "../oci/repository-name.ts";
import { blobId } from "./subqueries.ts";
import type { MetadataTables } from "./tables.ts";

type Query = Kysely<MetadataTables>;
type OfDigest = { readonly digest: Digest };
/** Digests as a JSON array. */
type OfDigests = { readonly digests: string };
type Limited = { readonly limit: number };
/** Rows by their ids: a walk that is split into pieces of known cost. */
type Window = { readonly after: number; readonly upTo: number; readonly touchedBeforeMs: number };

export function prepareCollectionReading(database: Database<MetadataTables>) {
  return {
    ...prepareStates(database),
    ...prepareWindows(database),
    ...prepareRepositories(database),
  };
}

/** The columns of a blob's state; `manifest_id` is that of one manifest that references it. */
function states(query: Query) {
  return query
    .selectFrom("blobs")
    .select(["blobs.digest", "blobs.size_bytes", "blobs.touched_at_ms", "blobs.trashed_at_ms"])
    .select((eb) =>
      eb
        .selectFrom("blob_references")
        .select("blob_references.manifest_id")
        .whereRef("blob_references.blob_id", "=", "blobs.id")
        .limit(1)
        .as("manifest_id"),
    );
}

function prepareStates(database: Database<MetadataTables>) {
  return {
    state: database.prepare((query, param: Placeholders<OfDigest>) =>
      states(query).where("blobs.digest", "=", param.digest),
    ),
    statesAmong: database.prepare((query, param: Placeholders<OfDigests>) =>
      states(query).where("blobs.digest", "in", textsOf(database.dialect, param.digests)),
    ),
    linksAmong: database.prepare((query, param: Placeholders<OfDigests>) =>
      query
        .selectFrom("blobs")
        .innerJoin("repository_blobs", "repository_blobs.blob_id", "blobs.id")
        .innerJoin("repositories", "repositories.id", "repository_blobs.repository_id")
        .select(["blobs.digest", "repositories.name"])
        .where("blobs.digest", "in", textsOf(database.dialect, param.digests)),
    ),
    between: database.prepare(
      (query, param: Placeholders<{ readonly first: Digest; readonly last: Digest }>) =>
        query
          .selectFrom("blobs")
          .select(["digest", "touched_at_ms"])
          .where("digest", ">=", param.first)
          .where("digest", "<=", param.last),
    ),
    references: database.prepare((query, param: Placeholders<OfDigest & Limited>) =>
      query
        .selectFrom("blob_references")
        .innerJoin("manifests", "manifests.id", "blob_references.manifest_id")
        .innerJoin("repositories", "repositories.id", "manifests.repository_id")
        .select(["repositories.name", "manifests.digest", "blob_references.role"])
        .where("blob_references.blob_id", "=", blobId(query, param))
        .orderBy("repositories.name")
        .orderBy("manifests.digest")
        .limit(param.limit),
    ),
    useIn: database.prepare(
      (query, param: Placeholders<OfDigest & { readonly repository: RepositoryName }>) =>
        query
          .selectFrom("blob_references")
          .innerJoin("manifests", "manifests.id", "blob_references.manifest_id")
          .innerJoin("repositories", "repositories.id", "manifests.repository_id")
          .select("manifests.id")
          .where("blob_references.blob_id", "=", blobId(query, param))
          .where("repositories.name", "=", param.repository)
          .limit(1),
    ),
    trashTotals: database.prepare((query) =>
      query
        .selectFrom("blobs")
        .select(({ fn }) => [
          fn.countAll<number | string>().as("count"),
          fn.sum<number | string | null>("size_bytes").as("size_bytes"),
        ])
        .where("trashed_at_ms", "is not", null),
    ),
  };
}

function prepareWindows(database: Database<MetadataTables>) {
  return {
    /** Where a piece of so many rows ends: ids have gaps, and in PostgreSQL far more than rows. */
    windowEnd: database.prepare((query, param: Placeholders<Pick<Window, "after"> & Limited>) =>
      query
        .selectFrom(
          query
            .selectFrom("blobs")
            .select("blobs.id")
            .where("blobs.id", ">", param.after)
            .orderBy("blobs.id")
            .limit(param.limit)
            .as("piece"),
        )
        .select(({ fn }) => [
          fn.countAll<number | string>().as("count"),
          fn.max<number | string | null>("piece.id").as("last"),
        ]),
    ),
    unreferenced: database.prepare((query, param: Placeholders<Window>) =>
      states(query)
        .where("blobs.id", ">", param.after)
        .where("blobs.id", "<=", param.upTo)
        .where("blobs.touched_at_ms", "<", param.touchedBeforeMs)
        .where("blobs.trashed_at_ms", "is", null)
        .where(isUnreferenced)
        .orderBy("blobs.id"),
    ),
    trashed: database.prepare(
      (query, param: Placeholders<Limited & { readonly trashedBeforeMs: number }>) =>
        states(query)
          .where("blobs.trashed_at_ms", "is not", null)
          .where("blobs.trashed_at_ms", "<", param.trashedBeforeMs)
          .orderBy("blobs.trashed_at_ms")
          .limit(param.limit),
    ),
    looseLinks: database.prepare((query, param: Placeholders<Window>) =>
      // All links but all uses, and not link by link: a base image that a thousand repositories
      // have, and ten thousand manifests name, would cost ten million look-ups.
      query
        .selectFrom(
          query
            .selectFrom("repository_blobs")
            .select(["blob_id", "repository_id"])
            .where("blob_id", ">", param.after)
            .where("blob_id", "<=", param.upTo)
            .except(
              query
                .selectFrom("blob_references")
                .innerJoin("manifests", "manifests.id", "blob_references.manifest_id")
                .select(["blob_references.blob_id", "manifests.repository_id"])
                .where("blob_references.blob_id", ">", param.after)
                .where("blob_references.blob_id", "<=", param.upTo),
            )
            .as("loose"),
        )
        .innerJoin("blobs", "blobs.id", "loose.blob_id")
        .innerJoin("repositories", "repositories.id", "loose.repository_id")
        .select(["repositories.name", "repositories.revision", "blobs.digest"])
        .where("blobs.touched_at_ms", "<", param.touchedBeforeMs)
        .where("blobs.trashed_at_ms", "is", null)
        .where("loose.blob_id", "in", (eb) =>
          eb
            .selectFrom("blob_references")
            .select("blob_references.blob_id")
            .where("blob_references.blob_id", ">", param.after)
            .where("blob_references.blob_id", "<=", param.upTo),
        ),
    ),
  };
}

function prepareRepositories(database: Database<MetadataTables>) {
  return {
    revision: database.prepare(
      (query, param: Placeholders<{ readonly repository: RepositoryName }>) =>
        query.selectFrom("repositories").select("revision").where("name", "=", param.repository),
    ),
    emptyRepositories: database.prepare((query, param: Placeholders<Limited>) =>
      query
        .selectFrom("repositories")
        .select("name")
        .where(hasNone("manifests"))
        .where(hasNone("tags"))
        .where(hasNone("repository_blobs"))
        .orderBy("name")
        .limit(param.limit),
    ),
    firstFrozen: database.prepare((query) =>
      query.selectFrom("repositories").select("id").where("unreadable_manifests", ">", 0).limit(1),
    ),
    firstLink: database.prepare((query, param: Placeholders<OfDigest>) =>
      query
        .selectFrom("repository_blobs")
        .select("repository_id")
        .where("blob_id", "=", blobId(query, param))
        .limit(1),
    ),
    frozenLink: database.prepare((query, param: Placeholders<OfDigest>) =>
      query
        .selectFrom("repository_blobs")
        .innerJoin("repositories", "repositories.id", "repository_blobs.repository_id")
        .select("repositories.id")
        .where("repository_blobs.blob_id", "=", blobId(query, param))
        .where("repositories.unreadable_manifests", ">", 0)
        .limit(1),
    ),
    frozen: database.prepare((query, param: Placeholders<Limited>) =>
      query
        .selectFrom("repositories")
        .select(["name", "unreadable_manifests", "unreadable_tags"])
        .where((eb) => eb.or([eb("unreadable_manifests", ">", 0), eb("unreadable_tags", ">", 0)]))
        .orderBy("name")
        .limit(param.limit),
    ),
  };
}

type Trashed = OfDigest & { readonly trashedAtMs: number };
type Unlinked = OfDigest & {
  readonly sizeBytes: number;
  readonly touchedAtMs: number;
  readonly trashedAtMs: number | null;
};

export function prepareCollectionWriting(database: Database<MetadataTables>) {
  return {
    ...prepareTouching(database),
    markTrashed: database.prepare((query, param: Placeholders<Trashed>) =>
      query
        .updateTable("blobs")
        .set({ trashed_at_ms: param.trashedAtMs })
        .where("digest", "=", param.digest),
    ),
    markRestored: database.prepare((query, param: Placeholders<OfDigest>) =>
      query.updateTable("blobs").set({ trashed_at_ms: null }).where("digest", "=", param.digest),
    ),
    recordUnlinked: database.prepare((query, param: Placeholders<Unlinked>) =>
      query
        .insertInto("blobs")
        .values({
          digest: param.digest,
          size_bytes: param.sizeBytes,
          touched_at_ms: param.touchedAtMs,
          trashed_at_ms: sql<number | null>`cast(${param.trashedAtMs} as bigint)`,
        })
        .onConflict((conflict) => conflict.column("digest").doNothing()),
    ),
    /** So that a comparison that has read the repository before notices that it is outdated. */
    countUp: database.prepare(
      (query, param: Placeholders<{ readonly repository: RepositoryName }>) =>
        query
          .updateTable("repositories")
          .set({ revision: sql<number>`revision + 1` })
          .where("name", "=", param.repository),
    ),
    unlink: database.prepare(
      (query, param: Placeholders<OfDigest & { readonly repository: RepositoryName }>) =>
        query
          .deleteFrom("repository_blobs")
          .where("blob_id", "=", blobId(query, param))
          .where("repository_id", "=", (eb) =>
            eb
              .selectFrom("repositories")
              .select("repositories.id")
              .where("repositories.name", "=", param.repository),
          ),
    ),
    unlinkEverywhere: database.prepare((query, param: Placeholders<OfDigest>) =>
      query
        .deleteFrom("repository_blobs")
        .where("blob_id", "=", blobId(query, param))
        .where((eb) =>
          eb.not(
            eb.exists(
              eb
                .selectFrom("blob_references")
                .select("blob_references.manifest_id")
                .whereRef("blob_references.blob_id", "=", "repository_blobs.blob_id"),
            ),
          ),
        ),
    ),
    forget: database.prepare((query, param: Placeholders<OfDigest>) =>
      query.deleteFrom("blobs").where("digest", "=", param.digest).where(isUnreferenced),
    ),
  };
}

function prepareTouching(database: Database<MetadataTables>) {
  const setWhereItIs = (than: "<" | ">") =>
    database.prepare((query, param: Placeholders<OfDigest & { readonly touchedAtMs: number }>) =>
      query
        .updateTable("blobs")
        .set({ touched_at_ms: param.touchedAtMs })
        .where("digest", "=", param.digest)
        .where("touched_at_ms", than, param.touchedAtMs),
    );
  return { touch: setWhereItIs("<"), lowerTouches: setWhereItIs(">") };
}

function isUnreferenced(eb: ExpressionBuilder<MetadataTables, "blobs">) {
  return eb.not(
    eb.exists(
      eb
        .selectFrom("blob_references")
        .select("blob_references.manifest_id")
        .whereRef("blob_references.blob_id", "=", "blobs.id"),
    ),
  );
}

function hasNone(table: "manifests" | "tags" | "repository_blobs") {
  return (eb: ExpressionBuilder<MetadataTables, "repositories">) =>
    eb.not(
      eb.exists(
        eb
          .selectFrom(table)
          .select(`${table}.repository_id`)
          .whereRef(`${table}.repository_id`, "=", "repositories.id"),
      ),
    );
}
