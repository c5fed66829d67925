import { inParallel } from "../base/in-parallel.ts";
import type { BlobLink } from "../metadata/collection-store.ts";
import type { Digest } from "../oci/digest.ts";
import type { RepositoryName } from "../oci/repository-name.ts";
import type { RegistryContext } from "../registry/context.ts";
import { holdDigests, lockTrash } from "../registry/lock-digests.ts";
import type { Pace } from "./pace.ts";
import { walkRows } from "./walk-rows.ts";

type Parts = Pick<RegistryContext, "links" | "metadata" | "locks" | "leases">;

interface Tidying extends Parts {
  readonly pace: Pace;
  readonly mayGoOn: () => Promise<boolean>;
}

const repositoriesPerRound = 1_000;
const repositoriesMax = 1_000_000;
/** Their folders are synced together: a disk takes two syncs at once in the time of one. */
const repositoriesAtOnce = 4;
/** Loose links that are looked for before those of one repository are removed together. */
const linksPerPass = 1_000;
/** … and how many of it, since their blobs are locked meanwhile. */
const linksPerBatch = 100;

type Links = ReadonlyMap<RepositoryName, readonly Digest[]>;

/** Which repositories have a link to which of the blobs. */
export async function linksTo(
  digests: readonly Digest[],
  { metadata }: Pick<Parts, "metadata">,
): Promise<Links> {
  const byRepository = new Map<RepositoryName, Digest[]>();
  for (const digest of digests) {
    for (const name of await metadata.repositoriesWithBlob(digest, repositoriesMax)) {
      const own = byRepository.get(name);
      if (own === undefined) byRepository.set(name, [digest]);
      else own.push(digest);
    }
  }
  return byRepository;
}

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
  await inParallel([...linked], repositoriesAtOnce, ([name, own]) =>
    locks.shared(`repository:${name}`, () => links.removeLayers(name, own)),
  );
  await blobs.emptyTrash(digests);
  if (linked.size > 0) await metadata.collection.unlink(linked);
  await metadata.collection.forget(digests);
}

async function unlinkFrom(
  name: RepositoryName,
  digests: readonly Digest[],
  { links, metadata, locks }: Parts,
): Promise<void> {
  await locks.shared(`repository:${name}`, async () => {
    await links.removeLayers(name, digests);
    await metadata.collection.unlink(new Map([[name, digests]]));
  });
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
  await inParallel(batchesByRepository(loose), repositoriesAtOnce, async (links) => {
    if (!(await mayGoOn())) return;
    await pace(links.length);
    const count = await removeLinks(links, tidying);
    removed += count;
  });
  return removed;
}

/** Of one repository. */
async function removeLinks(loose: readonly BlobLink[], parts: Parts): Promise<number> {
  const digests = loose.map((link) => link.digest);
  const [name] = loose.map((link) => link.repository);
  if (name === undefined) return 0;
  const { locks, metadata } = parts;
  return holdDigests(locks, digests, () =>
    // Who asks whether the repository has one of them was told of it before this, and holds a
    // lease, or it waits, and hears that it is not there.
    lockTrash(locks, digests, async () => {
      const revision = await metadata.collection.revisionOf(name);
      const own: Digest[] = [];
      for (const link of loose) if (await mayUnlink(link, revision, parts)) own.push(link.digest);
      if (own.length > 0) await unlinkFrom(name, own, parts);
      return own.length;
    }),
  );
}

/** Everything may have changed since the query. The caller holds the blob's lock. */
async function mayUnlink(
  link: BlobLink,
  revision: string | undefined,
  { metadata, leases }: Parts,
): Promise<boolean> {
  const { repository, digest } = link;
  // A manifest that needs the blob again would have been recorded in the repository.
  const isLoose =
    revision === link.revision || (await metadata.collection.isLoose(repository, digest));
  const state = await metadata.collection.stateOf(digest);
  if (!isLoose || leases.isFresh(digest) || state === undefined) return false;
  // One that nobody references at all goes the other way, links and bytes together.
  if (!state.isReferenced || state.touchedAtMs >= leases.touchedBeforeMs()) return false;
  return !(await metadata.collection.isFrozen(digest));
}

function batchesByRepository(links: readonly BlobLink[]): readonly (readonly BlobLink[])[] {
  const batches: (readonly BlobLink[])[] = [];
  for (const own of Map.groupBy(links, (link) => link.repository).values()) {
    for (let start = 0; start < own.length; start += linksPerBatch) {
      batches.push(own.slice(start, start + linksPerBatch));
    }
  }
  return batches;
}

/**
 * Finishes what a crash broke off in the middle of a delete, and says how many repositories have
 * nothing any more.
 */
export async function clearRemnants(
  names: readonly RepositoryName[],
  parts: Parts & Pick<RegistryContext, "blobs">,
): Promise<number> {
  const { links, locks } = parts;
  let removed = 0;
  for (const name of names) {
    for (const digest of await links.listLayers(name)) await removeLostLink(name, digest, parts);
    // Alone: a tag that is being set has its folder a moment before its link.
    const isRemoved = await locks.exclusive(`repository:${name}`, async () => {
      await links.clearRemnants(name);
      return removeIfEmpty(name, parts);
    });
    if (isRemoved) removed += 1;
  }
  return removed;
}

/**
 * Removes a link whose bytes are gone and which nothing needs: no row says so, for there is
 * nothing to record. A power cut leaves it when it takes a blob on its way to the trash.
 */
async function removeLostLink(
  name: RepositoryName,
  digest: Digest,
  parts: Parts & Pick<RegistryContext, "blobs">,
): Promise<void> {
  const { blobs, metadata, locks } = parts;
  await locks.exclusive(digest, async () => {
    if ((await blobs.sizeOf(digest)) !== undefined) return;
    if ((await blobs.sizeInTrash(digest)) !== undefined) return;
    if (!(await metadata.collection.isLoose(name, digest))) return;
    if (await metadata.collection.isFrozen(digest)) return;
    await unlinkFrom(name, [digest], parts);
  });
}

/** Removes repositories that have nothing any more, and says how many. */
export async function removeEmptyRepositories(tidying: Tidying): Promise<number> {
  const { metadata, locks, pace, mayGoOn } = tidying;
  let removed = 0;
  for (const name of await metadata.collection.emptyRepositories(repositoriesPerRound)) {
    if (!(await mayGoOn())) break;
    await pace(1);
    const isRemoved = await locks.exclusive(`repository:${name}`, () =>
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
