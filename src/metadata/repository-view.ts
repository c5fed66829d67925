import type { Database } from "../database/database.ts";
import type { Placeholders } from "../database/statement.ts";
import type { Digest } from "../oci/digest.ts";
import type { ManifestMediaType } from "../oci/media-type.ts";
import type { RepositoryName } from "../oci/repository-name.ts";
import type { Tag } from "../oci/tag.ts";
import type { MetadataTables } from "./tables.ts";

/** A whole repository at a glance: what leads to what, for the rules that delete. */
export interface RepositoryView {
  /** True when something of it could not be read, so that nobody knows what that leads to. */
  readonly isFrozen: boolean;
  /** In the order of their names. */
  readonly tags: readonly TagView[];
  readonly manifests: readonly ManifestView[];
}

export interface TagView {
  readonly tag: Tag;
  /** May name a manifest that is not there. */
  readonly digest: Digest;
  readonly pushedAtMs: number;
}

export interface ManifestView {
  readonly digest: Digest;
  readonly kind: "image" | "index";
  readonly mediaType: ManifestMediaType;
  readonly sizeBytes: number;
  readonly pushedAtMs: number;
  /** When a client was last told that its bytes are there, in whatever repository. */
  readonly touchedAtMs: number;
  /** Need not be in the repository. */
  readonly subject?: Digest;
  /** What an index lists: manifests, or blobs in buildkit's cache indexes. */
  readonly children: readonly Digest[];
}

type ViewStatements = ReturnType<typeof prepareView>;

/** One statement a table, however many tags there are. */
export function prepareView(database: Database<MetadataTables>) {
  type In = Placeholders<{ readonly repository: RepositoryName }>;
  return {
    repository: database.prepare((query, param: In) =>
      query
        .selectFrom("repositories")
        .select(["unreadable_manifests", "unreadable_tags"])
        .where("name", "=", param.repository),
    ),
    tags: database.prepare((query, param: In) =>
      query
        .selectFrom("tags")
        .innerJoin("repositories", "repositories.id", "tags.repository_id")
        .select(["tags.name", "tags.digest", "tags.pushed_at_ms"])
        .where("repositories.name", "=", param.repository)
        .orderBy("tags.name"),
    ),
    manifests: database.prepare((query, param: In) =>
      query
        .selectFrom("manifests")
        .innerJoin("repositories", "repositories.id", "manifests.repository_id")
        .leftJoin("blobs", "blobs.digest", "manifests.digest")
        .select(["manifests.digest", "manifests.kind", "manifests.media_type"])
        .select("blobs.touched_at_ms")
        .select(["manifests.size_bytes", "manifests.pushed_at_ms", "manifests.subject_digest"])
        .where("repositories.name", "=", param.repository)
        .orderBy("manifests.digest"),
    ),
    children: database.prepare((query, param: In) =>
      query
        .selectFrom("index_children")
        .innerJoin("manifests", "manifests.id", "index_children.manifest_id")
        .innerJoin("repositories", "repositories.id", "manifests.repository_id")
        .select(["manifests.digest as parent", "index_children.digest"])
        .where("repositories.name", "=", param.repository)
        .orderBy("manifests.digest")
        .orderBy("index_children.position"),
    ),
    manifestAnywhere: database.prepare((query, param: Placeholders<{ readonly digest: Digest }>) =>
      query
        .selectFrom("blobs")
        .innerJoin("blob_references", "blob_references.blob_id", "blobs.id")
        .select("blobs.id")
        .where("blobs.digest", "=", param.digest)
        .where("blob_references.role", "=", "self")
        .limit(1),
    ),
  };
}

export async function readView(
  database: Database<MetadataTables>,
  statements: ViewStatements,
  repository: RepositoryName,
): Promise<RepositoryView> {
  // In this order: what is pushed meanwhile may be missing, but no index is seen without its
  // children, and no manifest without a tag that it had before it was read.
  const manifests = await database.all(statements.manifests, { repository });
  const children = Map.groupBy(
    await database.all(statements.children, { repository }),
    (row) => row.parent,
  );
  const tags = await database.all(statements.tags, { repository });
  const row = await database.first(statements.repository, { repository });
  return {
    isFrozen: Number(row?.unreadable_manifests ?? 0) + Number(row?.unreadable_tags ?? 0) > 0,
    tags: tags.map((row) => ({
      tag: row.name,
      digest: row.digest,
      pushedAtMs: Number(row.pushed_at_ms),
    })),
    manifests: manifests.map((row) => ({
      digest: row.digest,
      kind: row.kind,
      mediaType: row.media_type,
      sizeBytes: Number(row.size_bytes),
      pushedAtMs: Number(row.pushed_at_ms),
      touchedAtMs: Number(row.touched_at_ms ?? 0),
      ...(row.subject_digest !== null && { subject: row.subject_digest }),
      children: (children.get(row.digest) ?? []).map((child) => child.digest),
    })),
  };
}
