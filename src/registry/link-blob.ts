import type { BlobRecord } from "../metadata/metadata-store.ts";
import type { RepositoryName } from "../oci/repository-name.ts";
import type { RegistryContext } from "./context.ts";
import { repositoryLock } from "./lock-keys.ts";
import { record } from "./recording.ts";

/** Makes the repository hold a blob whose bytes are there. The caller holds the digest's lock. */
export async function linkBlob(
  name: RepositoryName,
  blob: BlobRecord,
  context: RegistryContext,
): Promise<void> {
  const { links, metadata, locks, adoption } = context;
  await locks.shared(repositoryLock(name), async () => {
    await links.writeLayer(name, blob.digest);
    await record(name, context, () => metadata.recordBlob(name, blob));
  });
  adoption.noteBytes(blob.digest);
}
