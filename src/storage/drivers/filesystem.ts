import { posix } from "node:path";
import type { Clock } from "../../base/clock.ts";
import { codeOf } from "../../base/errors.ts";
import { inParallel } from "../../base/in-parallel.ts";
import { LeastRecent } from "../../base/least-recent.ts";
import type { Random } from "../../base/random.ts";
import { leftOverAgeMs, temporaryFolder } from "../layout.ts";
import type { Appender, Content, ObjectStat, ObjectStore } from "../object-store.ts";
import { DegradingFileSystem, type SyncFailure } from "./degrading-file-system.ts";
import type { FileStat, FileSystem } from "./file-system.ts";
import { readSizeBytes, readToEnd, tooLarge } from "./read-to-end.ts";
import { removeFolder, removeTree } from "./remove-tree.ts";
import { translateFailure } from "./storage-failure.ts";

export interface FilesystemOptions {
  /** The folder that Distribution calls `rootdirectory`. Made when it is missing. */
  readonly rootFolder: string;
  /** `none` leaves out every sync: for scratch registries only. */
  readonly durability: "full" | "none";
  readonly fileSystem: FileSystem;
  readonly clock: Clock;
  readonly random: Random;
  /** Told once, when a failed sync has ended all writing until the store is opened anew. */
  readonly onDegraded?: (failure: SyncFailure) => void;
}

/**
 * Objects as files below one folder.
 *
 * A small object is written beside (in `berth/tmp`), synced, renamed to its name, and the folder
 * of that name is synced; a folder that was made on the way is synced into its parent. So a crash
 * at any point leaves the old object or the new one, and what was promised stays promised. What
 * a sync that fails means is said in `degrading-file-system.ts`.
 */
export class FilesystemStore implements ObjectStore {
  readonly #options: FilesystemOptions;
  readonly #files: FileSystem;
  readonly #durableFolders = new LeastRecent<true>(durableFoldersMax);
  /** By path, stamps of files whose names are durable: another file of that name has another. */
  readonly #settled = new LeastRecent<string>(settledMax);
  readonly #forget = (folder: string): void => this.#durableFolders.delete(folder);

  private constructor(options: FilesystemOptions) {
    this.#options = options;
    const onDegraded = options.onDegraded ?? (() => undefined);
    this.#files = new DegradingFileSystem(options.fileSystem, onDegraded);
  }

