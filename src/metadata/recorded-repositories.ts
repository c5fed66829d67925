import type { RepositoryName } from "../oci/repository-name.ts";
import type { MetadataStore } from "./metadata-store.ts";

const namesPerPage = 1_000;

/**
 * Every repository that is recorded at all, in the order of names, asked for a page at a time: the
 * caller may remove what it is given.
 */
export async function* recordedRepositories(
  metadata: Pick<MetadataStore, "listRecorded">,
): AsyncGenerator<RepositoryName> {
  let after = "";
  for (;;) {
    const names = await metadata.listRecorded({ after, limit: namesPerPage });
    yield* names;
    const last = names.at(-1);
    if (last === undefined) return;
    after = last;
  }
}
