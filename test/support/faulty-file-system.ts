/** A file system whose operations fail where a test says so, with the codes of the real one. */
import type { FileSystem, WritableFile } from "../../src/storage/drivers/file-system.ts";
import { nodeFileSystem } from "../../src/storage/drivers/node-file-system.ts";

type Operation = keyof FileSystem | "write" | "sync" | "read";

/** The code of the error with which an operation fails now; undefined lets it happen. */
export type Fault = (operation: Operation, path: string) => string | undefined;

export class FaultyFileSystem implements FileSystem {
  /** Set and taken away by the test while the registry runs. */
  fault: Fault = () => undefined;

  async stat(path: string): ReturnType<FileSystem["stat"]> {
    this.#check("stat", path);
    return nodeFileSystem.stat(path);
  }

  statNow(path: string): ReturnType<FileSystem["statNow"]> {
    this.#check("statNow", path);
    return nodeFileSystem.statNow(path);
  }

  async readFolder(path: string): ReturnType<FileSystem["readFolder"]> {
    this.#check("readFolder", path);
    return nodeFileSystem.readFolder(path);
  }

  async makeFolder(path: string): Promise<boolean> {
    this.#check("makeFolder", path);
    return nodeFileSystem.makeFolder(path);
  }

  async rename(source: string, target: string): Promise<void> {
    this.#check("rename", target);
    await nodeFileSystem.rename(source, target);
  }

  async unlink(path: string): Promise<boolean> {
    this.#check("unlink", path);
    return nodeFileSystem.unlink(path);
  }

  async removeEmptyFolder(path: string): Promise<boolean> {
    this.#check("removeEmptyFolder", path);
    return nodeFileSystem.removeEmptyFolder(path);
  }

  async syncFolder(path: string): Promise<void> {
    this.#check("syncFolder", path);
    await nodeFileSystem.syncFolder(path);
  }

  async openWrite(path: string, mode: "create" | "append"): Promise<WritableFile> {
    this.#check("openWrite", path);
    const file = await nodeFileSystem.openWrite(path, mode);
    return {
      write: async (pieces, position) => {
        this.#check("write", path);
        await file.write(pieces, position);
      },
      sync: async () => {
        this.#check("sync", path);
        await file.sync();
      },
      truncate: (sizeBytes) => file.truncate(sizeBytes),
      close: () => file.close(),
    };
  }

  async openRead(path: string): ReturnType<FileSystem["openRead"]> {
    this.#check("openRead", path);
    const file = await nodeFileSystem.openRead(path);
    if (file === undefined) return undefined;
    return {
      read: async (buffer, position) => {
        this.#check("read", path);
        return file.read(buffer, position);
      },
      close: () => file.close(),
    };
  }

  #check(operation: Operation, path: string): void {
    const code = this.fault(operation, path);
    if (code !== undefined) {
      throw Object.assign(new Error(`${code}: ${operation} '${path}'`), { code });
    }
  }
}
