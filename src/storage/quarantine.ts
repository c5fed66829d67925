import { concatBytes } from "../base/bytes.ts";
import { type Digest, digestAlgorithms, parseDigest } from "../oci/digest.ts";
import {
  blobKey,
  quarantinedBlobKey,
  quarantinedLinkKey,
  quarantinedLinksFolder,
  quarantineFolder,
} from "./layout.ts";
import type { ObjectStore } from "./object-store.ts";

/** A link has less than 200 bytes; what else lies in its place is kept by its beginning. */
const copySizeBytesMax = 1 << 20;

/**
 * Where damaged files go: out of the way of requests, and kept. Nothing here is ever served;
 * whoever wants to look at what was found can.
 */
export class Quarantine {
  readonly #objects: ObjectStore;

  constructor(objects: ObjectStore) {
    this.#objects = objects;
  }

  /**
   * Moves the bytes aside, durably, over what an earlier damage left. The blob's folder stays:
   * another process may be about to put the right bytes into it. The caller holds the digest's
   * lock alone.
   */
  async takeBlob(digest: Digest): Promise<void> {
    await this.#objects.move(blobKey(digest), quarantinedBlobKey(digest));
  }

  /** Moves the bytes back to their name. The caller has verified them and holds the lock alone. */
  async giveBlobBack(digest: Digest): Promise<void> {
    await this.#objects.move(quarantinedBlobKey(digest), blobKey(digest));
  }

  async removeBlob(digest: Digest): Promise<void> {
    await this.#objects.remove(quarantinedBlobKey(digest));
  }

  /** Size in bytes of what was moved aside under that digest, or undefined. */
  async sizeOf(digest: Digest): Promise<number | undefined> {
    return (await this.#objects.stat(quarantinedBlobKey(digest)))?.sizeBytes;
  }

  /** Every digest whose bytes were moved aside, in order. */
  async listBlobs(): Promise<readonly Digest[]> {
    const digests: Digest[] = [];
    for (const algorithm of digestAlgorithms) {
      for (const { name } of await this.#objects.list(`${quarantineFolder}/${algorithm}`)) {
        const digest = parseDigest(`${algorithm}:${name}`);
        if (digest !== undefined) digests.push(digest);
      }
    }
    return digests.sort();
  }

  /** Moves a link aside; returns where it lies then. */
  async takeLink(linkKey: string): Promise<string> {
    const target = quarantinedLinkKey(linkKey);
    await this.#objects.move(linkKey, target);
    return target;
  }

  /**
   * Keeps what a link holds, before it is written anew in its place: so it is there at every
   * moment, and a crash between the two leaves it as it was.
   */
  async copyLink(linkKey: string): Promise<void> {
    const found = await this.#objects.stat(linkKey);
    if (found === undefined) return;
    const end = Math.min(found.sizeBytes, copySizeBytesMax);
    const pieces: Uint8Array[] = [];
    for await (const piece of this.#objects.readStream(linkKey, { start: 0, end })) {
      pieces.push(piece);
    }
    await this.#objects.put(quarantinedLinkKey(linkKey), concatBytes(pieces));
  }

  /** Every link that was moved aside, by its path below the folder of repositories. */
  async *listLinks(): AsyncGenerator<string> {
    const waiting = [quarantinedLinksFolder];
    for (let folder = waiting.pop(); folder !== undefined; folder = waiting.pop()) {
      for (const { name, isFolder } of await this.#objects.list(folder)) {
        const key = `${folder}/${name}`;
        if (isFolder) waiting.push(key);
        else yield key.slice(quarantinedLinksFolder.length + 1);
      }
    }
  }
}
