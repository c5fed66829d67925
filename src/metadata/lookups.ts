import { type Expression, type ExpressionBuilder, type Kysely, sql } from "kysely";
import type { Database } from "../database/database.ts";
import type { Placeholders } from "../database/statement.ts";
import type { Digest } from "../oci/digest.ts";
import type { RepositoryName } from "../oci/repository-name.ts";
import type { Tag } from "../oci/tag.ts";
import { blobId } from "./subqueries.ts";
import type { MetadataTables } from "./tables.ts";

type Query = Kysely<MetadataTables>;
type In = { readonly repository: RepositoryName };
type OfDigest = In & { readonly digest: Digest };

/** The id as a scalar subquery: SQLite finds it in the index of names, 1 µs. */
function repositoryId(query: Query, param: Placeholders<In>) {
  return query.selectFrom("repositories").select("id").where("name", "=", param.repository);
}

/** What is asked on the path of a request: look-ups by unique keys only. */
export function prepareLookups(database: Database<MetadataTables>) {
  return {
    findManifest: database.prepare((query, param: Placeholders<OfDigest>) =>
      query
        .selectFrom("manifests")
        .select(["digest", "media_type", "size_bytes"])
        .where("repository_id", "=", repositoryId(query, param))
        .where("digest", "=", param.digest),
    ),
    findTag: database.prepare((query, param: Placeholders<In & { readonly tag: Tag }>) =>
      query
        .selectFrom("manifests")
        .select(["digest", "media_type", "size_bytes"])
        .where("repository_id", "=", repositoryId(query, param))
        .where("digest", "=", (eb) =>
          eb
            .selectFrom("tags")
            .select("tags.digest")
            .where("tags.repository_id", "=", repositoryId(query, param))
            .where("tags.name", "=", param.tag),
        ),
    ),
    findBlob: database.prepare((query, param: Placeholders<OfDigest>) =>
      query
        .selectFrom("repository_blobs")
        .innerJoin("blobs", "blobs.id", "repository_blobs.blob_id")
        .select("blobs.size_bytes")
        .where("repository_blobs.repository_id", "=", repositoryId(query, param))
        .where("repository_blobs.blob_id", "=", blobId(query, param)),
    ),
    findRepository: database.prepare((query, param: Placeholders<In>) =>
      query
        .selectFrom("repositories")
        .select(["id", "revision"])
        .where("name", "=", param.repository),
    ),
    repositoriesWithBlob: database.prepare(
      (query, param: Placeholders<{ readonly digest: Digest; readonly limit: number }>) =>
        query
          .selectFrom("repository_blobs")
          .innerJoin("repositories", "repositories.id", "repository_blobs.repository_id")
          .select("repositories.name")
          .where("repository_blobs.blob_id", "=", blobId(query, param))
          .orderBy("repository_blobs.repository_id")
          .limit(param.limit),
    ),
    repositoriesNaming: database.prepare(
      (query, param: Placeholders<{ readonly digest: Digest; readonly limit: number }>) =>
        query
          .selectFrom("blob_references")
          .innerJoin("manifests", "manifests.id", "blob_references.manifest_id")
          .innerJoin("repositories", "repositories.id", "manifests.repository_id")
          .select("repositories.name")
          .distinct()
          .where("blob_references.blob_id", "=", blobId(query, param))
          .limit(param.limit),
    ),
    readState: database.prepare((query, param: Placeholders<{ readonly key: string }>) =>
      query.selectFrom("state").select("value").where("key", "=", param.key),
    ),
  };
}

type Paged = { readonly after: string; readonly limit: number };

