import type { Digest } from "../oci/digest.ts";
import type { Manifest } from "../oci/manifest.ts";
import type { RepositoryName } from "../oci/repository-name.ts";
import type { RegistryContext } from "./context.ts";
import { repositoryLock } from "./lock-keys.ts";
import { record } from "./recording.ts";

/** Makes the repository have a manifest whose bytes are there, and all that it names. */
export async function linkManifest(
  name: RepositoryName,
  linked: {
    readonly digest: Digest;
    readonly manifest: Manifest;
    readonly sizeBytes: number;
  },
  context: RegistryContext,
): Promise<void> {
  const { links, metadata, locks, clock, reader, adoption } = context;
  const config = await reader.configOf(linked.manifest);
  await locks.shared(repositoryLock(name), async () => {
    await links.writeRevision(name, linked.digest);
    await record(name, context, () =>
      metadata.recordManifest(name, {
        ...linked,
        pushedAtMs: clock.nowMs(),
        ...(config !== undefined && { config }),
      }),
    );
  });
  adoption.noteBytes(linked.digest);
}
