import { fingerprintOf } from "./manifest-rows.ts";
import type { RepositoryContent, RepositorySnapshot } from "./metadata-store.ts";

/**
 * What is recorded otherwise than the layout has it, one sentence each; empty when all is well.
 *
 * Times are not compared: a link that is copied to another disk gets another one.
 */
export function compareRepository(
  snapshot: RepositorySnapshot,
  content: RepositoryContent,
): readonly string[] {
  return [
    ...compareTags(snapshot, content),
    ...compareManifests(snapshot, content),
    ...compareBlobs(snapshot, content),
  ];
}

function* compareTags({ tags }: RepositorySnapshot, content: RepositoryContent) {
  const inLayout = new Set(content.tags.map((record) => record.tag));
  for (const { tag, digest, stamp } of content.tags) {
    const recorded = tags.get(tag);
    if (recorded === undefined) {
      yield `tag ${tag} is in the layout (${digest}) but not recorded`;
    } else if (recorded.digest !== digest) {
      yield `tag ${tag} is ${digest} in the layout but recorded as ${recorded.digest}`;
    } else if (recorded.stamp !== stamp) {
      yield `tag ${tag} was written again since it was recorded, with the same digest`;
    }
  }
  for (const [tag, { digest }] of tags) {
    if (!inLayout.has(tag)) yield `tag ${tag} is recorded (${digest}) but not in the layout`;
  }
}

function* compareManifests({ manifests }: RepositorySnapshot, content: RepositoryContent) {
  const inLayout = new Set(content.manifests.map((record) => record.digest));
  for (const record of content.manifests) {
    const fingerprint = manifests.get(record.digest);
    if (fingerprint === undefined) {
      yield `manifest ${record.digest} is in the layout but not recorded`;
    } else if (fingerprint !== fingerprintOf(record)) {
      yield `manifest ${record.digest} is recorded with other facts than it and its config state`;
    }
  }
  for (const digest of manifests.keys()) {
    if (!inLayout.has(digest)) yield `manifest ${digest} is recorded but not in the layout`;
  }
}

function* compareBlobs({ blobs }: RepositorySnapshot, content: RepositoryContent) {
  const inLayout = new Set(content.blobs.map((record) => record.digest));
  for (const { digest, sizeBytes } of content.blobs) {
    const recorded = blobs.get(digest);
    if (recorded === undefined) {
      yield `blob ${digest} is in the layout but not recorded`;
    } else if (recorded !== sizeBytes) {
      yield `blob ${digest} has ${sizeBytes} bytes in the layout but is recorded with ${recorded}`;
    }
  }
  for (const digest of blobs.keys()) {
    if (!inLayout.has(digest)) yield `blob ${digest} is recorded but not in the layout`;
  }
}
