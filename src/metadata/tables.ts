import type { ColumnType, Generated } from "kysely";
import type { ColumnTypes, Migration } from "../database/migrations.ts";
import type { Digest } from "../oci/digest.ts";
import type { ManifestMediaType } from "../oci/media-type.ts";
import type { RepositoryName } from "../oci/repository-name.ts";
import type { Tag } from "../oci/tag.ts";

/** PostgreSQL's driver reads its 64-bit integers as text; `Number()` takes both. */
type Integer = ColumnType<number | string, number, number>;
type IntegerOrNull = ColumnType<number | string | null, number | null, number | null>;
type Id = ColumnType<number | string, number | string, never>;

/*
 * Each comment says from which file of the layout (docker/registry/v2) a column comes, so that
 * every row can be made again from there. REPO is repositories/<name>, BLOB a blob's `data`.
 *
 *   repositories ─┬─ tags
 *                 ├─ manifests ─┬─ index_children
 *                 │             ├─ manifest_layers
 *                 │             ├─ annotations
 *                 │             └─ blob_references ─┐
 *                 └─ repository_blobs ──────────── blobs
 */
export interface MetadataTables {
  repositories: {
    /** None: given here, and never given again. */
    id: Generated<number | string>;
    /** The path of the folder REPO. */
    name: RepositoryName;
    /** None: counts what was recorded, so that a slow comparison notices that it is outdated. */
    revision: Integer;
    /** Links in REPO/_manifests/revisions that cannot be read, or whose BLOB cannot. */
    unreadable_manifests: ColumnType<number | string, number | undefined, number>;
    /** Links in REPO/_manifests/tags that cannot be read. */
    unreadable_tags: ColumnType<number | string, number | undefined, number>;
  };
  tags: {
    repository_id: Id;
    /** The folder's name in REPO/_manifests/tags. */
    name: Tag;
    /** The content of REPO/_manifests/tags/<tag>/current/link. May name a manifest not there. */
    digest: Digest;
    /** The modification time of that link. */
    pushed_at_ms: Integer;
    /** Storage's stamp of that link. */
    stamp: string;
  };
  manifests: {
    /** None: given here. */
    id: Generated<number | string>;
    repository_id: Id;
    /** The content of REPO/_manifests/revisions/<algorithm>/<hex>/link. */
    digest: Digest;
    /** BLOB of the manifest: `config` or `layers` make an image, `manifests` an index. */
    kind: "image" | "index";
    /** BLOB of the manifest: `mediaType`; told from its other fields where it has none. */
    media_type: ManifestMediaType;
    /** BLOB of the manifest: `artifactType`, else `config.mediaType`. */
    artifact_type: string | null;
    /** BLOB of the manifest: `subject.digest`. */
    subject_digest: Digest | null;
    /** BLOB of the manifest: its length. */
    size_bytes: Integer;
    /** BLOB of the manifest: `config.digest`. */
    config_digest: Digest | null;
    /** BLOB of the manifest: `config.mediaType`. */
    config_media_type: string | null;
    /** BLOB of the manifest: `config.size`. */
    config_size_bytes: IntegerOrNull;
    /** BLOB of the config: `os`. */
    os: string | null;
    /** BLOB of the config: `architecture`. */
    architecture: string | null;
    /** BLOB of the config: `variant`. */
    variant: string | null;
    /** BLOB of the config: `created`. The image's claim, not a fact. */
    built_at_ms: IntegerOrNull;
    /** The modification time of the revision's link. */
    pushed_at_ms: Integer;
    /** A digest of all that the rows of this manifest were made from, but `pushed_at_ms`. */
    fingerprint: Digest;
  };
  index_children: {
    manifest_id: Id;
    /** BLOB of the index: the place in `manifests`, from 0. */
    position: Integer;
    /** BLOB of the index: `manifests[].digest`. */
    digest: Digest;
    /** BLOB of the index: `manifests[].mediaType`. Of a blob, in buildkit's cache indexes. */
    media_type: string;
    /** BLOB of the index: `manifests[].size`. */
    size_bytes: Integer;
    /** BLOB of the index: `manifests[].artifactType`. */
    artifact_type: string | null;
    /** BLOB of the index: `manifests[].platform.os`. */
    os: string | null;
    /** BLOB of the index: `manifests[].platform.architecture`. */
    architecture: string | null;
    /** BLOB of the index: `manifests[].platform.variant`. */
    variant: string | null;
    /** BLOB of the index: `manifests[].platform["os.version"]`. */
    os_version: string | null;
    /** BLOB of the index: 1 where the child's annotations say that it is buildkit's attestation. */
    is_attestation: ColumnType<number | string, 0 | 1, 0 | 1>;
  };
  manifest_layers: {
    manifest_id: Id;
    /** BLOB of the manifest: the place in `layers`, from 0. */
    position: Integer;
    /** BLOB of the manifest: `layers[].digest`. */
    digest: Digest;
    /** BLOB of the manifest: `layers[].mediaType`. */
    media_type: string;
    /** BLOB of the manifest: `layers[].size`. */
    size_bytes: Integer;
    /** BLOB of the config: `rootfs.diff_ids`. */
    diff_id: string | null;
    /** BLOB of the config: `history[].created_by` of the entry that made this layer. */
    instruction: string | null;
  };
  annotations: {
    manifest_id: Id;
    /** BLOB of the manifest: `annotations`; or BLOB of the config: `config.Labels`. */
    source: "annotation" | "label";
    /** The place in that object, from 0. */
    position: Integer;
    key: string;
    value: string;
  };
  blobs: {
    /** None: given here. */
    id: Generated<number | string>;
    /** The folder's name in blobs/<algorithm>/<2 hex>. */
    digest: Digest;
    /** BLOB: its length. Null while the digest is only named by a manifest. */
    size_bytes: IntegerOrNull;
    /**
     * None: when a client was last told of the blob, an hour exact; at first, when the row was
     * made. Losing it gives every blob its grace again.
     */
    touched_at_ms: Integer;
    /** When BLOB was found in, or moved to, the trash. Null while it is in its place. */
    trashed_at_ms: IntegerOrNull;
  };
  /** All that keeps a blob from being collected; the whole of it comes from a manifest's BLOB. */
  blob_references: {
    manifest_id: Id;
    blob_id: Id;
    /** `self` is the manifest's own bytes, `child` a blob or manifest in an index. */
    role: "self" | "config" | "layer" | "child";
  };
  repository_blobs: {
    /** Both from REPO/_layers/<algorithm>/<hex>/link. */
    repository_id: Id;
    blob_id: Id;
  };
  /** The only table that does not come from the layout: losing it repeats work, no more. */
  state: { key: string; value: string };
}

