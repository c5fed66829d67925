import { codeOf } from "../../base/errors.ts";
import type { FileSystem } from "./file-system.ts";
import type { Reserve } from "./reserve.ts";

/**
 * `files`, with a reserve for the day when the disk is full.
 *
 * What removes bytes or moves them on their way out may need a little room: a folder, a longer list
 * of names. When there is none, the reserve is given back and the call is made once more. What
 * brings bytes does not get at it: while it is given back, nothing is opened for writing, and what
 * is open takes no more, as on a full disk. The bytes of a push that finds no room do not end the
 * reserve either: they would only be refused a moment later.
 *
 * `files` is a plain object, not one of a class: it is copied.
 */
export function reservingFileSystem(
  files: FileSystem,
  reserve: Pick<Reserve, "giveBack" | "isGivenBack">,
): FileSystem {
  const again = async <T>(call: () => Promise<T>): Promise<T> => {
    try {
      return await call();
    } catch (error) {
      if (!isFull(error) || !(await reserve.giveBack())) throw error;
      return call();
    }
  };
  const refuse = (path: string): void => {
    if (reserve.isGivenBack) throw full(path);
  };
  return {
    ...files,
    makeFolder: (path) => again(() => files.makeFolder(path)),
    rename: (source, target) => again(() => files.rename(source, target)),
    unlink: (path) => again(() => files.unlink(path)),
    removeEmptyFolder: (path) => again(() => files.removeEmptyFolder(path)),
    openWrite: async (path, mode) => {
      refuse(path);
      const file = await files.openWrite(path, mode);
      return {
        ...file,
        write: async (pieces, position) => {
          refuse(path);
          await file.write(pieces, position);
        },
      };
    },
  };
}

function isFull(error: unknown): boolean {
  const code = codeOf(error);
  return code === "ENOSPC" || code === "EDQUOT";
}

function full(path: string): Error {
  const text = `ENOSPC: no space left on device but the reserve, write '${path}'`;
  return Object.assign(new Error(text), { code: "ENOSPC" });
}
