import {
  algorithmOf,
  createHasher,
  type Digest,
  isDigestAlgorithm,
  parseDigest,
} from "../oci/digest.ts";
import { blobFolder, blobKey, blobsFolder } from "./layout.ts";
import type { Content, ObjectStore } from "./object-store.ts";

/**
 * Bytes by their digest, once for the whole registry. Which repository may see a blob is said
 * by links, not here.
 */
export class BlobStore {
  readonly #objects: ObjectStore;

  constructor(objects: ObjectStore) {
    this.#objects = objects;
  }

  /** Size in bytes, or undefined when the bytes are not there. */
  async sizeOf(digest: Digest): Promise<number | undefined> {
    return (await this.#objects.stat(blobKey(digest)))?.sizeBytes;
  }

  /** How the bytes can leave, or undefined when they are not there. */
  content(digest: Digest): Content | undefined {
    return this.#objects.content(blobKey(digest));
  }

  /** All bytes of a small blob, or undefined when it is not there. */
  async read(digest: Digest, sizeBytesMax: number): Promise<Uint8Array | undefined> {
    return this.#objects.read(blobKey(digest), sizeBytesMax);
  }

  /** Stores a small blob, durably. The caller has compared `digest` with `bytes`. */
  async put(digest: Digest, bytes: Uint8Array): Promise<void> {
    // Same size: the same bytes, written before. Another size is a damaged file: replaced.
    if ((await this.sizeOf(digest)) === bytes.byteLength) {
      await this.#objects.settle(blobKey(digest));
    } else {
      await this.#objects.put(blobKey(digest), bytes);
    }
  }

  /**
   * Gives the synced object at `key` its final name. The caller has verified the digest.
   * When the blob is there already, the object stays where it is, for the caller to discard.
   */
  async publish(digest: Digest, key: string, sizeBytes: number): Promise<void> {
    if ((await this.sizeOf(digest)) === sizeBytes) {
      await this.#objects.settle(blobKey(digest));
    } else {
      await this.#objects.move(key, blobKey(digest));
    }
  }

  /** Makes sure that a blob which is there outlives a power cut, whoever stored it. */
  async settle(digest: Digest): Promise<void> {
    await this.#objects.settle(blobKey(digest));
  }

  async remove(digest: Digest): Promise<boolean> {
    return this.#objects.removeFolder(blobFolder(digest));
  }

  /** The digest of the bytes that lie under `digest`; differs from it when they are damaged. */
  async rehash(digest: Digest): Promise<Digest | undefined> {
    const sizeBytes = await this.sizeOf(digest);
    if (sizeBytes === undefined) return undefined;
    const hasher = createHasher(algorithmOf(digest));
    const range = { start: 0, end: sizeBytes };
    for await (const piece of this.#objects.readStream(blobKey(digest), range)) {
      hasher.update(piece);
    }
    return hasher.digest();
  }

  /** Every digest that has a folder here; stray names are passed over. */
  async *list(): AsyncGenerator<Digest> {
    for (const algorithm of await this.#objects.list(blobsFolder)) {
      if (!isDigestAlgorithm(algorithm.name)) continue;
      const algorithmFolder = `${blobsFolder}/${algorithm.name}`;
      for (const prefix of await this.#objects.list(algorithmFolder)) {
        for (const entry of await this.#objects.list(`${algorithmFolder}/${prefix.name}`)) {
          const digest = parseDigest(`${algorithm.name}:${entry.name}`);
          if (digest !== undefined) yield digest;
        }
      }
    }
  }
}
