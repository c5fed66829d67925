import { inParallel } from "../base/in-parallel.ts";
import {
  type BlobLink,
  type BlobState,
  type Links,
  linksOf,
} from "../metadata/collection-store.ts";
import type { Digest } from "../oci/digest.ts";
import type { RepositoryName } from "../oci/repository-name.ts";
import type { RegistryContext } from "../registry/context.ts";
import { holdDigests, lockTrash } from "../registry/lock-digests.ts";
import { repositoryLock } from "../registry/lock-keys.ts";
import type { Remnants } from "../registry/remnants.ts";
import { inBatches } from "./batches.ts";
import type { Pace } from "./pace.ts";
import { walkRows } from "./walk-rows.ts";

type Parts = Pick<RegistryContext, "links" | "metadata" | "locks" | "leases">;

interface Tidying extends Parts {
  readonly pace: Pace;
  readonly mayGoOn: () => Promise<boolean>;
}

const repositoriesPerRound = 1_000;
/** Their folders are synced together: a disk takes two syncs at once in the time of one. */
const repositoriesAtOnce = 4;
/** Loose links that are looked for before they are removed. */
const linksPerPass = 1_000;

/**
 * Ends blobs that are in the trash. Links before bytes: a link to nothing would promise a blob
 * that is not there. Rows last: on a full disk they cannot be written before the bytes are gone,
 * and whatever is not written is done again. The caller holds the blobs' locks, and has asked
 * under them where the links are.
 */
export async function endBlobs(
  digests: readonly Digest[],
  linked: Links,
  { links, metadata, locks, blobs }: Parts & Pick<RegistryContext, "blobs">,
): Promise<void> {
  await removeLinkFiles(linked, { links, locks });
  await blobs.emptyTrash(digests);
  await metadata.collection.forget(digests, linked.keys());
}

function removeLinkFiles(
  linked: Links,
  { links, locks }: Pick<Parts, "links" | "locks">,
): Promise<void> {
  return inParallel([...linked], repositoriesAtOnce, ([name, own]) =>
    locks.shared(repositoryLock(name), () => links.removeLayers(name, own)),
  );
}

/** Links to blobs whose bytes stay, or are gone already. The caller holds the blobs' locks. */
async function unlink(linked: Links, parts: Parts): Promise<void> {
  await removeLinkFiles(linked, parts);
  if (linked.size > 0) await parts.metadata.collection.unlink(linked);
}

/**
 * Removes the links to blobs that other repositories need but this one does not, and says how
 * many: they are what is left of images that were deleted here.
 */
export async function removeLooseLinks(tidying: Tidying): Promise<number> {
  const { metadata, leases, pace, mayGoOn } = tidying;
  // They go in one step, and whoever was told of one before the crash would miss it.
  if (leases.mayBeLost) return 0;
  let removed = 0;
  let waiting: BlobLink[] = [];
  const windows = walkRows<BlobLink>((window) =>
    metadata.collection.looseLinks({ ...window, touchedBeforeMs: leases.touchedBeforeMs() }),
  );
  for await (const loose of windows) {
    if (!(await mayGoOn())) return removed;
    await pace(1);
    waiting.push(...loose);
    if (waiting.length < linksPerPass) continue;
    removed += await removeTheseLinks(waiting, tidying);
    waiting = [];
  }
  return removed + (await removeTheseLinks(waiting, tidying));
}

async function removeTheseLinks(loose: readonly BlobLink[], tidying: Tidying): Promise<number> {
  const { pace, mayGoOn } = tidying;
  let removed = 0;
  // Those of one repository stand together: their folder is synced once.
  const ordered = [...Map.groupBy(loose, (link) => link.repository).values()].flat();
  await inBatches(ordered, async (batch) => {
    if (!(await mayGoOn())) return;
    await pace(batch.length);
    const count = await removeLinks(batch, tidying);
    removed += count;
  });
  return removed;
}

async function removeLinks(loose: readonly BlobLink[], parts: Parts): Promise<number> {
  const digests = loose.map((link) => link.digest);
  const { locks, metadata } = parts;
  return holdDigests(locks, digests, () =>
    // Who asks whether the repository has one of them was told of it before this, and holds a
    // lease, or it waits, and hears that it is not there.
    lockTrash(locks, digests, async () => {
      const states = await metadata.collection.statesOf(digests);
      const unneeded: BlobLink[] = [];
      for (const link of loose) {
        if (await mayUnlink(link, states.get(link.digest), parts)) unneeded.push(link);
      }
      await unlink(linksOf(unneeded), parts);
      return unneeded.length;
    }),
  );
}

