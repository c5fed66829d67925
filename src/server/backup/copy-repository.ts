import { utimes } from "node:fs/promises";
import { inParallel } from "../../base/in-parallel.ts";
import type { Digest } from "../../oci/digest.ts";
import type { RepositoryName } from "../../oci/repository-name.ts";
import type { Tag } from "../../oci/tag.ts";
import { layerLinkKey, revisionLinkKey, tagCurrentKey } from "../../storage/layout.ts";
import type { Link } from "../../storage/link-store.ts";
import { countText, sizeText } from "../commands/text.ts";
import { type BlobCopyOptions, copyBlob } from "./copy-blob.ts";
import type { Stores } from "./stores.ts";

/** What was copied so far, added up over repositories. */
export interface CopyCounts {
  repositories: number;
  tags: number;
  manifests: number;
  blobs: number;
  copiedBlobs: number;
  copiedBytes: number;
  linkedBlobs: number;
  /** Links whose bytes the source does not have, or has damaged, and that no earlier copy has. */
  broken: number;
}

export function newCounts(): CopyCounts {
  const copied = { copiedBlobs: 0, copiedBytes: 0, linkedBlobs: 0 };
  return { repositories: 0, tags: 0, manifests: 0, blobs: 0, ...copied, broken: 0 };
}

/** `2 repositories, 3 tags, 3 manifests` */
export function namesText({ repositories, tags, manifests }: CopyCounts): string {
  const names = [
    countText(repositories, "repository"),
    countText(tags, "tag"),
    countText(manifests, "manifest"),
  ];
  return names.join(", ");
}

/** `2 repositories, 9 blobs copied (18.0 MB), 3 linked so far` */
export function progressText(counts: CopyCounts): string {
  const { repositories, copiedBlobs, copiedBytes, linkedBlobs } = counts;
  const copied = `${countText(copiedBlobs, "blob")} copied (${sizeText(copiedBytes)})`;
  return `${countText(repositories, "repository")}, ${copied}, ${linkedBlobs} linked so far`;
}

export interface RepositoryCopyOptions extends BlobCopyOptions {
  readonly counts: CopyCounts;
  /** Blobs, or links, that are written side by side. */
  readonly atOnce: number;
  readonly signal: AbortSignal;
  /** True of a layer's link that nobody misses the bytes of: a collection has taken them. */
  readonly isCollected: (name: RepositoryName, link: Link) => Promise<boolean>;
  /** Told of what is broken at the source. */
  readonly print: (line: string) => void;
}

interface Names {
  readonly tags: ReadonlyMap<Tag, Link>;
  readonly revisions: ReadonlyMap<Digest, Link>;
  readonly layers: ReadonlyMap<Digest, Link>;
}

/**
 * Copies one repository of a registry that may be at work, so that at no moment a link at the
 * target leads to nothing.
 *
 *     read tags, then revisions, then layers ── copy the bytes ── read the revisions again
 *        └─► write layers, revisions, tags ── take away, at the target, what is gone at the source
 *
 * A push writes in the opposite order of the reading, so whatever a tag needs is read after it. A
 * manifest that is there before and after the bytes were copied was there all the time, with all
 * that it needs; one that went meanwhile is left out, with its tags.
 */
export async function copyRepository(
  name: RepositoryName,
  options: RepositoryCopyOptions,
): Promise<void> {
  const { source, counts, atOnce } = options;
  const names = await readNames(name, source);
  const held = new Set<Digest>();
  const digests = new Set([...names.revisions.keys(), ...names.layers.keys()]);
  await inParallel([...digests], atOnce, async (digest) => {
    options.signal.throwIfAborted();
    const isHeld = await bringBlob(digest, options);
    if (isHeld) held.add(digest);
    else if (await isMissed(name, { digest, layer: names.layers.get(digest) }, options)) {
      counts.broken += 1;
      options.print(`${name}: ${digest} is missing or damaged at the source and was left out`);
    }
  });
  const still = new Set(await source.links.listRevisions(name));
  await writeNames(name, {
    ...options,
    names: {
      tags: names.tags,
      revisions: filtered(names.revisions, (digest) => held.has(digest) && still.has(digest)),
      layers: filtered(names.layers, (digest) => held.has(digest)),
    },
  });
  counts.repositories += 1;
  await removeVanished(name, options);
}

async function readNames(name: RepositoryName, { links }: Stores): Promise<Names> {
  const tags = new Map<Tag, Link>();
  for (const tag of await links.listTags(name)) {
    const link = await links.readTag(name, tag);
    if (link !== undefined) tags.set(tag, link);
  }
  const revisions = new Map<Digest, Link>();
  for (const digest of await links.listRevisions(name)) {
    const link = await links.readRevision(name, digest);
    if (link !== undefined) revisions.set(digest, link);
  }
  const layers = new Map<Digest, Link>();
  for (const digest of await links.listLayers(name)) {
    const link = await links.readLayer(name, digest);
    if (link !== undefined) layers.set(digest, link);
  }
  return { tags, revisions, layers };
}