/** Listings: a range of one index each, in its order. */
export function prepareListings(database: Database<MetadataTables>) {
  return {
    tags: database.prepare((query, param: Placeholders<In & Paged>) =>
      query
        .selectFrom("tags")
        .select("name")
        .where("repository_id", "=", repositoryId(query, param))
        .where("name", ">", asTag(param.after))
        .orderBy("name")
        .limit(param.limit),
    ),
    repositories: database.prepare((query, param: Placeholders<Paged>) =>
      query
        .selectFrom("repositories")
        .select("name")
        .where("name", ">", asName(param.after))
        .where(hasManifest)
        .orderBy("name")
        .limit(param.limit),
    ),
    recorded: database.prepare((query, param: Placeholders<Paged>) =>
      query
        .selectFrom("repositories")
        .select("name")
        .where("name", ">", asName(param.after))
        .orderBy("name")
        .limit(param.limit),
    ),
    referrers: database.prepare((query, param: Placeholders<ReferrersArguments>) =>
      query
        .selectFrom(referrersPage(query, param).as("page"))
        .leftJoin("annotations", (join) =>
          join
            .onRef("annotations.manifest_id", "=", "page.id")
            .on("annotations.source", "=", "annotation"),
        )
        .select(["page.digest", "page.media_type", "page.size_bytes", "page.artifact_type"])
        .select(["annotations.key", "annotations.value"])
        .orderBy("page.digest")
        .orderBy("annotations.position"),
    ),
    tagsOfManifest: database.prepare(
      (query, param: Placeholders<OfDigest & { readonly limit: number }>) =>
        query
          .selectFrom("tags")
          .select("name")
          .where("repository_id", "=", repositoryId(query, param))
          .where("digest", "=", param.digest)
          .orderBy("name")
          .limit(param.limit),
    ),
    parents: database.prepare((query, param: Placeholders<OfDigest & { readonly limit: number }>) =>
      query
        .selectFrom("index_children")
        .innerJoin("manifests", "manifests.id", "index_children.manifest_id")
        .select("manifests.digest")
        .distinct()
        .where("index_children.digest", "=", param.digest)
        .where("manifests.repository_id", "=", repositoryId(query, param))
        .orderBy("manifests.digest")
        .limit(param.limit),
    ),
  };
}

type ReferrersArguments = In &
  Paged & {
    readonly subject: Digest;
    /** Empty for all: no artifact type is empty. */
    readonly artifactType: string;
  };

function referrersPage(query: Query, param: Placeholders<ReferrersArguments>) {
  return query
    .selectFrom("manifests")
    .select(["id", "digest", "media_type", "size_bytes", "artifact_type"])
    .where("repository_id", "=", repositoryId(query, param))
    .where("subject_digest", "=", param.subject)
    .where("digest", ">", asDigest(param.after))
    .where((eb) =>
      eb.or([
        eb(asText(param.artifactType), "=", ""),
        eb("artifact_type", "=", asText(param.artifactType)),
      ]),
    )
    .orderBy("digest")
    .limit(param.limit);
}

function hasManifest(eb: ExpressionBuilder<MetadataTables, "repositories">) {
  return eb.exists(
    eb
      .selectFrom("manifests")
      .select("manifests.id")
      .whereRef("manifests.repository_id", "=", "repositories.id"),
  );
}

// A page may start after any text, also one that is not a name: it is only compared.
const asTag = (text: Expression<string>) => sql<Tag>`${text}`;
const asName = (text: Expression<string>) => sql<RepositoryName>`${text}`;
const asDigest = (text: Expression<string>) => sql<Digest>`${text}`;

/** Says the type where PostgreSQL cannot see it, and keeps comparing by bytes. */
const asText = (text: Expression<string>) => sql<string>`cast(${text} as text)`;

type Piece<After> = {
  readonly repositoryId: number | string;
  readonly after: After;
  readonly limit: number;
};

/** All that is recorded of a repository, by its id, in the order of the tables' keys. */
export function prepareSnapshots(database: Database<MetadataTables>) {
  return {
    tags: database.prepare((query, param: Placeholders<Piece<string>>) =>
      query
        .selectFrom("tags")
        .select(["name", "digest", "stamp", "pushed_at_ms"])
        .where("repository_id", "=", param.repositoryId)
        .where("name", ">", asTag(param.after))
        .orderBy("name")
        .limit(param.limit),
    ),
    manifests: database.prepare((query, param: Placeholders<Piece<string>>) =>
      query
        .selectFrom("manifests")
        .select(["digest", "fingerprint", "pushed_at_ms"])
        .where("repository_id", "=", param.repositoryId)
        .where("digest", ">", asDigest(param.after))
        .orderBy("digest")
        .limit(param.limit),
    ),
    blobs: database.prepare((query, param: Placeholders<Piece<number | string>>) =>
      query
        .selectFrom("repository_blobs")
        .innerJoin("blobs", "blobs.id", "repository_blobs.blob_id")
        .select(["repository_blobs.blob_id", "blobs.digest", "blobs.size_bytes"])
        .where("repository_blobs.repository_id", "=", param.repositoryId)
        .where("repository_blobs.blob_id", ">", param.after)
        .orderBy("repository_blobs.blob_id")
        .limit(param.limit),
    ),
  };
}
