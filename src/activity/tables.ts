import type { ColumnType, Generated } from "kysely";
import type { ColumnTypes, Migration } from "../database/migrations.ts";
import type { Digest } from "../oci/digest.ts";
import type { RepositoryName } from "../oci/repository-name.ts";
import type { Tag } from "../oci/tag.ts";
import type { RemovalAction } from "./trash-store.ts";

/** PostgreSQL's driver reads its 64-bit integers as text; `Number()` takes both. */
type Integer = ColumnType<number | string, number, number>;

/** Who did it; the same columns in four tables. */
interface ActorColumns {
  /** The authenticated name; null for an anonymous request. */
  actor: string | null;
  /** The User-Agent header, shortened. */
  client: string | null;
  /** The network address that the request came from. */
  address: string | null;
}

/**
 * Names are text here, not ids of the derived store: that one may be deleted at any time, and a
 * record outlives its repository.
 */
export interface ActivityTables {
  tag_events: ActorColumns & {
    /** In the order of recording. */
    id: Generated<number | string>;
    at_ms: Integer;
    repository: RepositoryName;
    tag: Tag;
    /** Null when the tag was new. */
    digest_before: Digest | null;
    /** Null when the tag was removed. */
    digest_after: Digest | null;
  };
  pulls: {
    repository: RepositoryName;
    digest: Digest;
    /** Empty for pulls by digest. */
    tag: Tag | "";
    count: Integer;
    last_at_ms: Integer;
  };
  pull_days: {
    repository: RepositoryName;
    /** Days since 1970, UTC. */
    day: Integer;
    count: Integer;
  };
  attempts: ActorColumns & {
    id: Generated<number | string>;
    at_ms: Integer;
    repository: RepositoryName;
    reason: string;
    request_id: string;
  };
  audit: ActorColumns & {
    id: Generated<number | string>;
    at_ms: Integer;
    action: string;
    target: string;
    details: string | null;
  };
  /** Blobs that collection has ended. */
  collected: {
    id: Generated<number | string>;
    at_ms: Integer;
    digest: Digest;
    size_bytes: Integer;
    /** When a client was last told of it. */
    touched_at_ms: Integer;
    /** When it went to the trash. */
    trashed_at_ms: Integer;
    /** Repositories that held it at last, the first few, for people. */
    held_by: string;
  };
  /** What was deleted and can be taken back; design D4. */
  trash: ActorColumns & {
    id: Generated<number | string>;
    at_ms: Integer;
    /** The entry goes only when the clock is past this. */
    expires_at_ms: Integer;
    /** A UUID: what was deleted together. */
    operation: string;
    action: RemovalAction;
    kind: "tag" | "manifest";
    repository: RepositoryName;
    /** Empty for a manifest. */
    tag: Tag | "";
    /** Of the manifest; a tag's is the one that it pointed to. */
    digest: Digest;
    media_type: string;
    /** Of the whole image, as far as it is known. */
    size_bytes: Integer;
  };
  /** The bytes that an entry keeps from collection. */
  trash_blobs: {
    trash_id: ColumnType<number | string, number | string, never>;
    digest: Digest;
  };
}

export const activityMigrations: readonly Migration[] = [
  {
    name: "the first tables",
    statements: (types) => [...eventTables(types), ...pullTables(types)],
  },
  {
    name: "what was collected",
    statements: ({ id, integer, text }) => [
      `create table collected (
        id ${id},
        at_ms ${integer} not null,
        digest ${text} not null,
        size_bytes ${integer} not null,
        touched_at_ms ${integer} not null,
        trashed_at_ms ${integer} not null,
        held_by ${text} not null
      )`,
      "create index collected_by_digest on collected (digest, id)",
      "create index collected_by_time on collected (at_ms)",
    ],
  },
  {
    name: "the trash of names",
    statements: trashTables,
  },
  {
    name: "one name in the trash",
    // By its manifest alone, each tag of a digest that has thousands would look at all the others.
    statements: () => ["create index trash_by_name on trash (repository, digest, tag, kind)"],
  },
];

function eventTables({ id, integer, text }: ColumnTypes): readonly string[] {
  const common = `id ${id}, at_ms ${integer} not null, actor ${text}, client ${text}, address ${text}`;
  return [
    `create table tag_events (
      ${common},
      repository ${text} not null,
      tag ${text} not null,
      digest_before ${text},
      digest_after ${text}
    )`,
    "create index tag_events_by_tag on tag_events (repository, tag, id)",
    "create index tag_events_by_repository on tag_events (repository, id)",
    `create table attempts (
      ${common},
      repository ${text} not null,
      reason ${text} not null,
      request_id ${text} not null
    )`,
    "create index attempts_by_repository on attempts (repository, id)",
    `create table audit (
      ${common},
      action ${text} not null,
      target ${text} not null,
      details ${text}
    )`,
  ];
}

function pullTables({ integer, text, clustered }: ColumnTypes): readonly string[] {
  return [
    `create table pulls (
      repository ${text} not null,
      digest ${text} not null,
      tag ${text} not null,
      count ${integer} not null,
      last_at_ms ${integer} not null,
      primary key (repository, digest, tag)
    )${clustered}`,
    "create index pulls_by_tag on pulls (repository, tag)",
    `create table pull_days (
      repository ${text} not null,
      day ${integer} not null,
      count ${integer} not null,
      primary key (repository, day)
    )${clustered}`,
  ];
}

function trashTables({ id, integer, text, clustered }: ColumnTypes): readonly string[] {
  return [
    `create table trash (
      id ${id},
      at_ms ${integer} not null,
      expires_at_ms ${integer} not null,
      actor ${text},
      client ${text},
      address ${text},
      operation ${text} not null,
      action ${text} not null,
      kind ${text} not null,
      repository ${text} not null,
      tag ${text} not null,
      digest ${text} not null,
      media_type ${text} not null,
      size_bytes ${integer} not null
    )`,
    "create index trash_by_repository on trash (repository, id)",
    "create index trash_by_manifest on trash (repository, digest, id)",
    "create index trash_by_operation on trash (operation, id)",
    "create index trash_by_expiry on trash (expires_at_ms, id)",
    `create table trash_blobs (
      trash_id ${integer} not null references trash (id) on delete cascade,
      digest ${text} not null,
      primary key (trash_id, digest)
    )${clustered}`,
    "create index trash_blobs_by_digest on trash_blobs (digest, trash_id)",
  ];
}
