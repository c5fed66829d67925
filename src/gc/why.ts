import type { CollectedBlob } from "../activity/collected-store.ts";
import type { TrashEntry } from "../activity/trash-store.ts";
import type { BlobState, BlobUse, FrozenRepository } from "../metadata/collection-store.ts";
import type { Digest } from "../oci/digest.ts";
import type { RepositoryName } from "../oci/repository-name.ts";
import type { Tag } from "../oci/tag.ts";
import type { RegistryContext } from "../registry/context.ts";
import { isLinkedInFrozen } from "./keepers.ts";

/** All that keeps a blob, or where it went. */
export interface Reasons {
  readonly digest: Digest;
  /** Undefined when it is not here, nor on its way out. */
  readonly state: BlobState | undefined;
  readonly sizeBytes: number | undefined;
  /** Repositories that may show it; a link keeps nothing. */
  readonly linkedBy: readonly RepositoryName[];
  readonly references: readonly (BlobUse & {
    readonly tags: readonly Tag[];
    /** Indexes that list the manifest. */
    readonly parents: readonly Digest[];
  })[];
  /** What was deleted, can be taken back, and needs it then. */
  readonly undo: readonly TrashEntry[];
  /** Set while somebody was told of it lately. */
  readonly leasedUntilMs: number | undefined;
  readonly isFrozen: boolean;
  readonly frozen: readonly FrozenRepository[];
  readonly collected: CollectedBlob | undefined;
}

type Parts = Pick<RegistryContext, "metadata" | "activity" | "leases" | "blobs" | "links">;

const listedMax = 100;

export async function reasonsFor(digest: Digest, parts: Parts): Promise<Reasons> {
  const { metadata, activity, leases, blobs } = parts;
  await leases.flush();
  const { collection } = metadata;
  const state = await collection.stateOf(digest);
  const uses = await collection.referencesOf(digest, listedMax);
  const references = await Promise.all(
    uses.map(async (use) => ({
      ...use,
      tags: await metadata.tagsOfManifest(use.repository, use.manifest, listedMax),
      parents: await metadata.parentsOf(use.repository, use.manifest, listedMax),
    })),
  );
  return {
    digest,
    state,
    sizeBytes: (await blobs.sizeOf(digest)) ?? (await blobs.sizeInTrash(digest)),
    linkedBy: await metadata.repositoriesWithBlob(digest, listedMax),
    references,
    undo: await activity.trash.keepersOf(digest, listedMax),
    leasedUntilMs: leases.leasedUntilMs(state?.touchedAtMs),
    isFrozen:
      state !== undefined &&
      ((await collection.isFrozen(digest)) || (await isLinkedInFrozen(digest, parts))),
    frozen: await collection.frozenRepositories(listedMax),
    collected: await activity.collected.find(digest),
  };
}
