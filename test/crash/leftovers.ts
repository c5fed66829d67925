/** What lies on a simulated disk although no manifest needs it. */
import { type FolderNode, filesOn, foldersOn } from "./simulated-disk.ts";

const repositories = "/docker/registry/v2/repositories/";
const blobPath = /\/docker\/registry\/v2\/blobs\/(sha256)\/..\/([0-9a-f]+)\/data$/;
const blobFolder = /\/docker\/registry\/v2\/blobs\/sha256\/..\/[0-9a-f]+$/;
const linkPath = /\/(_layers|_manifests\/revisions)\/(sha256)\/([0-9a-f]+)\/link$/;
/** A folder that only its link gives a meaning. */
const linkFolder = /\/(?:_layers|_manifests\/revisions)\/sha256\/[0-9a-f]+$|\/tags\/[^/]+$/;
const upload = /\/_uploads\/[^/]+$/;
const repositoryMark = /\/(?:_layers|_manifests|_uploads)$/;

/** A sentence for each blob, link, file in the trash, and repository that nothing needs. */
export function leftoversOn(root: FolderNode): readonly string[] {
  const files = [...filesOn(root)];
  const contents = new Map<string, Uint8Array>();
  for (const { path, bytes } of files) {
    const [, algorithm, hex] = blobPath.exec(path) ?? [];
    if (hex !== undefined) contents.set(`${algorithm}:${hex}`, bytes);
  }
  const needs = needsOf(files, contents);
  const needed = new Set([...needs.values()].flatMap((own) => [...own]));
  const left: string[] = [];
  for (const { path } of files) {
    if (path.includes("/berth/trash/")) left.push(`${path} was left in the trash`);
    const [, kind, algorithm, hex] = linkPath.exec(path) ?? [];
    if (kind !== "_layers") continue;
    const isNeeded = needs.get(repositoryOf(path))?.has(`${algorithm}:${hex}`) === true;
    if (!isNeeded) left.push(`${path} was left, and leads to what its repository does not need`);
  }
  for (const digest of contents.keys()) {
    if (!needed.has(digest)) left.push(`the blob ${digest} was left`);
  }
  return [...left, ...emptyFolders(root, files)];
}

type File = ReturnType<typeof filesOn> extends Iterable<infer T> ? T : never;

/** By repository, the digests of its manifests and of what they name. */
function needsOf(
  files: readonly File[],
  contents: ReadonlyMap<string, Uint8Array>,
): ReadonlyMap<string, ReadonlySet<string>> {
  const needs = new Map<string, Set<string>>();
  for (const { path } of files) {
    const [, kind, algorithm, hex] = linkPath.exec(path) ?? [];
    if (kind !== "_manifests/revisions") continue;
    const own = needs.get(repositoryOf(path)) ?? new Set<string>();
    needs.set(repositoryOf(path), own);
    const digest = `${algorithm}:${hex}`;
    const text = new TextDecoder().decode(contents.get(digest));
    own.add(digest);
    for (const [, named] of text.matchAll(/"digest":"([^"]+)"/g)) own.add(named ?? "");
  }
  return needs;
}

function repositoryOf(path: string): string {
  return path.slice(path.indexOf(repositories) + repositories.length).replace(/\/_.*/, "");
}

function* emptyFolders(root: FolderNode, files: readonly File[]): Generator<string> {
  const folders = [...foldersOn(root)];
  // Uploads go by an age of their own; until then they keep their repository.
  const kept = [...files.map((file) => file.path), ...folders.filter((it) => upload.test(it))];
  for (const path of folders) {
    const isEmpty = (folder: string): boolean => !kept.some((it) => it.startsWith(`${folder}/`));
    if (blobFolder.test(path) || linkFolder.test(path)) {
      if (isEmpty(path)) yield `${path} was left, and is empty`;
    } else if (path.includes(repositories) && repositoryMark.test(path)) {
      const repository = path.slice(0, path.lastIndexOf("/"));
      if (isEmpty(repository)) yield `${path} was left of a repository that has nothing`;
    }
  }
}
