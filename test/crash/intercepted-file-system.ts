import type {
  FileSystem,
  ReadableFile,
  WritableFile,
} from "../../src/storage/drivers/file-system.ts";

/** One call to the file system. */
export interface FileOperation {
  readonly name: keyof FileSystem | keyof WritableFile | keyof ReadableFile;
  readonly path: string;
}

/** What happens before an operation: it may throw, wait, take notes, or never return. */
export type Before = (operation: FileOperation) => Promise<void> | undefined;

/** Calls `before` ahead of every operation on `inner`; a `statNow` cannot be made to wait. */
export function intercepted(inner: FileSystem, before: Before): FileSystem {
  const run = async <T>(operation: FileOperation, work: () => Promise<T>): Promise<T> => {
    await before(operation);
    return work();
  };
  return {
    stat: (path) => run({ name: "stat", path }, () => inner.stat(path)),
    statNow(path) {
      void before({ name: "statNow", path });
      return inner.statNow(path);
    },
    readFolder: (path) => run({ name: "readFolder", path }, () => inner.readFolder(path)),
    makeFolder: (path) => run({ name: "makeFolder", path }, () => inner.makeFolder(path)),
    unlink: (path) => run({ name: "unlink", path }, () => inner.unlink(path)),
    removeEmptyFolder: (path) =>
      run({ name: "removeEmptyFolder", path }, () => inner.removeEmptyFolder(path)),
    syncFolder: (path) => run({ name: "syncFolder", path }, () => inner.syncFolder(path)),
    rename: (source, target) =>
      run({ name: "rename", path: target }, () => inner.rename(source, target)),
    openWrite: async (path, mode) => {
      const file = await run({ name: "openWrite", path }, () => inner.openWrite(path, mode));
      return {
        write: (pieces, position) =>
          run({ name: "write", path }, () => file.write(pieces, position)),
        truncate: (sizeBytes) => run({ name: "truncate", path }, () => file.truncate(sizeBytes)),
        sync: () => run({ name: "sync", path }, () => file.sync()),
        close: () => run({ name: "close", path }, () => file.close()),
      };
    },
    openRead: async (path) => {
      const file = await run({ name: "openRead", path }, () => inner.openRead(path));
      if (file === undefined) return undefined;
      return {
        read: (buffer, position) => run({ name: "read", path }, () => file.read(buffer, position)),
        close: () => run({ name: "close", path }, () => file.close()),
      };
    },
  };
}
