import type { TrashEntry, TrashStore } from "../activity/trash-store.ts";
import type { Clock } from "../base/clock.ts";
import type { BlobState } from "../metadata/collection-store.ts";
import type { Digest } from "../oci/digest.ts";
import type { RegistryContext } from "../registry/context.ts";

/**
 * What keeps a blob from collection. One order, from the strongest: a reference is for as long as
 * the manifest lives, a lease ends by itself.
 */
export type Keeper = "reference" | "freeze" | "undo" | "lease" | "trash";

/** What was deleted and can be taken back. */
export interface Undo {
  keeps(digest: Digest): Promise<boolean>;
}

/** Entries of one blob that are looked at. */
const entriesMax = 100;

/** As `trash` will be when a round has forgotten what can no longer be taken back. */
export function withoutExpired(trash: Pick<TrashStore, "keepersOf">, clock: Clock): Undo {
  return {
    keeps: async (digest) =>
      (await trash.keepersOf(digest, entriesMax)).some((entry) => !isExpired(entry, clock)),
  };
}

export function isExpired({ expiresAtMs }: TrashEntry, clock: Clock): boolean {
  return expiresAtMs < clock.nowMs();
}

/** The first thing that keeps the blob from going to the trash, or undefined. */
export async function keeperOf(
  blob: BlobState,
  parts: Pick<RegistryContext, "metadata" | "leases" | "links"> & { readonly undo: Undo },
): Promise<Keeper | undefined> {
  const { metadata, undo, leases } = parts;
  const { digest } = blob;
  if (blob.isReferenced) return "reference";
  if (await metadata.collection.isFrozen(digest)) return "freeze";
  if (await undo.keeps(digest)) return "undo";
  if (leases.isFresh(digest) || blob.touchedAtMs >= leases.touchedBeforeMs()) return "lease";
  if (await isLinkedInFrozen(digest, parts)) return "freeze";
  return blob.trashedAtMs === undefined ? undefined : "trash";
}

const frozenMax = 1_000;

/**
 * True when a repository that cannot be read whole has a link to the digest, readable or not. The
 * rows know neither the manifests nor the blobs whose links are damaged, and somebody else's link
 * to the same digest would hide that.
 */
export async function isLinkedInFrozen(
  digest: Digest,
  { metadata, links }: Pick<RegistryContext, "metadata" | "links">,
): Promise<boolean> {
  for (const frozen of await metadata.collection.frozenRepositories(frozenMax)) {
    if (frozen.unreadableManifests === 0) continue;
    if (await links.hasLinkOf("revision", frozen.repository, digest)) return true;
    if (await links.hasLinkOf("layer", frozen.repository, digest)) return true;
  }
  return false;
}
