import { inParallel } from "../base/in-parallel.ts";
import {
  algorithmOf,
  createHasher,
  type Digest,
  digestAlgorithms,
  parseDigest,
} from "../oci/digest.ts";
import {
  blobFolder,
  blobKey,
  blobsFolder,
  quarantinedBlobKey,
  trashedBlobFolder,
  trashedBlobKey,
} from "./layout.ts";
import type { Content, ObjectStat, ObjectStore } from "./object-store.ts";

/** Blobs that are moved at a time: the requests' own file operations find a free thread. */
const atOnce = 4;

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

  /**
   * Takes blobs out of their places without ending them, and says which were there. Nobody needs
   * them, so no power cut can take what is missed. The caller holds their exclusive locks.
   */
  async trash(digests: readonly Digest[]): Promise<readonly Digest[]> {
    const moved: Digest[] = [];
    await inParallel(digests, atOnce, async (digest) => {
      if (!(await this.#objects.moveVolatile(blobKey(digest), trashedBlobKey(digest)))) return;
      moved.push(digest);
      // Only what is empty: a blob that somebody brought back meanwhile stays.
      await this.removeEmptyFolders([digest]);
    });
    return moved;
  }

  /** Removes the folders of blobs whose bytes are gone. */
  async removeEmptyFolders(digests: readonly Digest[]): Promise<void> {
    await this.#objects.removeEmptyFolders(digests.map(blobFolder));
  }

  /** Size in bytes of a blob in the trash, or undefined when it is not there. */
  async sizeInTrash(digest: Digest): Promise<number | undefined> {
    return (await this.#objects.stat(trashedBlobKey(digest)))?.sizeBytes;
  }

  /** Brings a blob back from the trash, durably; false when it is not there. */
  async restore(digest: Digest): Promise<boolean> {
    if ((await this.sizeInTrash(digest)) === undefined) return false;
    await this.#objects.move(trashedBlobKey(digest), blobKey(digest));
    return true;
  }

  /** Ends blobs that are in the trash. */
  async emptyTrash(digests: readonly Digest[]): Promise<void> {
    await this.#objects.removeAll(digests.map(trashedBlobKey));
  }

  /** Every digest in the trash. */
  async *listTrash(): AsyncGenerator<Digest> {
    for (const algorithm of digestAlgorithms) {
      for (const entry of await this.#objects.list(trashedBlobFolder(algorithm))) {
        const digest = parseDigest(`${algorithm}:${entry.name}`);
        if (digest !== undefined) yield digest;
      }
    }
  }

  /**
   * The digest of the bytes that lie under `digest`; differs from it when they are damaged.
   * Undefined when there are none. `onPiece` is awaited between two pieces, with the size of the
   * one before: to go slowly, or to end by throwing.
   */
  async rehash(
    digest: Digest,
    onPiece: (sizeBytes: number) => Promise<void> = async () => undefined,
  ): Promise<RehashedBlob | undefined> {
    const key = blobKey(digest);
    const before = await this.#objects.stat(key);
    if (before === undefined) return undefined;
    const { sizeBytes, stamp } = before;
    const actual = await this.#hash({ key, sizeBytes }, digest, onPiece);
    const after = await this.#objects.stat(key);
    return { actual, sizeBytes, wasReplaced: after?.stamp !== stamp };
  }

  /** The digest of what was moved aside under `digest`; undefined when there is nothing. */
  async rehashQuarantined(digest: Digest): Promise<Digest | undefined> {
    const key = quarantinedBlobKey(digest);
    const found = await this.#objects.stat(key);
    if (found === undefined) return undefined;
    return this.#hash({ key, sizeBytes: found.sizeBytes }, digest, async () => undefined);
  }

  /**
   * Every digest that has a folder here, in order, from the one behind `after` on; stray names
   * are passed over. The bytes of some may be gone.
   */
  async *list(after = ""): AsyncGenerator<Digest> {
    for (const algorithm of digestAlgorithms) {
      const algorithmFolder = `${blobsFolder}/${algorithm}`;
      for (const prefix of await this.#sortedNames(algorithmFolder)) {
        // Every digest of a prefix is smaller than this when the prefix is.
        if (`${algorithm}:${prefix}~` < after) continue;
        for (const name of await this.#sortedNames(`${algorithmFolder}/${prefix}`)) {
          const digest = parseDigest(`${algorithm}:${name}`);
          if (digest !== undefined && digest > after) yield digest;
        }
      }
    }
  }

  /** The folders that blobs lie in, at most 256 an algorithm: a walk in pieces. */
  async *listFolders(): AsyncGenerator<string> {
    for (const algorithm of digestAlgorithms) {
      const folder = `${blobsFolder}/${algorithm}`;
      for (const prefix of await this.#sortedNames(folder)) yield `${folder}/${prefix}`;
    }
  }

  /** The digests in one of `listFolders`. */
  async listIn(folder: string): Promise<readonly Digest[]> {
    const algorithm = folder.slice(blobsFolder.length + 1).replace(/\/.*/, "");
    const entries = await this.#objects.list(folder);
    return entries.flatMap(({ name }) => parseDigest(`${algorithm}:${name}`) ?? []);
  }

  /** Size and time of writing, or undefined when the bytes are not there. */
  async stat(digest: Digest): Promise<ObjectStat | undefined> {
    return this.#objects.stat(blobKey(digest));
  }

  async #sortedNames(folder: string): Promise<readonly string[]> {
    return (await this.#objects.list(folder)).map((entry) => entry.name).sort();
  }

  async #hash(
    { key, sizeBytes }: { readonly key: string; readonly sizeBytes: number },
    digest: Digest,
    onPiece: (sizeBytes: number) => Promise<void>,
  ): Promise<Digest> {
    const hasher = createHasher(algorithmOf(digest));
    for await (const piece of this.#objects.readStream(key, { start: 0, end: sizeBytes })) {
      hasher.update(piece);
      await onPiece(piece.byteLength);
    }
    return hasher.digest();
  }
}

/** What hashing a stored blob again found. */
export interface RehashedBlob {
  /** Equal to the digest that was asked for when the bytes are what they should be. */
  readonly actual: Digest;
  readonly sizeBytes: number;
  /** True when another file took the name meanwhile: then nothing is known. */
  readonly wasReplaced: boolean;
}