export const metadataMigrations: readonly Migration[] = [
  {
    name: "the first tables",
    statements: (types) => [
      ...repositoryTables(types),
      ...manifestTables(types),
      ...blobTables(types),
    ],
  },
  {
    name: "what collection asks",
    statements: ({ integer }) => [
      `alter table repositories add column unreadable_manifests ${integer} not null default 0`,
      `alter table repositories add column unreadable_tags ${integer} not null default 0`,
      `alter table blobs add column touched_at_ms ${integer} not null default 0`,
      `alter table blobs add column trashed_at_ms ${integer}`,
      `create index repositories_unreadable on repositories (name)
        where unreadable_manifests > 0`,
      "create index blobs_in_trash on blobs (trashed_at_ms) where trashed_at_ms is not null",
    ],
  },
];

function ofRepository(integer: string): string {
  return `repository_id ${integer} not null references repositories (id) on delete cascade`;
}

function ofManifest(integer: string): string {
  return `manifest_id ${integer} not null references manifests (id) on delete cascade`;
}

function repositoryTables({ id, integer, text, clustered }: ColumnTypes): readonly string[] {
  return [
    `create table repositories (
      id ${id},
      name ${text} not null unique,
      revision ${integer} not null
    )`,
    `create table tags (
      ${ofRepository(integer)},
      name ${text} not null,
      digest ${text} not null,
      pushed_at_ms ${integer} not null,
      stamp ${text} not null,
      primary key (repository_id, name)
    )${clustered}`,
    "create index tags_by_digest on tags (repository_id, digest, name)",
    `create table manifests (
      id ${id},
      ${ofRepository(integer)},
      digest ${text} not null,
      kind ${text} not null,
      media_type ${text} not null,
      artifact_type ${text},
      subject_digest ${text},
      size_bytes ${integer} not null,
      config_digest ${text},
      config_media_type ${text},
      config_size_bytes ${integer},
      os ${text},
      architecture ${text},
      variant ${text},
      built_at_ms ${integer},
      pushed_at_ms ${integer} not null,
      fingerprint ${text} not null,
      unique (repository_id, digest)
    )`,
    `create index manifests_by_subject on manifests (repository_id, subject_digest, digest)
      where subject_digest is not null`,
  ];
}

function manifestTables({ integer, text, clustered }: ColumnTypes): readonly string[] {
  return [
    `create table index_children (
      ${ofManifest(integer)},
      position ${integer} not null,
      digest ${text} not null,
      media_type ${text} not null,
      size_bytes ${integer} not null,
      artifact_type ${text},
      os ${text},
      architecture ${text},
      variant ${text},
      os_version ${text},
      is_attestation ${integer} not null,
      primary key (manifest_id, position)
    )${clustered}`,
    "create index index_children_by_digest on index_children (digest, manifest_id)",
    `create table manifest_layers (
      ${ofManifest(integer)},
      position ${integer} not null,
      digest ${text} not null,
      media_type ${text} not null,
      size_bytes ${integer} not null,
      diff_id ${text},
      instruction ${text},
      primary key (manifest_id, position)
    )${clustered}`,
    // A client chooses key and value, and PostgreSQL refuses a row whose part in an index is
    // longer than 2.7 kB: so neither is in the primary key, and the index has a beginning.
    `create table annotations (
      ${ofManifest(integer)},
      source ${text} not null,
      position ${integer} not null,
      key ${text} not null,
      value ${text} not null,
      primary key (manifest_id, source, position)
    )${clustered}`,
    "create index annotations_by_key on annotations (source, substr(key, 1, 200), manifest_id)",
  ];
}

function blobTables({ id, integer, text, clustered }: ColumnTypes): readonly string[] {
  return [
    `create table blobs (
      id ${id},
      digest ${text} not null unique,
      size_bytes ${integer}
    )`,
    `create table blob_references (
      ${ofManifest(integer)},
      blob_id ${integer} not null references blobs (id),
      role ${text} not null,
      primary key (manifest_id, blob_id, role)
    )${clustered}`,
    "create index blob_references_by_blob on blob_references (blob_id)",
    `create table repository_blobs (
      ${ofRepository(integer)},
      blob_id ${integer} not null references blobs (id),
      primary key (repository_id, blob_id)
    )${clustered}`,
    "create index repository_blobs_by_blob on repository_blobs (blob_id, repository_id)",
    `create table state (
      key ${text} not null primary key,
      value ${text} not null
    )${clustered}`,
  ];
}
