import type { Digest } from "../oci/digest.ts";
import { blobsOf } from "../oci/manifest.ts";
import type { RepositoryName } from "../oci/repository-name.ts";
import type { RegistryContext } from "./context.ts";

/** What a manifest needs to be whole: its own bytes and what it names, down to the last layer. */
export interface Kept {
  readonly digests: readonly Digest[];
  readonly sizeBytes: number;
}

/**
 * What the repository would need to have this manifest again. Only what it holds now counts: a
 * digest that a manifest names without the repository holding it is not the repository's to get.
 * Undefined when the manifest cannot be read, and so cannot be taken back.
 */
export async function keptFor(
  name: RepositoryName,
  digest: Digest,
  { lookup, reader }: Pick<RegistryContext, "lookup" | "reader">,
): Promise<Kept | undefined> {
  const sizes = new Map<Digest, number>();
  const addManifest = async (from: Digest): Promise<boolean> => {
    if (sizes.has(from)) return true;
    const parsed = await reader.parsed(from);
    if (parsed === undefined) return false;
    const { manifest } = parsed;
    sizes.set(from, parsed.sizeBytes);
    for (const blob of blobsOf(manifest)) {
      if (await lookup.holdsBlob(name, blob.digest)) sizes.set(blob.digest, blob.sizeBytes);
    }
    for (const child of manifest.manifests) {
      if ((await lookup.findManifest(name, child.digest)) !== undefined) {
        await addManifest(child.digest);
      } else if (await lookup.holdsBlob(name, child.digest)) {
        // Buildkit's older cache indexes have layers for children.
        sizes.set(child.digest, child.sizeBytes);
      }
    }
    return true;
  };
  if (!(await addManifest(digest))) return undefined;
  const sizeBytes = [...sizes.values()].reduce((sum, size) => sum + size, 0);
  return { digests: [...sizes.keys()], sizeBytes };
}