/** Everything may have changed since the query. The caller holds the blob's lock. */
async function mayUnlink(
  { repository, digest, revision }: BlobLink,
  state: BlobState | undefined,
  { metadata, leases }: Parts,
): Promise<boolean> {
  // A manifest that needs the blob again would have been recorded in the repository.
  const isLoose =
    (await metadata.collection.revisionOf(repository)) === revision ||
    (await metadata.collection.isLoose(repository, digest));
  if (!isLoose || leases.isFresh(digest) || state === undefined) return false;
  // One that nobody references at all goes the other way, links and bytes together.
  if (!state.isReferenced || state.touchedAtMs >= leases.touchedBeforeMs()) return false;
  return !(await metadata.collection.isFrozen(digest));
}

/**
 * Finishes what a crash broke off in the middle of a delete, and says how many repositories have
 * nothing any more.
 */
export async function clearRemnants(
  remnants: Remnants,
  tidying: Tidying & Pick<RegistryContext, "blobs">,
): Promise<number> {
  const { links, locks, mayGoOn } = tidying;
  let removed = 0;
  for (const name of remnants.take()) {
    const isDone = (await mayGoOn()) && (await removeLostLinks(name, tidying));
    if (!isDone) {
      remnants.add(name);
      continue;
    }
    // Alone: a tag that is being set has its folder a moment before its link.
    const isRemoved = await locks.exclusive(repositoryLock(name), async () => {
      await links.clearRemnants(name);
      return removeIfEmpty(name, tidying);
    });
    if (isRemoved) removed += 1;
  }
  return removed;
}

/**
 * Removes links whose bytes are gone and which nothing needs: no row says so, for there is
 * nothing to record. Distribution's garbage-collect leaves as many as blobs that it took, and a
 * power cut one when it takes a blob on its way to the trash. False when it was not to go on.
 */
async function removeLostLinks(
  name: RepositoryName,
  tidying: Tidying & Pick<RegistryContext, "blobs">,
): Promise<boolean> {
  const { links, blobs, locks, pace, mayGoOn } = tidying;
  const lost: Digest[] = [];
  for (const digest of await links.listLayers(name)) {
    if ((await blobs.sizeOf(digest)) === undefined) lost.push(digest);
  }
  let isDone = true;
  await inBatches(lost, async (batch) => {
    isDone &&= await mayGoOn();
    if (!isDone) return;
    await pace(batch.length);
    await holdDigests(locks, batch, async () => {
      const unneeded: Digest[] = [];
      for (const digest of batch) {
        if (await isLost(name, digest, tidying)) unneeded.push(digest);
      }
      if (unneeded.length > 0) await unlink(new Map([[name, unneeded]]), tidying);
    });
  });
  return isDone;
}

/** True when the bytes are gone and nothing needs them: for certain only under the digest's lock. */
export async function isLost(
  name: RepositoryName,
  digest: Digest,
  { blobs, metadata }: Pick<RegistryContext, "blobs" | "metadata">,
): Promise<boolean> {
  if ((await blobs.sizeOf(digest)) !== undefined) return false;
  if ((await blobs.sizeInTrash(digest)) !== undefined) return false;
  if (!(await metadata.collection.isLoose(name, digest))) return false;
  return !(await metadata.collection.isFrozen(digest));
}

/** Removes repositories that have nothing any more, and says how many. */
export async function removeEmptyRepositories(tidying: Tidying): Promise<number> {
  const { metadata, locks, pace, mayGoOn } = tidying;
  let removed = 0;
  for (const name of await metadata.collection.emptyRepositories(repositoriesPerRound)) {
    if (!(await mayGoOn())) break;
    await pace(1);
    const isRemoved = await locks.exclusive(repositoryLock(name), () =>
      removeIfEmpty(name, tidying),
    );
    if (isRemoved) removed += 1;
  }
  return removed;
}

/** The caller holds the repository's lock. */
async function removeIfEmpty(
  name: RepositoryName,
  { links, metadata }: Pick<Parts, "links" | "metadata">,
): Promise<boolean> {
  if (!(await links.removeIfEmpty(name))) return false;
  await metadata.removeRepository(name);
  return true;
}
