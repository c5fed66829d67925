/** All that a registry serves, and all that lies in its directory, in a form that compares. */
import { readdirSync, readFileSync } from "node:fs";
import { join, relative } from "node:path";
import { ask, type Endpoint, sha256, storedManifest } from "./endpoints.ts";

/** What a client can reach: by repository and tag, down to the digests of the blobs' bytes. */
export interface RegistrySnapshot {
  readonly [repository: string]: { readonly [tag: string]: ManifestSnapshot };
}

interface ManifestSnapshot {
  readonly digest: string;
  readonly mediaType: string;
  /** Digest and what the server gave for it: equal, or the blob is damaged. */
  readonly blobs: Readonly<Record<string, string>>;
  readonly manifests: Readonly<Record<string, ManifestSnapshot>>;
}

export async function snapshot(endpoint: Endpoint): Promise<RegistrySnapshot> {
  const found: Record<string, Record<string, ManifestSnapshot>> = {};
  const { repositories } = (await json(endpoint, "/v2/_catalog?n=1000")) as {
    repositories: string[];
  };
  for (const repository of repositories) {
    const { tags } = (await json(endpoint, `/v2/${repository}/tags/list`)) as {
      tags: string[] | null;
    };
    const manifests: Record<string, ManifestSnapshot> = {};
    for (const tag of tags ?? []) {
      manifests[tag] = await manifestSnapshot(endpoint, repository, tag);
    }
    // Whether a repository without tags is listed differs between the programs.
    if (Object.keys(manifests).length > 0) found[repository] = manifests;
  }
  return found;
}

async function manifestSnapshot(
  endpoint: Endpoint,
  repository: string,
  reference: string,
): Promise<ManifestSnapshot> {
  const manifest = await storedManifest(endpoint, repository, reference);
  if (manifest === undefined) throw new Error(`${repository}:${reference} cannot be read`);
  const blobs: Record<string, string> = {};
  for (const key of ["config", "layers"]) {
    for (const digest of digestsIn(manifest.content[key])) {
      const answer = await ask(endpoint, `/v2/${repository}/blobs/${digest}`);
      blobs[digest] = answer.ok ? sha256(await answer.bytes()) : `status ${answer.status}`;
    }
  }
  const manifests: Record<string, ManifestSnapshot> = {};
  for (const digest of digestsIn(manifest.content["manifests"])) {
    manifests[digest] = await manifestSnapshot(endpoint, repository, digest);
  }
  const { digest, mediaType } = manifest;
  return { digest, mediaType, blobs, manifests };
}

function digestsIn(value: unknown): string[] {
  if (value === undefined) return [];
  const descriptors = (Array.isArray(value) ? value : [value]) as { digest: string }[];
  return descriptors.map(({ digest }) => digest);
}

async function json(endpoint: Endpoint, path: string): Promise<unknown> {
  const answer = await ask(endpoint, path);
  // A repository that lost its last tag is unknown to one program and empty to the other.
  if (answer.status === 404) return { repositories: [], tags: [] };
  if (!answer.ok) throw new Error(`GET ${path}: ${answer.status}`);
  return answer.json();
}

/**
 * Every file of Distribution's layout below the root directory, with the digest of its content.
 * Uploads that have not ended are left out: their names are random.
 */
export function layoutFiles(dataFolder: string): Readonly<Record<string, string>> {
  const root = join(dataFolder, "docker", "registry", "v2");
  const files: Record<string, string> = {};
  for (const entry of readdirSync(root, { recursive: true, withFileTypes: true })) {
    const path = join(entry.parentPath, entry.name);
    const name = relative(root, path);
    if (entry.isFile() && !name.includes("/_uploads/")) files[name] = sha256(readFileSync(path));
  }
  return files;
}
