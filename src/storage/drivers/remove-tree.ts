import type { FileSystem } from "./file-system.ts";

/** Told of each folder before it goes. */
type OnFolder = (path: string) => void;

/**
 * Removes a folder with all it holds, or a file; not atomic. True when there was anything.
 *
 * A link to a folder is removed as a link, here and below: what it points to is not ours.
 */
export async function removeTree(
  files: FileSystem,
  path: string,
  onFolder: OnFolder,
): Promise<boolean> {
  try {
    return await files.unlink(path);
  } catch (error) {
    // Linux says so of a folder by EISDIR, POSIX by EPERM, which has other reasons too.
    if (files.statNow(path)?.isFolder !== true) throw error;
    return removeRealFolder(files, path, onFolder);
  }
}

/** The same of a folder that is no link. */
async function removeRealFolder(
  files: FileSystem,
  path: string,
  onFolder: OnFolder,
): Promise<boolean> {
  for (const entry of (await files.readFolder(path)) ?? []) {
    const child = `${path}/${entry.name}`;
    const isOurs = entry.isFolder && entry.isLink !== true;
    if (!isOurs || !(await removeRealFolder(files, child, onFolder))) await files.unlink(child);
  }
  onFolder(path);
  return files.removeEmptyFolder(path);
}

/** The same of what should be an empty folder: nothing else is looked for when it is. */
export async function removeFolder(
  files: FileSystem,
  path: string,
  onFolder: OnFolder,
): Promise<boolean> {
  onFolder(path);
  return (await files.removeEmptyFolder(path)) || removeTree(files, path, onFolder);
}
