import type { Digest } from "../oci/digest.ts";
import type { RepositoryName } from "../oci/repository-name.ts";
import type { Tag } from "../oci/tag.ts";
import type { Actor, Entry, PageBack } from "./records.ts";

/**
 * The trash of names: tags and manifests that were deleted and can be taken back.
 *
 * An entry is written before its name goes and keeps the bytes that the name needs: collection
 * asks `keptAmong` before it takes a blob. A crash between the two leaves an entry whose name is
 * still there; that does no harm, and restoring it changes nothing.
 */
export interface TrashStore {
  /**
   * Resolves when the entries are durable. An older entry of the same name and digest goes: the
   * newest deletion is the one to take back.
   */
  add(entries: readonly NewTrashEntry[]): Promise<void>;
  /** Newest first. */
  list(page: TrashPage): Promise<readonly TrashEntry[]>;
  find(id: number): Promise<TrashEntry | undefined>;
  /** Entries of that manifest, by itself or by a tag of it, newest first. */
  ofManifest(
    repository: RepositoryName,
    digest: Digest,
    page: PageBack,
  ): Promise<readonly TrashEntry[]>;
  /** The operation that last deleted the repository as a whole. */
  lastRemovalOf(repository: RepositoryName): Promise<string | undefined>;
  /** What the entry keeps, in order: digests of blobs and of manifests. */
  keptBy(id: number): Promise<readonly Digest[]>;
  /** Those of the blobs that an entry keeps. One look into an index each. */
  keptAmong(digests: readonly Digest[]): Promise<ReadonlySet<Digest>>;
  /** The entries that keep the blob, `limit` at most. */
  keepersOf(digest: Digest, limit: number): Promise<readonly TrashEntry[]>;
  /** Entries whose time is over at `nowMs`, the first to expire first, `limit` at most. */
  expired(nowMs: number, limit: number): Promise<readonly TrashEntry[]>;
  /** Forgets what there is of one name. One look into an index, however many tags a digest had. */
  removeName(name: TrashedNameKey): Promise<void>;
  /** Forgets entries: from then on their bytes are kept by nothing. Unknown ids are passed over. */
  remove(ids: readonly number[]): Promise<void>;
}

/** What was asked for when the name went; the same words as in the audit log. */
export type RemovalAction = "delete tag" | "delete manifest" | "delete repository";

interface Trashed {
  /** What was deleted together, as one UUID. */
  readonly operation: string;
  readonly action: RemovalAction;
  readonly repository: RepositoryName;
  /** The manifest: the one that was deleted, or the one that the tag pointed to. */
  readonly digest: Digest;
  readonly mediaType: string;
  /** Of the whole image: the manifest and what it names, as far as that is known. */
  readonly sizeBytes: number;
  readonly atMs: number;
  /** Kept until later than this. */
  readonly expiresAtMs: number;
  readonly by: Actor;
}

type TrashedName =
  | (Trashed & { readonly kind: "tag"; readonly tag: Tag })
  | (Trashed & { readonly kind: "manifest" });

export type TrashEntry = Entry<TrashedName>;

/** A tag of a digest, or without a tag the manifest itself. */
export interface TrashedNameKey {
  readonly repository: RepositoryName;
  readonly digest: Digest;
  readonly tag: Tag | undefined;
}

export type NewTrashEntry = TrashedName & {
  /** Every digest that a restore needs, the manifest's own among them. */
  readonly keeps: readonly Digest[];
};

export interface TrashPage extends PageBack {
  /** Only of this repository. */
  readonly repository?: RepositoryName;
  /** Only what was deleted together. */
  readonly operation?: string;
}