  /** Opens the store, and clears what an earlier crash left in its temporary folder. */
  static async open(options: FilesystemOptions): Promise<FilesystemStore> {
    const store = new FilesystemStore({
      ...options,
      rootFolder: posix.resolve(options.rootFolder),
    });
    await store.#guard(`cannot open ${options.rootFolder}`, async () => {
      await store.#ensureFolder(store.#temporaryFolder());
      await store.#clearLeftOvers();
    });
    return store;
  }

  /** The store of a folder that may take no writes: a backup on another medium. */
  static openForReading(options: FilesystemOptions): FilesystemStore {
    return new FilesystemStore({ ...options, rootFolder: posix.resolve(options.rootFolder) });
  }

  async stat(key: string): Promise<ObjectStat | undefined> {
    const found = await this.#guard(`cannot look at ${key}`, () =>
      this.#files.stat(this.#pathOf(key)),
    );
    return found === undefined || found.isFolder ? undefined : toObjectStat(found);
  }

  async read(key: string, sizeBytesMax: number): Promise<Uint8Array | undefined> {
    return this.#guard(`cannot read ${key}`, async () => {
      const path = this.#pathOf(key);
      const found = this.#files.statNow(path);
      if (found === undefined || found.isFolder) return undefined;
      if (found.sizeBytes > sizeBytesMax) throw tooLarge(key);
      const file = await this.#files.openRead(path);
      if (file === undefined) return undefined;
      try {
        return await readToEnd(file, { expectedBytes: found.sizeBytes, sizeBytesMax, key });
      } finally {
        await file.close();
      }
    });
  }

  async *readStream(
    key: string,
    range: { start: number; end: number },
  ): AsyncGenerator<Uint8Array> {
    const file = await this.#files.openRead(this.#pathOf(key));
    if (file === undefined) throw new Error(`${key} is gone`);
    try {
      let position = range.start;
      while (position < range.end) {
        const buffer = new Uint8Array(Math.min(readSizeBytes, range.end - position));
        const count = await file.read(buffer, position);
        if (count === 0) throw new Error(`${key} ends at ${position}, before ${range.end}`);
        position += count;
        yield buffer.subarray(0, count);
      }
    } finally {
      await file.close();
    }
  }

  content(key: string): Content | undefined {
    const path = this.#pathOf(key);
    try {
      const found = this.#files.statNow(path);
      if (found === undefined || found.isFolder) return undefined;
      return { kind: "file", path, sizeBytes: found.sizeBytes };
    } catch (cause) {
      throw translateFailure(cause, `cannot look at ${key}`);
    }
  }

  async put(key: string, bytes: Uint8Array): Promise<void> {
    await this.#replace(key, bytes, this.#options.durability === "full");
  }

  async putVolatile(key: string, bytes: Uint8Array): Promise<void> {
    await this.#replace(key, bytes, false);
  }

  async list(folder: string): Promise<readonly { name: string; isFolder: boolean }[]> {
    return this.#guard(
      `cannot list ${folder}`,
      async () => (await this.#files.readFolder(this.#pathOf(folder))) ?? [],
    );
  }

  async move(source: string, target: string): Promise<void> {
    await this.#guard(`cannot move ${source} to ${target}`, () =>
      this.#moveFile(this.#pathOf(source), this.#pathOf(target)),
    );
  }

  async moveVolatile(source: string, target: string): Promise<boolean> {
    return this.#guard(`cannot move ${source} to ${target}`, async () => {
      const [from, to] = [this.#pathOf(source), this.#pathOf(target)];
      try {
        // Mostly the folder is there: looking first would cost as much again.
        await this.#files.rename(from, to);
      } catch (error) {
        if (codeOf(error) !== "ENOENT") throw error;
        if (this.#files.statNow(from) === undefined) return false;
        await this.#moveFile(from, to, false);
      }
      return true;
    });
  }

  async removeAll(keys: readonly string[]): Promise<void> {
    await this.#removeEach(keys, async (path) =>
      (await removeTree(this.#files, path, this.#forget)) ? posix.dirname(path) : undefined,
    );
  }

  async removeAllWithFolders(keys: readonly string[]): Promise<void> {
    await this.#removeEach(keys, async (path) => {
      const folder = posix.dirname(path);
      const isRemoved = await removeTree(this.#files, path, this.#forget);
      const isFolderRemoved = await removeFolder(this.#files, folder, this.#forget);
      return isRemoved || isFolderRemoved ? posix.dirname(folder) : undefined;
    });
  }

  /** `remove` returns the folder whose entries it has changed. */
  async #removeEach(
    keys: readonly string[],
    remove: (path: string) => Promise<string | undefined>,
  ): Promise<void> {
    await this.#guard(`cannot remove ${keys.length} objects`, async () => {
      const changed = new Set<string>();
      await inParallel(keys, removalsAtOnce, async (key) => {
        const folder = await remove(this.#pathOf(key));
        if (folder !== undefined) changed.add(folder);
      });
      await inParallel([...changed], removalsAtOnce, (folder) => this.#syncFolder(folder));
    });
  }

  async removeEmptyFolders(folders: readonly string[]): Promise<void> {
    await this.#guard("cannot remove an empty folder", async () => {
      for (const folder of folders) {
        const path = this.#pathOf(folder);
        this.#durableFolders.delete(path);
        await this.#files.removeEmptyFolder(path);
      }
    });
  }

  async settle(key: string): Promise<void> {
    await this.#guard(`cannot sync ${key}`, async () => {
      const path = this.#pathOf(key);
      const stamp = this.#stampNow(path);
      if (this.#settled.get(path) === stamp) return;
      const folder = posix.dirname(path);
      await this.#ensureFolder(folder);
      // Its bytes were synced before it got this name.
      await this.#syncFolder(folder);
      this.#settled.set(path, stamp);
    });
  }

  async settleRemoval(key: string): Promise<void> {
    await this.#guard(`cannot sync ${key}`, async () => {
      let folder = posix.dirname(this.#pathOf(key));
      // Folders that it left empty may be gone as well, no more durably than the object.
      while (this.#files.statNow(folder)?.isFolder !== true) folder = posix.dirname(folder);
      await this.#syncFolder(folder);
    });
  }

  async remove(key: string): Promise<boolean> {
    return this.#guard(`cannot remove ${key}`, async () => {
      const path = this.#pathOf(key);
      const removed = await this.#files.unlink(path);
      if (removed) await this.#syncFolder(posix.dirname(path));
      return removed;
    });
  }

  async removeFolder(folder: string): Promise<boolean> {
    return this.#guard(`cannot remove ${folder}`, async () => {
      const path = this.#pathOf(folder);
      const removed = await removeTree(this.#files, path, this.#forget);
      if (removed) await this.#syncFolder(posix.dirname(path));
      return removed;
    });
  }

  async openAppend(key: string, offset: number): Promise<Appender | undefined> {
    return this.#guard(`cannot write ${key}`, async () => {
      const path = this.#pathOf(key);
      if (offset === 0) await this.#ensureFolder(posix.dirname(path), false);
      else if (this.#sizeNow(path) < offset) return undefined;
      const file = await this.#files.openWrite(path, "append");
      let isUsable = false;
      try {
        // Asked again: what was there may have been removed, and opening has made it anew.
        const sizeBytes = this.#sizeNow(path);
        if (sizeBytes > offset) await file.truncate(offset);
        isUsable = sizeBytes >= offset;
      } finally {
        if (!isUsable) await file.close();
      }
      if (!isUsable) return undefined;
      let position = offset;
      return {
        write: async (pieces) => {
          await this.#guard(`cannot write ${key}`, () => file.write(pieces, position));
          for (const piece of pieces) position += piece.byteLength;
        },
        sync: async () => {
          if (this.#options.durability === "none") return;
          await this.#guard(`cannot sync ${key}`, () => file.sync());
        },
        close: () => file.close(),
      };
    });
  }

  async probe(): Promise<void> {
    const key = `${temporaryFolder}/probe-${this.#options.random.uuid()}`;
    await this.put(key, new Uint8Array([1]));
    await this.remove(key);
  }

  #stampNow(path: string): string {
    const found = this.#files.statNow(path);
    return found === undefined ? "" : toObjectStat(found).stamp;
  }

  #sizeNow(path: string): number {
    return this.#files.statNow(path)?.sizeBytes ?? 0;
  }

  #pathOf(key: string): string {
    return `${this.#options.rootFolder}/${key}`;
  }

  #temporaryFolder(): string {
    return this.#pathOf(temporaryFolder);
  }

  async #clearLeftOvers(): Promise<void> {
    const nowMs = this.#options.clock.nowMs();
    for (const { name } of await this.list(temporaryFolder)) {
      const path = `${this.#temporaryFolder()}/${name}`;
      const found = await this.#files.stat(path);
      if (found === undefined || nowMs - found.modifiedAtMs < leftOverAgeMs) continue;
      await this.#files.unlink(path);
    }
  }

  async #replace(key: string, bytes: Uint8Array, isSynced: boolean): Promise<void> {
    await this.#guard(`cannot write ${key}`, async () => {
      const temporary = `${this.#temporaryFolder()}/${this.#options.random.uuid()}`;
      try {
        await this.#writeFile(temporary, bytes, isSynced);
        await this.#moveFile(temporary, this.#pathOf(key), isSynced);
      } catch (error) {
        await this.#files.unlink(temporary).catch(() => undefined);
        throw error;
      }
    });
  }

  async #writeFile(path: string, bytes: Uint8Array, isSynced: boolean): Promise<void> {
    const file = await this.#files.openWrite(path, "create");
    try {
      await file.write([bytes], 0);
      if (isSynced) await file.sync();
    } finally {
      await file.close();
    }
  }

  async #moveFile(source: string, target: string, isSynced = true): Promise<void> {
    const folder = posix.dirname(target);
    // Asked before: afterwards another object may have taken the name, and not be synced yet.
    const stamp = isSynced ? this.#stampNow(source) : "";
    for (let attempt = 1; ; attempt += 1) {
      try {
        await this.#ensureFolder(folder, isSynced);
        await this.#files.rename(source, target);
        break;
      } catch (error) {
        // Collection may have removed the folder since, because it was empty: it is made again.
        const isGone = codeOf(error) === "ENOENT";
        if (!isGone || attempt === moveAttemptsMax || this.#files.statNow(source) === undefined) {
          throw error;
        }
      }
    }
    if (!isSynced) return;
    await this.#syncFolder(folder);
    this.#settled.set(target, stamp);
  }

  /**
   * Makes `path` and what is missing above it, each made durable in its parent.
   *
   * That a folder is there does not say that its name is durable: another request may have made
   * it a moment ago, before its sync. So only folders that this process has synced itself are
   * passed over, and they are forgotten when they are removed. For what a power cut may take
   * nothing is synced, nor remembered.
   */
  async #ensureFolder(path: string, isSynced = true): Promise<void> {
    const isThere = this.#files.statNow(path)?.isFolder === true;
    if (isThere && (!isSynced || this.#durableFolders.get(path) === true)) return;
    if (isThere && path === this.#options.rootFolder) return;
    const parent = posix.dirname(path);
    if (parent !== path) await this.#ensureFolder(parent, isSynced);
    if (!isThere) await this.#files.makeFolder(path);
    if (!isSynced) return;
    await this.#syncFolder(parent);
    this.#durableFolders.set(path, true);
  }

  async #syncFolder(path: string): Promise<void> {
    if (this.#options.durability === "full") await this.#files.syncFolder(path);
  }

  async #guard<T>(action: string, work: () => Promise<T>): Promise<T> {
    try {
      return await work();
    } catch (cause) {
      throw translateFailure(cause, action);
    }
  }
}

const moveAttemptsMax = 5;

/** What is forgotten costs a sync of a clean folder when it is used again. */
const durableFoldersMax = 2_000;
const settledMax = 4_000;

/** Few, so that the requests' own file operations find a free thread. */
const removalsAtOnce = 4;

function toObjectStat(found: FileStat): ObjectStat {
  return {
    sizeBytes: found.sizeBytes,
    modifiedAtMs: found.modifiedAtMs,
    stamp: `${found.modifiedAtMs}:${found.inode}:${found.sizeBytes}`,
  };
}
