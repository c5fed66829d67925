/**
 * The room of the derived store: what the layout answers slowly, kept in SQL (catalog, tags,
 * referrers, and who references a blob), and deleted at any time. It owns the tables, their
 * queries, and the comparison with what the layout says. It refuses to know how the layout is read
 * (callers bring values), HTTP, and users. It obeys the paging and the order of the OCI
 * distribution specification.
 */

import type { Descriptor } from "../oci/descriptor.ts";
import type { Digest } from "../oci/digest.ts";
import type { ImageConfig } from "../oci/image-config.ts";
import type { Manifest } from "../oci/manifest.ts";
import type { ManifestMediaType } from "../oci/media-type.ts";
import type { RepositoryName } from "../oci/repository-name.ts";
import type { Tag } from "../oci/tag.ts";
import type { CollectionStore } from "./collection-store.ts";
import type { RepositoryView } from "./repository-view.ts";

/** What a HEAD of a manifest answers. */
export interface ManifestStat {
  readonly digest: Digest;
  readonly mediaType: ManifestMediaType;
  readonly sizeBytes: number;
}

/** A manifest with all that pages, retention and collection ask of it later. */
export interface ManifestRecord {
  readonly digest: Digest;
  readonly sizeBytes: number;
  readonly manifest: Manifest;
  /** When its revision link was written, in milliseconds since 1970. */
  readonly pushedAtMs: number;
  /** From the image's config blob; absent where there is none or it cannot be read. */
  readonly config?: ImageConfig;
}

export interface TagRecord {
  readonly tag: Tag;
  readonly digest: Digest;
  /** When its `current/link` was written, in milliseconds since 1970. */
  readonly pushedAtMs: number;
  /** Says whether `current/link` is still the file that was read: storage's own stamp of it. */
  readonly stamp: string;
}

export interface Page {
  /** Exclusive; ordered by bytes. Need not exist. */
  readonly after?: string;
  readonly limit: number;
}

export interface ReplacedSince {
  readonly revision: string;
  readonly signal?: AbortSignal;
}

/**
 * Everything here comes from the layout and is recorded after it, so it is never ahead of it.
 * All methods are safe to call from several processes at once; writes are idempotent.
 * All listings are in ASCII order of bytes, in both dialects.
 */
export interface MetadataStore {
  // -- asked on the path of a request: one statement each
  /** Undefined also for a tag whose manifest is not recorded: a scar, or not adopted yet. */
  findTag(repository: RepositoryName, tag: Tag): Promise<ManifestStat | undefined>;
  findManifest(repository: RepositoryName, digest: Digest): Promise<ManifestStat | undefined>;
  /** Size in bytes of a blob that the repository holds. */
  findBlob(repository: RepositoryName, digest: Digest): Promise<number | undefined>;
  /** True also for a repository that has blobs only. */
  hasRepository(repository: RepositoryName): Promise<boolean>;
  /** Repositories that hold the blob, `limit` at most: the candidates of a mount without `from`. */
  repositoriesWithBlob(digest: Digest, limit: number): Promise<readonly RepositoryName[]>;
  /**
   * Repositories with a manifest that is `digest` or names it, `limit` at most, in no order: who
   * suffers when the bytes are damaged.
   */
  repositoriesNaming(digest: Digest, limit: number): Promise<readonly RepositoryName[]>;

  // -- listings
  /** One entry more than a page shows tells whether there is a next one; callers ask for it. */
  listTags(repository: RepositoryName, page: Page): Promise<readonly string[]>;
  /** Repositories that have a manifest. */
  listRepositories(page: Page): Promise<readonly string[]>;
  /** Manifests whose subject is `subject`, by digest; `artifactType` filters when given. */
  listReferrers(
    repository: RepositoryName,
    subject: Digest,
    page: Page & { readonly artifactType?: string },
  ): Promise<readonly Descriptor[]>;
  /** Tags that point to the manifest, `limit` at most. */
  tagsOfManifest(
    repository: RepositoryName,
    digest: Digest,
    limit: number,
  ): Promise<readonly Tag[]>;
  /** Indexes in this repository that list `digest` as a child, `limit` at most. */
  parentsOf(repository: RepositoryName, digest: Digest, limit: number): Promise<readonly Digest[]>;
  /** All tags and manifests with what leads to what, for retention. */
  viewOf(repository: RepositoryName): Promise<RepositoryView>;
  /** True when a repository, whichever, has a manifest of this digest. */
  isManifestAnywhere(digest: Digest): Promise<boolean>;

  // -- recording; each is one transaction, idempotent, and makes the repository when it is new
  recordBlob(repository: RepositoryName, blob: BlobRecord): Promise<void>;
  removeBlob(repository: RepositoryName, digest: Digest): Promise<void>;
  recordManifest(repository: RepositoryName, record: ManifestRecord): Promise<void>;
  /** Removes the manifest and the tags that point to it; other manifests keep its digest. */
  removeManifest(repository: RepositoryName, digest: Digest): Promise<void>;
  recordTag(repository: RepositoryName, tag: TagRecord): Promise<void>;
  /** A push: the manifest and the tags that were set to it, or nothing of it. */
  recordPush(
    repository: RepositoryName,
    record: ManifestRecord,
    tags: readonly TagRecord[],
  ): Promise<void>;
  removeTag(repository: RepositoryName, tag: Tag): Promise<void>;
  removeRepository(repository: RepositoryName): Promise<void>;

  // -- adoption, rebuild and verification
  /** All that is recorded of a repository, to compare with the layout. */
  snapshotOf(repository: RepositoryName): Promise<RepositorySnapshot>;
  /**
   * Replaces what differs, in many short transactions; used by adoption and rebuild.
   *
   * `revision` is that of a snapshot taken before the content was read. Where something was
   * recorded since then, the content is outdated: false, and no more is changed. `signal` ends it
   * as early, by throwing its reason.
   */
  replaceRepository(
    repository: RepositoryName,
    content: RepositoryContent,
    since: ReplacedSince,
  ): Promise<boolean>;
  /** Names in order that are recorded at all, also those without a manifest. */
  listRecorded(page: Page): Promise<readonly RepositoryName[]>;
  /** A small value that survives restarts, for the cursor of a long work. */
  readState(key: string): Promise<string | undefined>;
  writeState(key: string, value: string): Promise<void>;

  /** What live collection asks and records. */
  readonly collection: CollectionStore;

  close(): Promise<void>;
}

export interface BlobRecord {
  readonly digest: Digest;
  readonly sizeBytes: number;
}

export interface RepositorySnapshot {
  /** Another one after every recording; also for a repository that is not recorded. */
  readonly revision: string;
  readonly tags: ReadonlyMap<Tag, { readonly digest: Digest; readonly stamp: string }>;
  /** With the fingerprint of all that was recorded of each but `pushedAtMs`. */
  readonly manifests: ReadonlyMap<Digest, Digest>;
  /** Sizes in bytes. */
  readonly blobs: ReadonlyMap<Digest, number>;
}

export interface RepositoryContent {
  readonly tags: readonly TagRecord[];
  readonly manifests: readonly ManifestRecord[];
  readonly blobs: readonly BlobRecord[];
  /** What is linked but cannot be read: while there is any, collection keeps what it may need. */
  readonly unreadable?: { readonly manifests: number; readonly tags: number };
}
