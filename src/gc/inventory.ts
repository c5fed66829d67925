import type { Clock } from "../base/clock.ts";
import type { BlobState, FoundBlob } from "../metadata/collection-store.ts";
import type { Digest } from "../oci/digest.ts";
import type { RegistryContext } from "../registry/context.ts";
import type { Pace } from "./pace.ts";

export interface InventoryOptions {
  /** Folders to look at, from where the last call ended; there are at most 256 an algorithm. */
  readonly folders: number | "all";
  readonly pace: Pace;
  readonly clock: Clock;
  readonly signal: AbortSignal;
}

type Parts = Pick<RegistryContext, "blobs" | "metadata" | "locks">;

/** The folder that was looked at last. */
const cursorKey = "gc.inventory-cursor";

/** Names in the trash that are looked at without a pause. */
const trashedPerTurn = 100;

/**
 * Bytes that no row knows: a crash came between publishing a blob and linking it, or Distribution
 * left it behind. They get a row and with it their grace, and collection comes to them in time.
 *
 * On its way it takes back what a clock that was ahead has written: marks and leases from
 * the future count from now. So it is for a clock that can be believed.
 *
 * Walks the folders of blobs a few at a time and remembers where it was, so that it never costs
 * more than a moment; once around takes hours, and nothing waits for it.
 *
 * @returns how many blobs got a row.
 */
export async function takeInventory(parts: Parts, options: InventoryOptions): Promise<number> {
  const { blobs, metadata } = parts;
  let found = await inventoryOfTrash(parts, options);
  const cursor = options.folders === "all" ? "" : ((await metadata.readState(cursorKey)) ?? "");
  let left = options.folders === "all" ? Infinity : options.folders;
  let last = cursor;
  for await (const folder of blobs.listFolders()) {
    if (folder <= cursor) continue;
    if (left === 0 || options.signal.aborted) break;
    left -= 1;
    last = folder;
    found += await inventoryOf(await blobs.listIn(folder), parts, options);
  }
  // At the end it begins again; the next call starts from the first folder.
  await metadata.writeState(cursorKey, left > 0 && !options.signal.aborted ? "" : last);
  return found;
}

async function inventoryOf(
  digests: readonly Digest[],
  { blobs, metadata, locks }: Parts,
  { pace, clock }: InventoryOptions,
): Promise<number> {
  await pace(digests.length + 1);
  const unknown: FoundBlob[] = [];
  const recorded = await metadata.collection.recordedAmong(digests);
  // A lease given by a clock that was years ahead would last until that time.
  const nowMs = clock.nowMs();
  const ahead = digests.filter((digest) => (recorded.get(digest) ?? nowMs) > nowMs);
  if (ahead.length > 0) await metadata.collection.lowerTouches(ahead, nowMs);
  for (const digest of digests) {
    if (recorded.has(digest)) continue;
    const sizeBytes = await blobs.sizeOf(digest);
    if (sizeBytes !== undefined) {
      unknown.push({ digest, sizeBytes, touchedAtMs: clock.nowMs() });
      continue;
    }
    // Nobody is about to put something there: that would be under the shared lock.
    await locks.exclusive(digest, () => blobs.removeEmptyFolders([digest]));
  }
  if (unknown.length > 0) await metadata.collection.recordUnlinked(unknown);
  return unknown.length;
}

/** What a crash left in the trash without a mark, or a rebuild of the metadata forgot. */
async function inventoryOfTrash(parts: Parts, options: InventoryOptions): Promise<number> {
  let found = 0;
  let waiting: Digest[] = [];
  for await (const digest of parts.blobs.listTrash()) {
    if (options.signal.aborted) return found;
    waiting.push(digest);
    if (waiting.length < trashedPerTurn) continue;
    found += await markUnknown(waiting, parts, options);
    waiting = [];
  }
  return found + (await markUnknown(waiting, parts, options));
}

async function markUnknown(
  digests: readonly Digest[],
  parts: Parts,
  options: InventoryOptions,
): Promise<number> {
  const { collection } = parts.metadata;
  // Also for those that are known: a database that answers at once lets nothing else run.
  await options.pace(1);
  const states = await collection.statesOf(digests);
  let found = 0;
  for (const digest of digests) {
    if (isMarked(states.get(digest), options.clock.nowMs())) continue;
    await options.pace(1);
    // Asked again: it may have been brought back since.
    const state = await collection.stateOf(digest);
    const sizeBytes = await parts.blobs.sizeInTrash(digest);
    const atMs = options.clock.nowMs();
    if (isMarked(state, atMs)) continue;
    if (state !== undefined) await collection.markTrashed([digest], atMs);
    else {
      const trashed = { digest, sizeBytes: sizeBytes ?? 0, touchedAtMs: atMs, trashedAtMs: atMs };
      await collection.recordUnlinked([trashed]);
    }
    found += 1;
  }
  return found;
}

/** A mark from the future, by a clock that was wrong then, would keep it until that time. */
function isMarked(state: BlobState | undefined, nowMs: number): boolean {
  return state?.trashedAtMs !== undefined && state.trashedAtMs <= nowMs;
}
