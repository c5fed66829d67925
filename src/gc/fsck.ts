import { recordedRepositories } from "../metadata/recorded-repositories.ts";
import { type Digest, isDigestAlgorithm, parseDigest } from "../oci/digest.ts";
import type { RepositoryName } from "../oci/repository-name.ts";
import { parseTag } from "../oci/tag.ts";
import { repositoryLock } from "../registry/lock-keys.ts";
import {
  blobsFolder,
  layersFolder,
  layersName,
  leftOverAgeMs,
  manifestsName,
  quarantinedBlobKey,
  quarantinedLinksFolder,
  repositoryFolder,
  revisionsFolder,
  tagsFolder,
  temporaryFolder,
  uploadsName,
} from "../storage/layout.ts";
import { type Finding, findingOf } from "./findings.ts";
import {
  checkRepository,
  damageOf,
  type FsckOptions,
  type FsckParts,
  type FsckRun,
  hashBlob,
} from "./fsck-repository.ts";

/**
 * Compares tags, manifests, blobs and metadata with each other while the registry serves, one
 * repository after the other. Nothing is held of more than one repository, and nothing is
 * reported that was not looked at twice. Without `repairs` nothing is changed.
 *
 * @throws the signal's reason once it is aborted.
 */
export async function* fsck(parts: FsckParts, options: FsckOptions): AsyncGenerator<Finding> {
  const run: FsckRun = { ...options, hashed: new Map(), linked: new Set() };
  const seen = new Set<RepositoryName>();
  for await (const name of parts.links.listRepositories()) {
    seen.add(name);
    yield* checkRepository(name, parts, run);
    yield* strayFiles(name, parts);
    run.looked.repositories += 1;
  }
  yield* vanishedRepositories(seen, parts, options);
  yield* checkBlobs(parts, run);
  yield* strayBlobs(parts);
  yield* leftOvers(parts);
  yield* quarantined(parts, options);
}

/** Repositories that are recorded and have nothing in the storage. */
async function* vanishedRepositories(
  seen: ReadonlySet<RepositoryName>,
  { metadata, links, locks }: FsckParts,
  { repairs }: FsckOptions,
): AsyncGenerator<Finding> {
  for await (const name of recordedRepositories(metadata)) {
    if (seen.has(name)) continue;
    const isGone = await locks.exclusive(repositoryLock(name), async () => {
      // Pushed since the walk went by? Then it is there now.
      if ((await links.listRevisions(name)).length > 0) return false;
      if ((await links.listLayers(name)).length > 0) return false;
      const { tags, manifests, blobs } = await metadata.snapshotOf(name);
      if (tags.size + manifests.size + blobs.size === 0) return false;
      if (repairs) await metadata.removeRepository(name);
      return true;
    });
    if (!isGone) continue;
    const text = "it is recorded, and nothing of it is in the storage";
    const mend = async (): Promise<void> => undefined;
    const suspect = { code: "metadata-differs", subject: name, text, mend } as const;
    yield findingOf(suspect, { repository: name, isMended: repairs });
  }
}

/** Blobs that nobody links; and with `isDeep` those that are not what their digest says. */
async function* checkBlobs(parts: FsckParts, run: FsckRun): AsyncGenerator<Finding> {
  for await (const digest of parts.blobs.list()) {
    run.signal.throwIfAborted();
    run.looked.blobs += 1;
    if (run.isDeep && !run.hashed.has(digest)) {
      const kind = await hashBlob(digest, parts, run);
      if (kind === "corrupt" || kind === "unreadable") yield findingOf(damageOf(digest, kind, run));
    }
    if (run.linked.has(digest) || (await isUsed(digest, parts))) continue;
    const sizeBytes = await parts.locks.exclusive(digest, async () =>
      (await isUsed(digest, parts)) ? undefined : parts.blobs.sizeOf(digest),
    );
    if (sizeBytes === undefined) continue;
    const bytes = sizeBytes === 1 ? "1 byte" : `${sizeBytes} bytes`;
    const text = `no repository has it; ${bytes} that a collection gives back`;
    yield findingOf({ code: "blob-unlinked", subject: digest, text });
  }
}