/** True when the target has the bytes afterwards. */
async function bringBlob(digest: Digest, options: RepositoryCopyOptions): Promise<boolean> {
  const { counts } = options;
  const copied = await copyBlob(digest, options);
  if (copied.kind === "missing" || copied.kind === "corrupt") return copied.isHeld;
  if (copied.kind === "linked") counts.linkedBlobs += 1;
  if (copied.kind === "copied") {
    counts.copiedBlobs += 1;
    counts.copiedBytes += copied.sizeBytes;
  }
  return true;
}

async function isMissed(
  name: RepositoryName,
  { digest, layer }: { readonly digest: Digest; readonly layer: Link | undefined },
  { source, isCollected }: RepositoryCopyOptions,
): Promise<boolean> {
  if (!(await isStillLinked(name, digest, source))) return false;
  return layer === undefined || !(await isCollected(name, layer));
}

async function isStillLinked(
  name: RepositoryName,
  digest: Digest,
  { links }: Stores,
): Promise<boolean> {
  if ((await links.readRevision(name, digest)) !== undefined) return true;
  return (await links.readLayer(name, digest)) !== undefined;
}

/** Layers, then revisions, then tags; what is there already, to the time, is not written again. */
async function writeNames(
  name: RepositoryName,
  options: RepositoryCopyOptions & { readonly names: Names },
): Promise<void> {
  const { target, counts, names, atOnce } = options;
  await inParallel([...names.layers], atOnce, async ([digest, link]) => {
    const key = layerLinkKey(name, digest);
    await writeLink(key, link, { ...options, write: () => target.links.writeLayer(name, digest) });
  });
  await inParallel([...names.revisions], atOnce, async ([digest, link]) => {
    const key = revisionLinkKey(name, digest);
    const write = (): Promise<void> => target.links.writeRevision(name, digest);
    await writeLink(key, link, { ...options, write });
    counts.manifests += 1;
  });
  await inParallel([...names.tags], atOnce, async ([tag, link]) => {
    // Also one that an earlier copy has and the source has lost the bytes of.
    const revision = await target.links.stateOf(revisionLinkKey(name, link.digest), link.digest);
    if (revision.kind !== "sound") return;
    const write = (): Promise<unknown> => target.links.writeTag(name, tag, link.digest);
    await writeLink(tagCurrentKey(name, tag), link, { ...options, write });
    counts.tags += 1;
  });
}

async function writeLink(
  key: string,
  { digest, modifiedAtMs }: Link,
  {
    target,
    targetFolder,
    signal,
    write,
  }: Pick<RepositoryCopyOptions, "target" | "targetFolder" | "signal"> & {
    readonly write: () => Promise<unknown>;
  },
): Promise<void> {
  signal.throwIfAborted();
  const state = await target.links.stateOf(key);
  const isThere = state.kind === "sound" && state.link.digest === digest;
  if (isThere && Math.abs(state.link.modifiedAtMs - modifiedAtMs) < 1) return;
  if (!isThere) await write();
  // A link's time says when it was pushed: retention and people go by it.
  await utimes(`${targetFolder}/${key}`, modifiedAtMs / 1_000, modifiedAtMs / 1_000);
}

/**
 * Takes away what is gone at the source; a damaged link there is no deletion. The layers are
 * looked at before the revisions: one that was gone by then is needed by no revision that is
 * there afterwards.
 */
async function removeVanished(
  name: RepositoryName,
  { source, target }: RepositoryCopyOptions,
): Promise<void> {
  const isGone = async (key: string): Promise<boolean> =>
    (await source.links.stateOf(key)).kind === "absent";
  const layers: Digest[] = [];
  for (const digest of await target.links.listLayers(name)) {
    if (await isGone(layerLinkKey(name, digest))) layers.push(digest);
  }
  const revisions = new Set<Digest>();
  for (const digest of await target.links.listRevisions(name)) {
    if (await isGone(revisionLinkKey(name, digest))) revisions.add(digest);
  }
  for (const tag of await target.links.listTags(name)) {
    const pointsTo = (await target.links.readTag(name, tag))?.digest;
    // It may have moved at the source since it was read: no tag may outlive its manifest.
    const dangles = pointsTo !== undefined && revisions.has(pointsTo);
    if (dangles || (await isGone(tagCurrentKey(name, tag))))
      await target.links.removeTag(name, tag);
  }
  for (const digest of revisions) await target.links.removeRevision(name, digest);
  for (const digest of layers) {
    // Pushed again meanwhile? Then a manifest may need it.
    if (await isGone(layerLinkKey(name, digest))) await target.links.removeLayer(name, digest);
  }
}

function filtered<V>(map: ReadonlyMap<Digest, V>, keep: (key: Digest) => boolean): Map<Digest, V> {
  return new Map([...map].filter(([key]) => keep(key)));
}
