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

/** What was deleted and can be taken back: the trash of names, or a view of it. */
export type Restorable = Pick<TrashStore, "keptAmong">;

/** What keeps each of some blobs; one that nothing keeps is not in it. */
export type Keepers = ReadonlyMap<Digest, Keeper>;

/** Entries of one blob that are looked at. */
const entriesMax = 100;

/** As `trash` will be when a round has forgotten what can no longer be taken back. */
export function withoutExpired(trash: Pick<TrashStore, "keepersOf">, clock: Clock): Restorable {
  return {
    keptAmong: async (digests) => {
      const kept = new Set<Digest>();
      for (const digest of digests) {
        const entries = await trash.keepersOf(digest, entriesMax);
        if (entries.some((entry) => !isExpired(entry, clock))) kept.add(digest);
      }
      return kept;
    },
  };
}

export function isExpired({ expiresAtMs }: TrashEntry, clock: Clock): boolean {
  return expiresAtMs < clock.nowMs();
}

type Parts = Pick<RegistryContext, "metadata" | "leases" | "links"> & { readonly undo: Restorable };

/** The first thing that keeps each of the blobs from going to the trash. */
export async function keepersOf(blobs: readonly BlobState[], parts: Parts): Promise<Keepers> {
  const keptForUndo = await parts.undo.keptAmong(blobs.map((blob) => blob.digest));
  const hasFrozen = await parts.metadata.collection.hasFrozen();
  const keepers = new Map<Digest, Keeper>();
  for (const blob of blobs) {
    const isKeptForUndo = keptForUndo.has(blob.digest);
    const keeper = hasFrozen
      ? await keeperBesideFrozen(blob, isKeptForUndo, parts)
      : keeperOf(blob, isKeptForUndo, parts);
    if (keeper !== undefined) keepers.set(blob.digest, keeper);
  }
  return keepers;
}

function keeperOf(
  blob: BlobState,
  isKeptForUndo: boolean,
  { leases }: Pick<Parts, "leases">,
): Keeper | undefined {
  if (blob.isReferenced) return "reference";
  if (isKeptForUndo) return "undo";
  if (leases.isFresh(blob.digest) || blob.touchedAtMs >= leases.touchedBeforeMs()) return "lease";
  return blob.trashedAtMs === undefined ? undefined : "trash";
}

/** Where some repository cannot be read whole. */
async function keeperBesideFrozen(
  blob: BlobState,
  isKeptForUndo: boolean,
  parts: Parts,
): Promise<Keeper | undefined> {
  const keeper = keeperOf(blob, isKeptForUndo, parts);
  if (keeper === "reference") return keeper;
  if (await parts.metadata.collection.isFrozen(blob.digest)) return "freeze";
  if (keeper === "undo" || keeper === "lease") return keeper;
  return (await isLinkedInFrozen(blob.digest, parts)) ? "freeze" : keeper;
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
