import type { SharedLocks } from "../base/shared-lock.ts";
import type { Digest } from "../oci/digest.ts";

/**
 * Holds the locks of all digests while `work` runs: shared by who relies on the blobs, exclusive
 * by who takes them away. One order for all, so that two of them cannot wait for each other.
 */
export async function lockDigests<T>(
  locks: SharedLocks,
  mode: "shared" | "exclusive",
  digests: readonly Digest[],
  work: () => Promise<T>,
): Promise<T> {
  return lockKeys(locks, mode, digests, work);
}

/** … and the right to move their bytes into the trash, out of it, or to end them. */
export async function lockTrash<T>(
  locks: SharedLocks,
  digests: readonly Digest[],
  work: () => Promise<T>,
): Promise<T> {
  return lockKeys(locks, "exclusive", digests.map(trashKey), work);
}

function trashKey(digest: Digest): string {
  return `trash:${digest}`;
}

async function lockKeys<T>(
  locks: SharedLocks,
  mode: "shared" | "exclusive",
  keys: readonly string[],
  work: () => Promise<T>,
): Promise<T> {
  let locked = work;
  for (const key of [...new Set(keys)].sort().toReversed()) {
    const inner = locked;
    locked = () => locks[mode](key, inner);
  }
  return locked();
}
