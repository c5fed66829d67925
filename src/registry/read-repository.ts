import type { Logger } from "../base/logger.ts";
import { Turns } from "../base/turns.ts";
import type {
  BlobRecord,
  ManifestRecord,
  RepositoryContent,
  TagRecord,
} from "../metadata/metadata-store.ts";
import type { RepositoryName } from "../oci/repository-name.ts";
import type { BlobStore } from "../storage/blob-store.ts";
import type { LinkStore } from "../storage/link-store.ts";
import type { ManifestReader } from "./manifest-reader.ts";
import type { Remnants } from "./remnants.ts";

interface Parts {
  readonly links: LinkStore;
  readonly blobs: BlobStore;
  readonly reader: ManifestReader;
  readonly logger: Logger;
  /** Told of what has no row. */
  readonly remnants: Remnants;
  /** Called at each link, of which there may be a hundred thousand. */
  readonly onStep: () => void;
}

/** What the layout says of a repository, as the metadata store would record it. */
export async function readRepository(
  name: RepositoryName,
  parts: Parts,
): Promise<RepositoryContent> {
  const { manifests, unreadable } = await readManifests(name, parts);
  const known = new Set(manifests.map((record) => record.digest));
  const found = await readTags(name, parts);
  return {
    manifests,
    // A tag of a manifest that is not there cannot be pulled: it is not listed either.
    tags: found.tags.filter((record) => known.has(record.digest)),
    blobs: await readBlobs(name, parts),
    unreadable: { manifests: unreadable, tags: found.unreadable },
  };
}

async function readManifests(name: RepositoryName, parts: Parts) {
  const { links, reader, logger, remnants, onStep } = parts;
  const turns = new Turns();
  const manifests: ManifestRecord[] = [];
  let unreadable = 0;
  for (const digest of await links.listRevisions(name)) {
    onStep();
    await turns.step();
    const link = await links.readRevision(name, digest);
    const record = link && (await reader.record(digest, link.modifiedAtMs));
    if (record !== undefined) {
      manifests.push(record);
    } else if (await links.settleRemovedRevision(name, digest)) {
      // The folder of a delete that was broken off.
      remnants.add(name);
    } else {
      unreadable += 1;
      remnants.addLost(digest, name);
      const fields = { repository: name, digest };
      logger.warn("a manifest in the storage is missing or cannot be read", fields);
    }
  }
  return { manifests, unreadable };
}

async function readTags(name: RepositoryName, { links, remnants, onStep }: Parts) {
  const tags: TagRecord[] = [];
  let unreadable = 0;
  for (const tag of await links.listTags(name)) {
    onStep();
    const link = await links.readTag(name, tag);
    if (link !== undefined) {
      const { digest, modifiedAtMs, stamp } = link;
      tags.push({ tag, digest, pushedAtMs: modifiedAtMs, stamp });
    } else if (await links.settleRemovedTag(name, tag)) {
      remnants.add(name);
    } else {
      unreadable += 1;
    }
  }
  return { tags, unreadable };
}

async function readBlobs(
  name: RepositoryName,
  { links, blobs, remnants, onStep }: Parts,
): Promise<readonly BlobRecord[]> {
  const found: BlobRecord[] = [];
  for (const digest of await links.listLayers(name)) {
    onStep();
    if ((await links.readLayer(name, digest)) === undefined) {
      remnants.add(name);
      continue;
    }
    // One in the trash comes back when it is asked for, so it counts as held.
    const sizeBytes = (await blobs.sizeOf(digest)) ?? (await blobs.sizeInTrash(digest));
    if (sizeBytes !== undefined) found.push({ digest, sizeBytes });
    else remnants.addLostLayer(digest, name);
  }
  return found;
}
