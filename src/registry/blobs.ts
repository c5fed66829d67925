import type { Digest } from "../oci/digest.ts";
import { RegistryError } from "../oci/problems.ts";
import type { RepositoryName } from "../oci/repository-name.ts";
import type { Content } from "../storage/object-store.ts";
import type { RegistryContext } from "./context.ts";
import { linkBlob } from "./link-blob.ts";
import { repositoryLock } from "./lock-keys.ts";
import { record, recordRemoval } from "./recording.ts";

/** A mount without `from` looks at this many repositories that hold the blob. */
const mountCandidatesMax = 20;

/** Blobs of a repository: pull, mount and delete. */
export class Blobs {
  readonly #context: RegistryContext;

  constructor(context: RegistryContext) {
    this.#context = context;
  }

  /** @throws {RegistryError} `blobUnknown` */
  async find(name: RepositoryName, digest: Digest): Promise<Content> {
    const content = await this.#context.lookup.findBlob(name, digest);
    if (content === undefined) throw new RegistryError("blobUnknown", { digest, name });
    return content;
  }

  /**
   * Makes a blob of another repository this one's too, without its bytes moving
   * (distribution-spec end-11). `from` undefined: any repository will do that `mayPull` allows.
   * False when there is none: the client uploads instead, and learns nothing more.
   */
  async mount(
    name: RepositoryName,
    digest: Digest,
    source: {
      readonly from: RepositoryName | undefined;
      readonly mayPull: (from: RepositoryName) => Promise<boolean>;
    },
  ): Promise<boolean> {
    const { lookup, metadata, locks } = this.#context;
    const candidates =
      source.from === undefined
        ? await metadata.repositoriesWithBlob(digest, mountCandidatesMax)
        : [source.from];
    for (const from of candidates) {
      if (!(await source.mayPull(from))) continue;
      const isMounted = await locks.shared(digest, async () => {
        const content = await lookup.findBlob(from, digest);
        if (content === undefined) return false;
        await this.#context.blobs.settle(digest);
        await linkBlob(name, { digest, sizeBytes: content.sizeBytes }, this.#context);
        return true;
      });
      if (isMounted) return true;
    }
    return false;
  }

  /**
   * Takes the blob away from this repository; the bytes stay for others, and for collection.
   *
   * @throws {RegistryError} `blobUnknown`
   */
  async remove(name: RepositoryName, digest: Digest): Promise<void> {
    const { lookup, links, metadata, locks } = this.#context;
    await locks.exclusive(digest, async () => {
      if ((await lookup.findBlob(name, digest)) === undefined) {
        throw new RegistryError("blobUnknown", { digest, name });
      }
      await locks.shared(repositoryLock(name), async () => {
        await record(name, this.#context, () => links.removeLayer(name, digest));
        await recordRemoval(name, this.#context, () => metadata.removeBlob(name, digest));
      });
    });
  }
}
