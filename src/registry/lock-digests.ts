import type { SharedLocks } from "../base/shared-lock.ts";
import type { Digest } from "../oci/digest.ts";
import { trashLock } from "./lock-keys.ts";

/** Runs `work` while nobody can take any of the blobs away. */
export async function shareDigests<T>(
  locks: SharedLocks,
  digests: readonly Digest[],
  work: () => Promise<T>,
): Promise<T> {
  return inOrder(digests, (key, inner) => locks.shared(key, inner), work);
}

/** Runs `work`, which takes blobs away, while nobody relies on any of them. */
export async function holdDigests<T>(
  locks: SharedLocks,
  digests: readonly Digest[],
  work: () => Promise<T>,
): Promise<T> {
  return inOrder(digests, (key, inner) => locks.exclusive(key, inner), work);
}

/**
 * Runs `work`, which moves bytes into the trash, out of it, or ends them, or takes a link to them
 * from a repository. Taken after the locks of the digests themselves.
 */
export async function lockTrash<T>(
  locks: SharedLocks,
  digests: readonly Digest[],
  work: () => Promise<T>,
): Promise<T> {
  const keys = digests.map(trashLock);
  return inOrder(keys, (key, inner) => locks.exclusive(key, inner), work);
}

/** True while somebody moves the bytes into the trash, out of it, or ends them or a link to them. */
export function isTrashLocked(locks: SharedLocks, digest: Digest): boolean {
  // Asked by every pull, and mostly nobody holds anything: then no key has to be made.
  return !locks.isIdle && locks.isHeld(trashLock(digest));
}

/**
 * True when a look without locks, begun when `exclusiveEnds` was `endsBefore`, has seen what is so.
 * False: the bytes, or a link to them, are going right now, or went meanwhile, and a client that
 * heard of them would not push them; the look is repeated under the lock of the trash.
 *
 * Who looks leases what it has found before it asks this, and in one go with it: collection, once
 * it has the lock of the trash, sees the lease, or else this sees the lock.
 */
export function isUndisturbed(locks: SharedLocks, digest: Digest, endsBefore: number): boolean {
  return locks.exclusiveEnds === endsBefore && !isTrashLocked(locks, digest);
}

/** One order for all, so that two who want several locks cannot wait for each other. */
async function inOrder<T>(
  keys: readonly string[],
  lock: (key: string, inner: () => Promise<T>) => Promise<T>,
  work: () => Promise<T>,
): Promise<T> {
  let locked = work;
  for (const key of [...new Set(keys)].sort().toReversed()) {
    const inner = locked;
    locked = () => lock(key, inner);
  }
  return locked();
}
