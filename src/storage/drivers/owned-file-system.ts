import { give, type Owner } from "../../base/folder-owner.ts";
import type { FileSystem } from "./file-system.ts";

/**
 * `files`, where all that is made belongs to `owner`: root at work in the folder of the user whom
 * the registry is served by. Without an owner it is `files` itself.
 *
 * `files` is a plain object, not one of a class: it is copied.
 */
export function ownedFileSystem(files: FileSystem, owner: Owner | undefined): FileSystem {
  if (owner === undefined) return files;
  return {
    ...files,
    makeFolder: async (path) => {
      const isNew = await files.makeFolder(path);
      if (isNew) give(path, owner);
      return isNew;
    },
    openWrite: async (path, mode) => {
      const file = await files.openWrite(path, mode);
      // Before a byte is in it: nobody meets a file under its final name that is root's.
      give(path, owner);
      return file;
    },
  };
}
