import type { FileSystem } from "./file-system.ts";

/** Told of each folder before it goes. */
type OnFolder = (path: string) => void;

/** Removes a folder with all it holds, or a file; not atomic. True when there was anything. */
export async function removeTree(
  files: FileSystem,
  path: string,
  onFolder: OnFolder,
): Promise<boolean> {
  const entries = await files.readFolder(path);
  if (entries === undefined) return files.unlink(path);
  for (const entry of entries) {
    const child = `${path}/${entry.name}`;
    // A link to a folder is removed as a link: what it points to is not ours.
    if (!entry.isFolder || !(await removeTree(files, child, onFolder))) await files.unlink(child);
  }
  onFolder(path);
  return files.removeEmptyFolder(path);
}

/** The same of what should be a file. */
export async function removeFile(
  files: FileSystem,
  path: string,
  onFolder: OnFolder,
): Promise<boolean> {
  try {
    return await files.unlink(path);
  } catch (error) {
    // Somebody made a folder of that name. Linux says so by EISDIR, POSIX by EPERM.
    if (files.statNow(path)?.isFolder !== true) throw error;
    return removeTree(files, path, onFolder);
  }
}

/** The same of what should be an empty folder: it is listed only when it is not. */
export async function removeFolder(
  files: FileSystem,
  path: string,
  onFolder: OnFolder,
): Promise<boolean> {
  onFolder(path);
  return (await files.removeEmptyFolder(path)) || removeTree(files, path, onFolder);
}
