import { codeOf } from "../../base/errors.ts";
import { RegistryError } from "../../oci/problems.ts";
import type { FileStat, FileSystem, WritableFile } from "./file-system.ts";

/** A sync that failed in a way after which nobody knows what the disk holds. */
export interface SyncFailure {
  readonly path: string;
  readonly cause: unknown;
}

/**
 * What a sync may fail with and still say nothing of other files. The disk or the quota is full:
 * the bytes of this one file found no place, and no other file is in doubt. Or the call was never
 * carried out, for want of a descriptor or of memory.
 *
 * After any other code (EIO before all) the kernel has taken pages that it could not write for
 * clean: a second sync succeeds and the bytes are gone all the same. Which pages, of which files,
 * it does not say.
 */
const harmlessCodes: ReadonlySet<string> = new Set([
  ...["ENOSPC", "EDQUOT"],
  ...["EMFILE", "ENFILE", "ENOMEM"],
]);

/** What a file system answers that cannot sync folders at all. The check at the start names it. */
const unsupportedCodes: ReadonlySet<string> = new Set([
  ...["EINVAL", "ENOTSUP", "EOPNOTSUPP", "ENOSYS"],
]);

/**
 * A file system that believes a failed sync.
 *
 * Two rules. A file whose sync failed, for whatever reason, is removed on the spot, and never
 * synced again: it can get no name, neither now nor after a restart, when the same pages would
 * be read from memory and pass for stored. And after a failure that puts other files in doubt,
 * every operation that changes anything is refused from then on, those included that were under
 * way: what is not renamed by then never will be. Reading goes on. Only opening anew ends it.
 *
 *     well ──── sync fails with EIO or the like ────► degraded ──── restart ────► well
 *       └──◄── ENOSPC …: that file is gone, the call fails, nothing else changes
 */
export class DegradingFileSystem implements FileSystem {
  readonly #files: FileSystem;
  readonly #onDegraded: (failure: SyncFailure) => void;
  #failure: SyncFailure | undefined;

  /** `onDegraded` is called once, at the first failure. */
  constructor(files: FileSystem, onDegraded: (failure: SyncFailure) => void) {
    this.#files = files;
    this.#onDegraded = onDegraded;
  }

  stat(path: string): ReturnType<FileSystem["stat"]> {
    return this.#files.stat(path);
  }

  statNow(path: string): FileStat | undefined {
    return this.#files.statNow(path);
  }

  readFolder(path: string): ReturnType<FileSystem["readFolder"]> {
    return this.#files.readFolder(path);
  }

  openRead(path: string): ReturnType<FileSystem["openRead"]> {
    return this.#files.openRead(path);
  }

  async makeFolder(path: string): Promise<boolean> {
    this.#refuseWhenDegraded();
    return this.#files.makeFolder(path);
  }

  async rename(source: string, target: string): Promise<void> {
    this.#refuseWhenDegraded();
    await this.#files.rename(source, target);
  }

  async unlink(path: string): Promise<boolean> {
    this.#refuseWhenDegraded();
    return this.#files.unlink(path);
  }

  async removeEmptyFolder(path: string): Promise<boolean> {
    this.#refuseWhenDegraded();
    return this.#files.removeEmptyFolder(path);
  }

  async syncFolder(path: string): Promise<void> {
    this.#refuseWhenDegraded();
    try {
      await this.#files.syncFolder(path);
    } catch (error) {
      // Not the disk's failure: collection has removed the folder, because it was empty, before
      // it could be opened for its sync. Whoever wants something in it makes it again.
      if (codeOf(error) === "ENOENT") throw error;
      if (unsupportedCodes.has(codeOf(error))) return;
      throw this.#judge({ path, cause: error });
    }
  }

  async openWrite(path: string, mode: "create" | "append"): Promise<WritableFile> {
    this.#refuseWhenDegraded();
    const file = await this.#files.openWrite(path, mode);
    return {
      write: async (pieces, position) => {
        this.#refuseWhenDegraded();
        await file.write(pieces, position);
      },
      truncate: async (sizeBytes) => {
        this.#refuseWhenDegraded();
        await file.truncate(sizeBytes);
      },
      sync: async () => {
        this.#refuseWhenDegraded();
        try {
          await file.sync();
        } catch (error) {
          const thrown = this.#judge({ path, cause: error });
          // Past the refusal: this removal is what keeps the bytes from ever counting.
          await this.#files.unlink(path).catch(() => undefined);
          throw thrown;
        }
        // Another file's sync may have failed meanwhile; this one's bytes are on the disk.
      },
      close: () => file.close(),
    };
  }

  /** @throws {RegistryError} `storageDegraded` */
  #refuseWhenDegraded(): void {
    if (this.#failure !== undefined) throw degraded(this.#failure);
  }

  /** Turns degraded when the failure asks for it; returns what to throw. */
  #judge(failure: SyncFailure): unknown {
    if (harmlessCodes.has(codeOf(failure.cause))) return failure.cause;
    if (this.#failure === undefined) {
      this.#failure = failure;
      this.#onDegraded(failure);
    }
    return degraded(failure);
  }
}

function degraded({ cause }: SyncFailure): RegistryError {
  return new RegistryError("storageDegraded", {}, { cause });
}
