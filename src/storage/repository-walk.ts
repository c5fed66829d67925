import { parseRepositoryName, type RepositoryName } from "../oci/repository-name.ts";
import { layersName, manifestsName, repositoriesFolder, uploadsName } from "./layout.ts";
import type { ObjectStore } from "./object-store.ts";

export interface RepositoryWalk {
  /** Only names that come after this text are wanted. */
  readonly after: string;
  /** Told of what is no part of the layout. */
  readonly onStray: (key: string) => void;
}

/**
 * Every repository that has a folder of its own, in ASCII order of their names.
 *
 * In order, so that a page of a catalog ends the walk, and the next one goes on where it ended:
 * folders whose names all come before `after` are not opened. The order of folders is not enough
 * for that, because `-` and `.` come before `/`:
 *
 *     a          the repository in the folder a
 *     a-b        … in the folder a-b
 *     a/b        what is below the folder a
 */
export async function* walkRepositories(
  objects: Pick<ObjectStore, "list">,
  walk: RepositoryWalk,
): AsyncGenerator<RepositoryName> {
  const { below } = await look(objects, "", walk);
  yield* walkFolder(objects, { prefix: "", names: below, walk });
}

interface Folder {
  /** Empty, or the names of the folders above with a slash after each. */
  readonly prefix: string;
  /** Of the folders in it. */
  readonly names: readonly string[];
  readonly walk: RepositoryWalk;
}

async function* walkFolder(
  objects: Pick<ObjectStore, "list">,
  { prefix, names, walk }: Folder,
): AsyncGenerator<RepositoryName> {
  const { after } = walk;
  /** What was found below a folder whose own name has had its turn. */
  const found = new Map<string, readonly string[]>();
  for (const step of names.flatMap((name) => [name, `${name}/`]).toSorted()) {
    const text = prefix + step;
    if (!step.endsWith("/")) {
      if (text <= after) continue;
      const { below, isRepository } = await look(objects, text, walk);
      if (below.length > 0) found.set(step, below);
      const name = isRepository ? parseRepositoryName(text) : undefined;
      if (name !== undefined) yield name;
      else if (isRepository) walk.onStray(`${repositoriesFolder}/${text}`);
      continue;
    }
    if (text <= after && !after.startsWith(text)) continue;
    const name = step.slice(0, -1);
    const isLookedAt = prefix + name > after;
    const below = isLookedAt
      ? (found.get(name) ?? [])
      : (await look(objects, prefix + name, walk)).below;
    found.delete(name);
    if (below.length > 0) yield* walkFolder(objects, { prefix: text, names: below, walk });
  }
}

async function look(
  objects: Pick<ObjectStore, "list">,
  path: string,
  { onStray }: RepositoryWalk,
): Promise<{ readonly below: readonly string[]; readonly isRepository: boolean }> {
  const folder = path === "" ? repositoriesFolder : `${repositoriesFolder}/${path}`;
  const below: string[] = [];
  let isRepository = false;
  for (const { name, isFolder } of await objects.list(folder)) {
    if (!isFolder) onStray(`${folder}/${name}`);
    else if (name.startsWith("_")) isRepository ||= repositoryMarks.has(name);
    else below.push(name);
  }
  return { below, isRepository };
}

const repositoryMarks: ReadonlySet<string> = new Set([layersName, manifestsName, uploadsName]);
