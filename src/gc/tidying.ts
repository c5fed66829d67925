import type { BlobLink } from "../metadata/collection-store.ts";
import type { Digest } from "../oci/digest.ts";
import type { RepositoryName } from "../oci/repository-name.ts";
import type { RegistryContext } from "../registry/context.ts";
import type { Pace } from "./pace.ts";
import { walkRows } from "./walk-rows.ts";

type Parts = Pick<RegistryContext, "links" | "metadata" | "locks" | "leases">;

interface Tidying extends Parts {
  readonly pace: Pace;
  readonly mayGoOn: () => Promise<boolean>;
}

const repositoriesPerRound = 1_000;
const repositoriesMax = 1_000_000;

/** Which repositories have a link to which of the blobs. */
export async function linksTo(
  digests: readonly Digest[],
  { metadata }: Pick<Parts, "metadata">,
): Promise<ReadonlyMap<RepositoryName, readonly Digest[]>> {
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
 * and whatever is not written is done again. The caller holds the blobs' locks.
 */
export async function endBlobs(
  digests: readonly Digest[],
  parts: Parts & Pick<RegistryContext, "blobs">,
): Promise<void> {
  const { links, metadata, locks, blobs } = parts;
  const linked = await linksTo(digests, parts);
  for (const [name, own] of linked) {
    await locks.shared(`repository:${name}`, () => links.removeLayers(name, own));
  }
  await blobs.emptyTrash(digests);
  for (const [name, own] of linked) await metadata.collection.unlink(name, own);
  await metadata.collection.forget(digests);
}

async function unlinkFrom(
  name: RepositoryName,
  digests: readonly Digest[],
  { links, metadata, locks }: Parts,
): Promise<void> {
  await locks.shared(`repository:${name}`, async () => {
    await links.removeLayers(name, digests);
    await metadata.collection.unlink(name, digests);
  });
}

/**
 * Removes the links to blobs that other repositories need but this one does not, and says how
 * many: they are what is left of images that were deleted here.
 */
export async function removeLooseLinks(tidying: Tidying): Promise<number> {
  const { metadata, leases, pace, mayGoOn } = tidying;
  let removed = 0;
  const windows = walkRows<BlobLink>((window) =>
    metadata.collection.looseLinks({ ...window, touchedBeforeMs: leases.touchedBeforeMs() }),
  );
  for await (const loose of windows) {
    if (!(await mayGoOn())) break;
    await pace(loose.length + 1);
    for (const link of loose) if (await removeLooseLink(link, tidying)) removed += 1;
  }
  return removed;
}

async function removeLooseLink({ repository, digest }: BlobLink, parts: Parts): Promise<boolean> {
  const { locks, metadata, leases } = parts;
  return locks.exclusive(digest, async () => {
    const isLoose = await metadata.collection.isLoose(repository, digest);
    const state = await metadata.collection.stateOf(digest);
    if (!isLoose || leases.isFresh(digest) || state === undefined) return false;
    // One that nobody references at all goes the other way, links and bytes together.
    if (!state.isReferenced || state.touchedAtMs >= leases.touchedBeforeMs()) return false;
    if (await metadata.collection.isFrozen(digest)) return false;
    await unlinkFrom(repository, [digest], parts);
    return true;
  });
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
