import { compareRepository } from "../metadata/compare.ts";
import { recordedRepositories } from "../metadata/recorded-repositories.ts";
import type { RepositoryName } from "../oci/repository-name.ts";
import type { Adoption } from "./adoption.ts";
import type { RegistryParts } from "./context.ts";

/** A difference is looked at again: a push between two looks is none. */
const looksMax = 3;

/**
 * Where the metadata store says something else than the layout, a sentence each. Changes
 * nothing, and may run beside a server.
 */
export async function* verifyMetadata(
  parts: Pick<RegistryParts, "links" | "metadata">,
  adoption: Pick<Adoption, "read">,
  onRepository?: () => void,
): AsyncGenerator<{ readonly repository: RepositoryName; readonly difference: string }> {
  const { links, metadata } = parts;
  const seen = new Set<RepositoryName>();
  for await (const repository of links.listRepositories()) {
    seen.add(repository);
    for (const difference of await differencesOf(repository)) yield { repository, difference };
    onRepository?.();
  }
  for await (const repository of recordedRepositories(metadata)) {
    if (!seen.has(repository) && (await differencesOf(repository)).length > 0) {
      yield { repository, difference: "the repository is recorded but not in the layout" };
    }
  }

  async function differencesOf(repository: RepositoryName): Promise<readonly string[]> {
    let differences: readonly string[] = [];
    for (let look = 0; look < looksMax; look += 1) {
      const before = await metadata.snapshotOf(repository);
      differences = compareRepository(before, await adoption.read(repository));
      if (differences.length === 0) return [];
      const { revision } = await metadata.snapshotOf(repository);
      if (revision === before.revision) return differences;
    }
    return differences;
  }
}
