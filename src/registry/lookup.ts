import type { Logger } from "../base/logger.ts";
import type { SharedLocks } from "../base/shared-lock.ts";
import type { ManifestStat, MetadataStore, Page } from "../metadata/metadata-store.ts";
import type { Digest } from "../oci/digest.ts";
import type { RepositoryName } from "../oci/repository-name.ts";
import type { Tag } from "../oci/tag.ts";
import type { BlobStore } from "../storage/blob-store.ts";
import type { LinkStore } from "../storage/link-store.ts";
import type { Content } from "../storage/object-store.ts";
import type { Adoption } from "./adoption.ts";
import { isStorageFull } from "./database-failure.ts";
import type { Leases } from "./leases.ts";
import { isTrashLocked, isUndisturbed, lockTrash } from "./lock-digests.ts";
import type { ManifestReader } from "./manifest-reader.ts";

/**
 * What a repository has. Asked of the metadata store where it is known to agree with the
 * layout; of the layout itself for a repository that adoption has not reached yet.
 */
export class Lookup {
  readonly #parts: LookupParts;

  constructor(parts: LookupParts) {
    this.#parts = parts;
  }

  // Not async, like everything on the way of a pull that can hand a promise on as it is.
  findTag(name: RepositoryName, tag: Tag): Promise<ManifestStat | undefined> {
    const { adoption, metadata } = this.#parts;
    return adoption.isCurrent(name) ? metadata.findTag(name, tag) : this.#tagFromLayout(name, tag);
  }

  findManifest(name: RepositoryName, digest: Digest): Promise<ManifestStat | undefined> {
    const { adoption, metadata } = this.#parts;
    return adoption.isCurrent(name)
      ? metadata.findManifest(name, digest)
      : this.#manifestFromLayout(name, digest);
  }

  /**
   * The blob's bytes, when the repository holds it. The file itself is asked each time, at the
   * price of a microsecond: a blob whose bytes are gone must answer 404, so that the next push
   * brings them back instead of building on nothing. Bytes in the trash come back at once. Who
   * gets an answer holds a lease from then on.
   */
  async findBlob(name: RepositoryName, digest: Digest): Promise<Content | undefined> {
    const { locks, leases } = this.#parts;
    const endsBefore = locks.exclusiveEnds;
    if (!(await this.holdsBlob(name, digest))) return undefined;
    leases.touch(digest);
    if (isUndisturbed(locks, digest, endsBefore)) return this.#atRest(digest);
    return lockTrash(locks, [digest], async () =>
      (await this.holdsBlob(name, digest)) ? this.#outOfTrash(digest) : undefined,
    );
  }

  /** True when the repository holds the blob, whether its bytes are there or not. */
  async holdsBlob(name: RepositoryName, digest: Digest): Promise<boolean> {
    const { adoption, metadata, links } = this.#parts;
    return adoption.isCurrent(name)
      ? (await metadata.findBlob(name, digest)) !== undefined
      : (await links.readLayer(name, digest)) !== undefined;
  }

  /** The bytes of a digest, whoever may see them; out of the trash when they are there. */
  async content(digest: Digest): Promise<Content | undefined> {
    // On its way to the trash right now: a file that is still there would be gone when it is read.
    if (isTrashLocked(this.#parts.locks, digest)) return this.#fromTrash(digest);
    return this.#atRest(digest);
  }

  /** While nobody moves it. */
  async #atRest(digest: Digest): Promise<Content | undefined> {
    const { blobs } = this.#parts;
    const content = blobs.content(digest);
    if (content !== undefined) return content;
    return (await blobs.sizeInTrash(digest)) === undefined ? undefined : this.#fromTrash(digest);
  }

  async #fromTrash(digest: Digest): Promise<Content | undefined> {
    return lockTrash(this.#parts.locks, [digest], () => this.#outOfTrash(digest));
  }

  /** The caller holds the lock of the trash. */
  async #outOfTrash(digest: Digest): Promise<Content | undefined> {
    const { blobs, logger } = this.#parts;
    if (await blobs.restore(digest)) {
      await this.#noteRestored(digest);
      logger.info("a blob came back from the trash: somebody asked for it", { digest });
    }
    return blobs.content(digest);
  }

  /** A full disk takes no mark. Collection sees by itself that the bytes are in their place. */
  async #noteRestored(digest: Digest): Promise<void> {
    const { metadata, logger } = this.#parts;
    try {
      await metadata.collection.markRestored(digest);
    } catch (error) {
      if (!isStorageFull(error)) throw error;
      logger.warn("a blob is back from the trash, and its row could not say so", { digest, error });
    }
  }

  /** True when the repository has a manifest, a blob or, not yet adopted, a tag. */
  async hasRepository(name: RepositoryName): Promise<boolean> {
    const { adoption, metadata, links } = this.#parts;
    if (adoption.isCurrent(name)) return metadata.hasRepository(name);
    if ((await links.listTags(name)).length > 0) return true;
    if ((await links.listRevisions(name)).length > 0) return true;
    return (await links.listLayers(name)).length > 0;
  }

  /** Tags in ASCII order. */
  async listTags(name: RepositoryName, page: Page): Promise<readonly string[]> {
    const { adoption, metadata, links } = this.#parts;
    if (adoption.isCurrent(name)) return metadata.listTags(name, page);
    // A crash may have left the folder of a tag without its link: such a tag is not there. Only
    // as many are looked at as the page takes.
    const { after = "", limit } = page;
    const found: Tag[] = [];
    for (const tag of (await links.listTags(name)).toSorted()) {
      if (found.length >= limit) break;
      if (tag <= after) continue;
      if ((await this.#tagFromLayout(name, tag)) !== undefined) found.push(tag);
    }
    return found;
  }

  /** Names of repositories in ASCII order. */
  async listRepositories(page: Page): Promise<readonly string[]> {
    const { adoption, metadata, links } = this.#parts;
    if (adoption.progress().isComplete) return metadata.listRepositories(page);
    const names: string[] = [];
    for await (const name of links.listRepositories(page.after)) {
      if (names.length >= page.limit) break;
      if ((await links.listRevisions(name)).length > 0) names.push(name);
    }
    return names;
  }

  async #tagFromLayout(name: RepositoryName, tag: Tag): Promise<ManifestStat | undefined> {
    const link = await this.#parts.links.readTag(name, tag);
    return link === undefined ? undefined : this.#manifestFromLayout(name, link.digest);
  }

  async #manifestFromLayout(
    name: RepositoryName,
    digest: Digest,
  ): Promise<ManifestStat | undefined> {
    const { links, reader } = this.#parts;
    if ((await links.readRevision(name, digest)) === undefined) return undefined;
    const parsed = await reader.parsed(digest);
    if (parsed === undefined) return undefined;
    return { digest, mediaType: parsed.manifest.mediaType, sizeBytes: parsed.sizeBytes };
  }
}

interface LookupParts {
  readonly adoption: Adoption;
  readonly metadata: MetadataStore;
  readonly links: LinkStore;
  readonly blobs: BlobStore;
  readonly reader: ManifestReader;
  readonly leases: Leases;
  readonly locks: SharedLocks;
  readonly logger: Logger;
}
