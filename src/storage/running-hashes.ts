import type { DigestAlgorithm } from "../oci/digest.ts";
import { HashingThread, hashHere, type RunningHash } from "./hashing.ts";
import type { UploadId } from "./upload-id.ts";

/** Sessions whose running hash is kept between two chunks; others are hashed again at the end. */
const keptMax = 256;

/** A hash of exactly the first `offset` bytes of a session. */
interface Kept {
  readonly hash: RunningHash;
  readonly offset: number;
}

/** The running hashes of upload sessions, as far as this process has them. */
export class RunningHashes {
  readonly #kept = new Map<UploadId, Kept>();
  #thread: HashingThread | undefined;

  /** A new hash over no bytes; for a large upload beside the main thread. */
  begin(algorithm: DigestAlgorithm, isLarge: boolean): RunningHash {
    if (!isLarge) return hashHere(algorithm);
    if (this.#thread?.isBroken === true) this.#thread = undefined;
    this.#thread ??= new HashingThread();
    return this.#thread.open(algorithm);
  }

  /** Hands over the hash of exactly these bytes, or undefined when nobody has one. */
  take(id: UploadId, offset: number): RunningHash | undefined {
    const kept = this.#kept.get(id);
    this.#kept.delete(id);
    if (kept === undefined || kept.offset === offset) return kept?.hash;
    kept.hash.close();
    return undefined;
  }

  keep(id: UploadId, kept: Kept): void {
    const [oldest] = this.#kept.keys();
    if (this.#kept.size >= keptMax && oldest !== undefined) this.forget(oldest);
    this.#kept.set(id, kept);
  }

  forget(id: UploadId): void {
    this.#kept.get(id)?.hash.close();
    this.#kept.delete(id);
  }
}
