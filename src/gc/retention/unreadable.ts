import type { SharedLocks } from "../../base/shared-lock.ts";
import type { MetadataStore } from "../../metadata/metadata-store.ts";
import type { RepositoryName } from "../../oci/repository-name.ts";
import type { LinkStore } from "../../storage/link-store.ts";

interface Parts {
  readonly links: LinkStore;
  readonly metadata: MetadataStore;
  readonly locks: SharedLocks;
}

/**
 * True when the storage has a manifest or a tag of the repository that could not be read, so
 * that nobody knows what it leads to. Adoption records all that it can read: what has a link and
 * no row is what it could not.
 */
export async function hasUnreadable(name: RepositoryName, parts: Parts): Promise<boolean> {
  const { links, metadata, locks } = parts;
  // The links first: a push writes its link before its row.
  const [revisions, tags] = [await links.listRevisions(name), await links.listTags(name)];
  const view = await metadata.viewOf(name);
  const recorded = new Set(view.manifests.map(({ digest }) => digest));
  const recordedTags = new Set(view.tags.map(({ tag }) => tag));
  const manifestsMissing = revisions.filter((digest) => !recorded.has(digest));
  const tagsMissing = tags.filter((tag) => !recordedTags.has(tag));
  if (manifestsMissing.length + tagsMissing.length === 0) return false;
  // A push may have been on its way: now it has to wait, and what is not recorded never will be.
  return locks.exclusive(`repository:${name}`, async () => {
    const linked = new Set(await links.listRevisions(name));
    for (const digest of manifestsMissing) {
      const isRecorded = (await metadata.findManifest(name, digest)) !== undefined;
      if (!isRecorded && linked.has(digest)) return true;
    }
    const linkedTags = new Set(await links.listTags(name));
    for (const tag of tagsMissing) {
      const isRecorded = (await metadata.findTag(name, tag)) !== undefined;
      if (!isRecorded && linkedTags.has(tag)) return true;
    }
    return false;
  });
}
