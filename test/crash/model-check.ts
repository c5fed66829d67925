/** Whether a disk, and a registry that is opened on it anew, keep what was promised. */

import { type Digest, digestOf, parseDigest } from "../../src/oci/digest.ts";
import type { RepositoryName } from "../../src/oci/repository-name.ts";
import { nameOf, tagOf } from "../../src/oci/test-support.ts";
import { blobKey } from "../../src/storage/layout.ts";
import type { InProcess } from "./in-process.ts";
import { type Allowed, absent, blobKeyOf } from "./model-oracle.ts";
import { unlessUnknown } from "./noted-client.ts";
import { type FolderNode, filesOn } from "./simulated-disk.ts";

const blobPath = /\/docker\/registry\/v2\/blobs\/(sha256|sha512)\/..\/([0-9a-f]+)\/data$/;
const namedLink = /\/(?:_layers|revisions|index)\/(sha256|sha512)\/([0-9a-f]+)\/link$/;
const currentLink = /\/_manifests\/tags\/[^/]+\/current\/link$/;
/** Uploads are allowed to be torn, and the temporary folder to hold what was on its way. */
const unfinished = /\/_uploads\/[^/]+\/(?:data|startedat|state\.json)$|\/berth\/tmp\/[^/]+$/;
const trashPath = /\/berth\/trash\/blobs\/(sha256|sha512)\/([0-9a-f]+)$/;

/** What lies under a final name and is not whole, a sentence each. */
export function problemsOnDisk(root: FolderNode): readonly string[] {
  const problems: string[] = [];
  for (const { path, bytes } of filesOn(root)) {
    const blob = blobPath.exec(path) ?? trashPath.exec(path);
    const link = namedLink.exec(path);
    const text = new TextDecoder().decode(bytes);
    if (blob !== null) {
      const digest = parseDigest(`${blob[1]}:${blob[2]}`);
      const actual = digestOf(bytes, blob[1] === "sha512" ? "sha512" : "sha256");
      if (digest !== actual) problems.push(`${path} holds bytes of ${actual}`);
    } else if (link !== null) {
      if (text !== `${link[1]}:${link[2]}`) problems.push(`${path} holds ${Bun.inspect(text)}`);
    } else if (currentLink.test(path)) {
      if (parseDigest(text) === undefined) problems.push(`${path} holds ${Bun.inspect(text)}`);
    } else if (!unfinished.test(path)) {
      problems.push(`${path} should not be there`);
    }
  }
  return problems;
}

/** What of `allowed` does not hold, and what leads to something that is missing. */
export async function problemsServed(
  registry: InProcess,
  allowed: Allowed,
): Promise<readonly string[]> {
  const { adoption } = registry.registry;
  const problems: string[] = [];
  if (!adoption.progress().isComplete) problems.push("adoption did not end");
  for (const [key, values] of allowed) {
    const actual = await valueOf(registry, key);
    if (!values.includes(actual)) {
      problems.push(`${key} is ${actual}, and should be ${values.join(" or ")}`);
    }
  }
  for await (const name of registry.links.listRepositories()) {
    problems.push(...(await danglingOf(registry, name, allowed)));
  }
  return [...problems, ...registry.errors];
}

async function valueOf(registry: InProcess, key: string): Promise<string> {
  const [kind, name = "", what = ""] = key.split(" ");
  const repository = nameOf(name);
  const lookup = lookupOf(registry);
  if (kind === "tag") return (await lookup.tag(repository, what)) ?? absent;
  const digest = parseDigest(what);
  if (digest === undefined) throw new Error(`no digest in the key ${key}`);
  const isThere =
    kind === "blob"
      ? await lookup.blob(repository, digest)
      : await lookup.manifest(repository, digest);
  return isThere ? "there" : absent;
}

/** As clients ask, with every byte compared. */
function lookupOf({ registry, objects }: InProcess) {
  return {
    async tag(name: RepositoryName, tag: string): Promise<string | undefined> {
      const reference = { kind: "tag", tag: tagOf(tag) } as const;
      const found = await registry.manifests.pull(name, reference).catch(unlessUnknown);
      if (found === undefined) return undefined;
      const actual = digestOf(found.bytes);
      return actual === found.digest ? actual : `bytes of ${actual}`;
    },
    async manifest(name: RepositoryName, digest: Digest): Promise<boolean> {
      const reference = { kind: "digest", digest } as const;
      const found = await registry.manifests.pull(name, reference).catch(unlessUnknown);
      return found !== undefined && digestOf(found.bytes) === digest;
    },
    async blob(name: RepositoryName, digest: Digest): Promise<boolean> {
      const content = await registry.blobs.find(name, digest).catch(unlessUnknown);
      if (content === undefined) return false;
      const hasher = new Bun.CryptoHasher("sha256");
      const range = { start: 0, end: content.sizeBytes };
      for await (const piece of objects.readStream(blobKey(digest), range)) hasher.update(piece);
      return `sha256:${hasher.digest("hex")}` === digest;
    },
  };
}

/** Links of a repository that lead to something missing or broken. */
async function danglingOf(
  registry: InProcess,
  name: RepositoryName,
  allowed: Allowed,
): Promise<readonly string[]> {
  const lookup = lookupOf(registry);
  const { links } = registry;
  const problems: string[] = [];
  for (const digest of await links.listLayers(name)) {
    // An empty folder is what a removal leaves that was under way.
    if ((await links.readLayer(name, digest)) === undefined) continue;
    // Nobody needs it, and a power cut took it on its way to the trash.
    if (allowed.get(blobKeyOf(name, digest))?.includes(absent) === true) continue;
    if (!(await lookup.blob(name, digest))) problems.push(`${name} links ${digest}: no such blob`);
  }
  for (const digest of await links.listRevisions(name)) {
    if ((await links.readRevision(name, digest)) === undefined) continue;
    problems.push(...(await incompleteOf(registry, name, digest)));
  }
  for (const tag of await links.listTags(name)) {
    const link = await links.readTag(name, tag);
    if (link === undefined) continue;
    if ((await lookup.tag(name, tag)) !== link.digest) {
      problems.push(`${name}:${tag} leads to ${link.digest}: no such manifest`);
    }
  }
  return problems;
}

async function incompleteOf(
  registry: InProcess,
  name: RepositoryName,
  digest: Digest,
): Promise<readonly string[]> {
  const lookup = lookupOf(registry);
  const reference = { kind: "digest", digest } as const;
  const found = await registry.registry.manifests.pull(name, reference).catch(unlessUnknown);
  if (found === undefined) return [`${name} links ${digest}: no such manifest`];
  const problems: string[] = [];
  for (const blob of namedBy(found.bytes)) {
    if (!(await lookup.blob(name, blob))) problems.push(`${name}@${digest} needs ${blob}`);
  }
  return problems;
}

function namedBy(manifest: Uint8Array): readonly Digest[] {
  const text = new TextDecoder().decode(manifest);
  const named = [...text.matchAll(/"digest":"(sha256:[0-9a-f]{64})"/g)];
  return named
    .map(([, digest]) => parseDigest(digest ?? ""))
    .filter((digest) => digest !== undefined);
}
