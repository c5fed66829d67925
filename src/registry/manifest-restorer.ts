import type { BlobRecord } from "../metadata/metadata-store.ts";
import type { Digest } from "../oci/digest.ts";
import { blobsOf, type Manifest } from "../oci/manifest.ts";
import type { RepositoryName } from "../oci/repository-name.ts";
import type { RegistryContext } from "./context.ts";
import { linkBlob } from "./link-blob.ts";
import { linkManifest } from "./link-manifest.ts";

interface FoundManifest {
  readonly digest: Digest;
  readonly manifest: Manifest;
  readonly sizeBytes: number;
}

/** What has to be linked, in an order in which nothing leads to something incomplete. */
interface Plan {
  readonly blobs: Map<Digest, BlobRecord>;
  /** The manifests of an index before the index. */
  readonly manifests: FoundManifest[];
  /** Digests that the trash has kept and whose bytes are gone all the same. */
  readonly missing: Set<Digest>;
  readonly seen: Set<Digest>;
}

/**
 * Gives a manifest back to its repository, with the blobs and the manifests that it names and
 * that the repository held when it was deleted. Everything is looked for before anything is
 * written; the caller holds the locks of all of it.
 *
 * @returns the digests whose bytes are gone: then nothing was done. Empty when all went well.
 */
export async function restoreManifest(
  name: RepositoryName,
  { digest, keeps }: { readonly digest: Digest; readonly keeps: ReadonlySet<Digest> },
  context: RegistryContext,
): Promise<readonly Digest[]> {
  const plan: Plan = { blobs: new Map(), manifests: [], missing: new Set(), seen: new Set() };
  await new Planner(name, keeps, context).add(digest, plan);
  if (plan.missing.size > 0) return [...plan.missing];
  for (const blob of plan.blobs.values()) await linkBlob(name, blob, context);
  for (const manifest of plan.manifests) await linkManifest(name, manifest, context);
  return [];
}

class Planner {
  readonly #name: RepositoryName;
  readonly #keeps: ReadonlySet<Digest>;
  readonly #context: RegistryContext;

  constructor(name: RepositoryName, keeps: ReadonlySet<Digest>, context: RegistryContext) {
    this.#name = name;
    this.#keeps = keeps;
    this.#context = context;
  }

  async add(digest: Digest, plan: Plan): Promise<void> {
    const { lookup, reader } = this.#context;
    if (plan.seen.has(digest)) return;
    plan.seen.add(digest);
    // The reader has a memory: ask the storage whether the bytes are there.
    const content = await lookup.content(digest);
    const parsed = content === undefined ? undefined : await reader.parsed(digest);
    if (parsed === undefined) {
      plan.missing.add(digest);
      return;
    }
    const { manifest } = parsed;
    for (const blob of blobsOf(manifest)) await this.#addBlob(blob.digest, plan);
    for (const child of manifest.manifests) await this.#addChild(child.digest, plan);
    plan.manifests.push({ digest, ...parsed });
  }

  /** What the trash has not kept was not the repository's when the manifest was deleted. */
  async #addBlob(digest: Digest, plan: Plan): Promise<void> {
    if (!this.#keeps.has(digest)) return;
    const content = await this.#context.lookup.content(digest);
    if (content === undefined) plan.missing.add(digest);
    else plan.blobs.set(digest, { digest, sizeBytes: content.sizeBytes });
  }

  async #addChild(digest: Digest, plan: Plan): Promise<void> {
    const { links, lookup, reader } = this.#context;
    if (!this.#keeps.has(digest)) return;
    if ((await lookup.findManifest(this.#name, digest)) !== undefined) {
      return links.settleRevision(this.#name, digest);
    }
    // Buildkit's older cache indexes have layers for children. Out of the trash first: bytes that
    // cannot be read just now would pass for a layer, and the index would lose its image.
    await lookup.content(digest);
    const isManifest = (await reader.parsed(digest)) !== undefined;
    await (isManifest ? this.add(digest, plan) : this.#addBlob(digest, plan));
  }
}
