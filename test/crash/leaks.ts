/** What lies in a registry's folder although no manifest needs it. Nothing may be writing there. */
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";

interface ManifestFile {
  readonly config?: { readonly digest: string };
  readonly layers?: readonly { readonly digest: string }[];
  readonly manifests?: readonly { readonly digest: string }[];
}

/** A line for each blob, link and file in the trash that nothing needs. */
export function findLeaks(dataFolder: string): readonly string[] {
  const blobs = join(dataFolder, "docker/registry/v2/blobs/sha256");
  const repositories = join(dataFolder, "docker/registry/v2/repositories");
  const blobPath = (hex: string): string => join(blobs, hex.slice(0, 2), hex, "data");
  const needed = new Set<string>();
  const leaks: string[] = [];
  for (const repository of repositoriesIn(repositories)) {
    const folder = join(repositories, repository);
    const own = new Set<string>();
    const revisions = namesIn(join(folder, "_manifests/revisions/sha256"));
    for (const hex of revisions) {
      own.add(hex);
      for (const named of namedBy(readFileSync(blobPath(hex), "utf8"))) own.add(named);
    }
    for (const hex of own) needed.add(hex);
    for (const hex of namesIn(join(folder, "_layers/sha256"))) {
      if (!own.has(hex)) leaks.push(`link of ${repository} to ${hex}`);
    }
    if (revisions.length === 0 && namesIn(join(folder, "_uploads")).length === 0) {
      leaks.push(`empty repository ${repository}`);
    }
  }
  for (const hex of namesIn(blobs).flatMap((prefix) => namesIn(join(blobs, prefix)))) {
    if (!needed.has(hex)) leaks.push(`blob ${hex}`);
  }
  const trash = namesIn(join(dataFolder, "berth/trash/blobs/sha256"));
  return [...leaks, ...trash.map((hex) => `in the trash ${hex}`)];
}

function namedBy(text: string): readonly string[] {
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- the rig has pushed it itself
  const { config, layers = [], manifests = [] } = JSON.parse(text) as ManifestFile;
  const all = [...(config === undefined ? [] : [config]), ...layers, ...manifests];
  return all.map(({ digest }) => digest.slice("sha256:".length));
}

function* repositoriesIn(root: string, below = ""): Generator<string> {
  const names = namesIn(join(root, below));
  if (names.some((name) => name.startsWith("_"))) yield below;
  for (const name of names) {
    if (!name.startsWith("_"))
      yield* repositoriesIn(root, below === "" ? name : `${below}/${name}`);
  }
}

function namesIn(folder: string): readonly string[] {
  return existsSync(folder) ? readdirSync(folder) : [];
}
