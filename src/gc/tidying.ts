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

const repositoriesPerQuery = 1_000;

/**
 * Removes the links to blobs, in every repository that has one; durable when it resolves. The
 * caller holds the blobs' exclusive locks.
 */
export async function unlinkEverywhere(digests: readonly Digest[], parts: Parts): Promise<void> {
  for (;;) {
    const byRepository = new Map<RepositoryName, Digest[]>();
    for (const digest of digests) {
      for (const name of await parts.metadata.repositoriesWithBlob(digest, repositoriesPerQuery)) {
        const own = byRepository.get(name);
        if (own === undefined) byRepository.set(name, [digest]);
        else own.push(digest);
      }
    }
    if (byRepository.size === 0) return;
    for (const [name, own] of byRepository) await unlinkFrom(name, own, parts);
  }
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

/** Finishes what a crash broke off in the middle of a delete. */
export async function clearRemnants(
  { links, locks }: Parts,
  names: readonly RepositoryName[],
): Promise<void> {
  for (const name of names) {
    // Alone: a tag that is being set has its folder a moment before its link.
    await locks.exclusive(`repository:${name}`, () => links.clearRemnants(name));
  }
}

/** Removes repositories that have nothing any more, and says how many. */
export async function removeEmptyRepositories(tidying: Tidying): Promise<number> {
  const { metadata, links, locks, pace, mayGoOn } = tidying;
  let removed = 0;
  for (const name of await metadata.collection.emptyRepositories(repositoriesPerQuery)) {
    if (!(await mayGoOn())) break;
    await pace(1);
    const isRemoved = await locks.exclusive(`repository:${name}`, async () => {
      if (!(await links.removeIfEmpty(name))) return false;
      await metadata.removeRepository(name);
      return true;
    });
    if (isRemoved) removed += 1;
  }
  return removed;
}