async function isUsed(digest: Digest, { metadata }: FsckParts): Promise<boolean> {
  if ((await metadata.repositoriesWithBlob(digest, 1)).length > 0) return true;
  return (await metadata.repositoriesNaming(digest, 1)).length > 0;
}

/** Names in a repository's folders that are no part of the layout. */
async function* strayFiles(name: RepositoryName, { objects }: FsckParts): AsyncGenerator<Finding> {
  const folder = repositoryFolder(name);
  const own = new Set([layersName, manifestsName, uploadsName]);
  const rules: [string, (entry: string) => boolean][] = [
    // What does not begin with _ is another repository's component.
    [folder, (entry) => own.has(entry) || !entry.startsWith("_")],
    [layersFolder(name), isDigestAlgorithm],
    [`${folder}/${manifestsName}`, (entry) => entry === "revisions" || entry === "tags"],
    [revisionsFolder(name), isDigestAlgorithm],
    [tagsFolder(name), (entry) => parseTag(entry) !== undefined],
  ];
  for (const parent of [layersFolder(name), revisionsFolder(name)]) {
    for (const { name: algorithm } of await objects.list(parent)) {
      rules.push([`${parent}/${algorithm}`, (entry) => isDigestText(algorithm, entry)]);
    }
  }
  for (const [parent, isPart] of rules) {
    for (const entry of await objects.list(parent)) {
      if (entry.isFolder && isPart(entry.name)) continue;
      const subject = `${parent}/${entry.name}`;
      const text = "it is no part of the layout, and left alone";
      yield findingOf({ code: "stray-file", subject, text }, { repository: name });
    }
  }
}

async function* strayBlobs({ objects }: FsckParts): AsyncGenerator<Finding> {
  const stray = (subject: string): Finding =>
    findingOf({ code: "stray-file", subject, text: "it is no blob, and left alone" });
  for (const { name: algorithm, isFolder } of await objects.list(blobsFolder)) {
    const folder = `${blobsFolder}/${algorithm}`;
    if (!isFolder || !isDigestAlgorithm(algorithm)) {
      yield stray(folder);
      continue;
    }
    for (const { name: prefix } of await objects.list(folder)) {
      for (const { name } of await objects.list(`${folder}/${prefix}`)) {
        const isPart = name.startsWith(prefix) && isDigestText(algorithm, name);
        if (!isPart) yield stray(`${folder}/${prefix}/${name}`);
      }
    }
  }
}

function isDigestText(algorithm: string, hex: string): boolean {
  return parseDigest(`${algorithm}:${hex}`) !== undefined;
}

async function* leftOvers({ objects, clock }: FsckParts): AsyncGenerator<Finding> {
  for (const { name } of await objects.list(temporaryFolder)) {
    const subject = `${temporaryFolder}/${name}`;
    const found = await objects.stat(subject);
    if (found === undefined || clock.nowMs() - found.modifiedAtMs < leftOverAgeMs) continue;
    const text = "left by a crash; the next start removes it";
    yield findingOf({ code: "temporary-file", subject, text });
  }
}

async function* quarantined(
  { scrub, quarantine }: FsckParts,
  { repairs }: FsckOptions,
): AsyncGenerator<Finding> {
  const texts = {
    waiting: "damaged bytes, moved aside; delete the file when nobody has them to push again",
    healed: "damaged bytes of a blob that was pushed again; --repair and the scrub remove them",
    returned: "moved aside and yet whole; --repair and the scrub put it back",
  };
  for (const { digest, outcome } of await scrub.tidyQuarantine({ isDryRun: !repairs })) {
    const subject = quarantinedBlobKey(digest);
    if (outcome === "waiting") {
      yield findingOf({ code: "quarantined-blob", subject, text: texts.waiting });
      continue;
    }
    const mend = async (): Promise<void> => undefined;
    const suspect = { code: "quarantined-blob", subject, text: texts[outcome], mend } as const;
    yield findingOf(suspect, { isMended: repairs });
  }
  for await (const path of quarantine.listLinks()) {
    const subject = `${quarantinedLinksFolder}/${path}`;
    const text = "a damaged link, moved aside; the file may be deleted";
    yield findingOf({ code: "quarantined-link", subject, text });
  }
}
