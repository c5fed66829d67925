import type { CollectedBlob } from "../activity/collected-store.ts";
import type { BlobState, Links } from "../metadata/collection-store.ts";
import type { Digest } from "../oci/digest.ts";
import type { RepositoryName } from "../oci/repository-name.ts";

const holdersMax = 3;

/** What is said of blobs that end at `atMs` to whoever asks where they went. */
export function collectedBlobs(
  blobs: readonly BlobState[],
  linked: Links,
  atMs: number,
): readonly CollectedBlob[] {
  const holders = new Map<Digest, RepositoryName[]>(blobs.map(({ digest }) => [digest, []]));
  for (const [name, digests] of linked) {
    for (const digest of digests) holders.get(digest)?.push(name);
  }
  return blobs.map(({ digest, sizeBytes = 0, touchedAtMs, trashedAtMs = atMs }) => {
    const heldBy = (holders.get(digest) ?? []).sort().slice(0, holdersMax).join(", ");
    return { digest, sizeBytes, atMs, touchedAtMs, trashedAtMs, heldBy };
  });
}
