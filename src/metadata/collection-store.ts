import type { Digest } from "../oci/digest.ts";
import type { RepositoryName } from "../oci/repository-name.ts";

/**
 * What live collection asks of the derived store: which blobs nothing references, since when
 * nobody was told of them, and where those are that are on their way out.
 *
 * A blob is referenced when a manifest of any repository names it, or is it. A link of a
 * repository alone keeps nothing: it says that the repository may show the blob, not that it
 * needs it.
 */
export interface CollectionStore {
  /** Renews the leases of blobs; digests that are not recorded are passed over. */
  touch(digests: readonly Digest[], atMs: number): Promise<void>;

  /** Blobs that nothing references, that are not in the trash, and untouched since that time. */
  unreferenced(window: Window): Promise<Seen<BlobState>>;
  /** Blobs that went to the trash before that time, the oldest first. */
  trashed(page: {
    readonly trashedBeforeMs: number;
    readonly limit: number;
  }): Promise<readonly BlobState[]>;
  /**
   * Links to blobs that manifests of other repositories name, and none of the same repository,
   * untouched since that time.
   */
  looseLinks(window: Window): Promise<Seen<BlobLink>>;
  /** True when no manifest of that repository names the blob. */
  isLoose(repository: RepositoryName, digest: Digest): Promise<boolean>;
  /** Another one whenever anything was recorded of the repository; undefined when there is none. */
  revisionOf(repository: RepositoryName): Promise<string | undefined>;
  /** Repositories without manifest, tag and blob, `limit` at most. */
  emptyRepositories(limit: number): Promise<readonly RepositoryName[]>;

  stateOf(digest: Digest): Promise<BlobState | undefined>;
  /** Of those that have a row. */
  statesOf(digests: readonly Digest[]): Promise<ReadonlyMap<Digest, BlobState>>;
  /** Which repositories have a link to which of the blobs. */
  linksTo(digests: readonly Digest[]): Promise<Links>;
  /**
   * Those of the blobs that have a row, and when they were touched. Cheap when they lie close
   * together, as in one folder.
   */
  recordedAmong(digests: readonly Digest[]): Promise<ReadonlyMap<Digest, number>>;
  /** Manifests that name the blob or are it, `limit` at most. */
  referencesOf(digest: Digest, limit: number): Promise<readonly BlobUse[]>;
  /** True when some repository has manifests that cannot be read. */
  hasFrozen(): Promise<boolean>;
  /** True when a repository that cannot be read whole holds the blob, or may do so. */
  isFrozen(digest: Digest): Promise<boolean>;
  frozenRepositories(limit: number): Promise<readonly FrozenRepository[]>;
  /** Sums over the blobs in the trash, for the metrics. */
  trashTotals(): Promise<{ readonly count: number; readonly sizeBytes: number }>;

  // -- recording; idempotent
  markTrashed(digests: readonly Digest[], atMs: number): Promise<void>;
  /** Blobs that were touched later than that count as touched then: a clock was wrong. */
  lowerTouches(digests: readonly Digest[], atMs: number): Promise<void>;
  /** The bytes are back in their place. */
  markRestored(digest: Digest): Promise<void>;
  /** Makes a row for bytes that no link led to, so that collection comes to them. */
  recordUnlinked(blobs: readonly FoundBlob[]): Promise<void>;
  /** As `removeBlob` of the store, for many. */
  unlink(links: Links): Promise<void>;
  /**
   * Removes the rows, and the links, of blobs whose bytes are gone; not of one referenced.
   * `linkedIn` had the links: a comparison that has read them before is outdated.
   */
  forget(digests: readonly Digest[], linkedIn?: Iterable<RepositoryName>): Promise<void>;
}

/** By the repository, what it has a link to. */
export type Links = ReadonlyMap<RepositoryName, readonly Digest[]>;

export function linksOf(links: Iterable<Pick<BlobLink, "repository" | "digest">>): Links {
  const grouped = Map.groupBy(links, (link) => link.repository);
  return new Map([...grouped].map(([name, own]) => [name, own.map((link) => link.digest)]));
}

export interface BlobState {
  readonly digest: Digest;
  /** Undefined while the digest is only named by a manifest. */
  readonly sizeBytes: number | undefined;
  /** When a client was last told of it, as far as that was written down. */
  readonly touchedAtMs: number;
  /** Undefined when its bytes are in their place. */
  readonly trashedAtMs: number | undefined;
  readonly isReferenced: boolean;
}

export interface BlobUse {
  readonly repository: RepositoryName;
  readonly manifest: Digest;
  readonly role: "self" | "config" | "layer" | "child";
}

export interface FoundBlob {
  readonly digest: Digest;
  readonly sizeBytes: number;
  readonly touchedAtMs: number;
  readonly trashedAtMs?: number;
}

export interface FrozenRepository {
  readonly repository: RepositoryName;
  /** Manifests whose bytes are missing or cannot be read. */
  readonly unreadableManifests: number;
  /** Tags whose link cannot be read. */
  readonly unreadableTags: number;
}

/** A walk over the rows of all blobs, in pieces of known cost. */
export interface Window {
  /** 0 at first, then `next`. */
  readonly after: number;
  /** Rows to look at, at most. */
  readonly scan: number;
  readonly touchedBeforeMs: number;
}

export interface Seen<T> {
  readonly found: readonly T[];
  /** Undefined at the end. */
  readonly next: number | undefined;
}

export interface BlobLink {
  readonly repository: RepositoryName;
  readonly digest: Digest;
  /** The repository's when the link was looked at: `revisionOf` tells whether anything changed. */
  readonly revision: string;
}
