import type { Logger } from "../base/logger.ts";
import type { Digest } from "../oci/digest.ts";
import { digestsNamedBy, type Manifest } from "../oci/manifest.ts";
import type { RepositoryName } from "../oci/repository-name.ts";
import type { ManifestReader } from "../registry/manifest-reader.ts";
import type { BlobStore } from "../storage/blob-store.ts";
import type { LinkStore } from "../storage/link-store.ts";
import { type ManifestLinks, reachable } from "./reachable.ts";

/**
 * Collection as Distribution's `garbage-collect` does it: what no manifest of any repository
 * names is removed. It reads the layout alone, so it needs no database, and nothing may be
 * pushed meanwhile: a blob that arrives between mark and sweep would be taken for garbage.
 *
 * What cannot be read is never a reason to delete: a manifest whose bytes are there but cannot
 * be understood might name anything, so it stops the collection before the first removal.
 */
export interface SweepOptions {
  readonly links: LinkStore;
  readonly blobs: BlobStore;
  readonly reader: ManifestReader;
  readonly logger: Logger;
  /** Also remove manifests that no tag, no index and no subject leads to. */
  readonly deletesUntagged: boolean;
  /** True for a manifest in quarantine or in the trash: its bytes may come back. */
  readonly isSetAside: (digest: Digest) => Promise<boolean>;
  /** True for what was deleted and can still be taken back. */
  readonly keeps: (digest: Digest) => Promise<boolean>;
  /** True for bytes in the trash that have been there for their whole grace. */
  readonly isOver: (digest: Digest) => Promise<boolean>;
  /** Only say what would go. */
  readonly isDryRun: boolean;
  /** Told of everything that is kept or goes; for people. */
  readonly say: (line: string) => void;
}

export interface SweepResult {
  readonly markedBlobs: number;
  readonly removedManifests: number;
  readonly removedBlobs: number;
  readonly removed: readonly Digest[];
  readonly freedBytes: number;
  /** Needed by no manifest, and kept because it can be taken back. */
  readonly keptBlobs: number;
  /** What has left the trash for good, and how many bytes that were. */
  readonly endedTrash: readonly Digest[];
  readonly endedTrashBytes: number;
}

export async function markAndSweep(options: SweepOptions): Promise<SweepResult> {
  const marked = new Set<Digest>();
  const untagged: { readonly name: RepositoryName; readonly digest: Digest }[] = [];
  const repositories: RepositoryName[] = [];
  for await (const name of options.links.listRepositories()) {
    repositories.push(name);
    options.say(String(name));
    for (const digest of await markRepository(name, marked, options)) {
      untagged.push({ name, digest });
    }
  }
  for (const { name, digest } of untagged) {
    options.say(`${name}: manifest eligible for deletion: ${digest}`);
    if (!options.isDryRun) await options.links.removeRevision(name, digest);
  }
  const swept = await sweep(repositories, marked, options);
  return { markedBlobs: marked.size, removedManifests: untagged.length, ...swept };
}

/** Marks what a repository keeps, and returns its manifests that are to go. */
async function markRepository(
  name: RepositoryName,
  marked: Set<Digest>,
  options: SweepOptions,
): Promise<readonly Digest[]> {
  const { links, say } = options;
  const manifests = await readManifests(name, options);
  const kept = options.deletesUntagged
    ? reachable(manifests, await taggedDigests(name, links))
    : new Set(manifests.keys());
  for (const digest of kept) {
    marked.add(digest);
    say(`${name}: marking manifest ${digest}`);
    for (const named of manifests.get(digest)?.named ?? []) {
      if (!marked.has(named)) say(`${name}: marking blob ${named}`);
      marked.add(named);
    }
  }
  return [...manifests.keys()].filter((digest) => !kept.has(digest));
}

/** Of a manifest nothing else is held: a repository may have 50,000 of them. */
interface Needs extends ManifestLinks {
  readonly named: readonly Digest[];
}

async function readManifests(
  name: RepositoryName,
  { links, blobs, reader, logger, isSetAside }: SweepOptions,
): Promise<ReadonlyMap<Digest, Needs>> {
  const manifests = new Map<Digest, Needs>();
  for (const digest of await links.listRevisions(name)) {
    const parsed = await reader.parsed(digest);
    if (parsed !== undefined) {
      manifests.set(digest, needsOf(parsed.manifest));
    } else if ((await blobs.sizeOf(digest)) === undefined && !(await isSetAside(digest))) {
      logger.warn("a manifest is linked but its bytes are gone", { repository: name, digest });
    } else {
      throw new Error(
        `manifest ${digest} of ${name} cannot be read, so nobody knows what it needs; ` +
          "nothing was removed. Delete it or push it again, then collect again",
      );
    }
  }
  return manifests;
}

async function taggedDigests(name: RepositoryName, links: LinkStore): Promise<Set<Digest>> {
  const digests = new Set<Digest>();
  for (const tag of await links.listTags(name)) {
    const link = await links.readTag(name, tag);
    // A tag that cannot be read may point to anything of this repository.
    if (link === undefined) return new Set(await links.listRevisions(name));
    digests.add(link.digest);
  }
  return digests;
}

function needsOf(manifest: Manifest): Needs {
  const { manifests, subject } = manifest;
  return {
    named: digestsNamedBy(manifest),
    children: manifests.map((child) => child.digest),
    subject: subject?.digest,
  };
}

async function sweep(
  repositories: readonly RepositoryName[],
  marked: ReadonlySet<Digest>,
  options: SweepOptions,
): Promise<Omit<SweepResult, "markedBlobs" | "removedManifests">> {
  const { links, blobs, isDryRun, say, keeps } = options;
  const garbage = new Set<Digest>();
  let freedBytes = 0;
  let keptBlobs = 0;
  for await (const digest of blobs.list()) {
    if (marked.has(digest)) continue;
    if (await keeps(digest)) {
      keptBlobs += 1;
      continue;
    }
    garbage.add(digest);
    freedBytes += (await blobs.sizeOf(digest)) ?? 0;
    say(`blob eligible for deletion: ${digest}`);
  }
  const { ended, sizeBytes } = await overIn(marked, options);
  // Links before bytes: a link to nothing would promise a blob that is not there.
  for (const name of isDryRun ? [] : repositories) {
    for (const digest of await links.listLayers(name)) {
      if (garbage.has(digest) || ended.has(digest)) await links.removeLayer(name, digest);
    }
  }
  for (const digest of isDryRun ? [] : garbage) await blobs.remove(digest);
  if (!isDryRun) await blobs.emptyTrash([...ended]);
  const trash = { endedTrash: [...ended], endedTrashBytes: sizeBytes };
  return { removedBlobs: garbage.size, removed: [...garbage], freedBytes, keptBlobs, ...trash };
}

/** What is in the trash and needs to be there no longer. */
async function overIn(
  marked: ReadonlySet<Digest>,
  { blobs, keeps, isOver, say }: SweepOptions,
): Promise<{ readonly ended: ReadonlySet<Digest>; readonly sizeBytes: number }> {
  const ended = new Set<Digest>();
  let sizeBytes = 0;
  for await (const digest of blobs.listTrash()) {
    if (marked.has(digest) || (await keeps(digest)) || !(await isOver(digest))) continue;
    ended.add(digest);
    sizeBytes += (await blobs.sizeInTrash(digest)) ?? 0;
    say(`blob in the trash eligible for deletion: ${digest}`);
  }
  return { ended, sizeBytes };
}
