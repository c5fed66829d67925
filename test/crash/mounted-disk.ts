/**
 * Disks of their own for faults that strike a whole disk: an ext4 in a file, and a memory disk.
 * Both need root. Whatever becomes of this process, the janitor of the run unmounts them.
 */
import { dlopen } from "bun:ffi";
import { closeSync, existsSync, mkdirSync, openSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { run, tryRun } from "../support/processes.ts";
import { removeFolder, temporaryFolder } from "../support/run-folder.ts";

/** FS_IOC_SHUTDOWN of Linux, and its flag that leaves the journal in memory unwritten. */
const shutdownRequest = 0x80_04_58_7d;
const shutdownWithoutLog = 2;

export type DiskKind =
  | { readonly kind: "ext4"; readonly sizeMiB: number; readonly options?: string }
  | { readonly kind: "tmpfs"; readonly sizeMiB: number; readonly inodes?: number };

export class MountedDisk implements AsyncDisposable {
  /** Where it is mounted. */
  readonly folder: string;
  readonly #home = temporaryFolder("disk");
  readonly #kind: DiskKind;

  private constructor(kind: DiskKind) {
    this.#kind = kind;
    this.folder = join(this.#home, "disk");
    mkdirSync(this.folder);
  }

  static async create(kind: DiskKind): Promise<MountedDisk> {
    const disk = new MountedDisk(kind);
    try {
      if (kind.kind === "ext4") {
        await run(["truncate", "-s", `${kind.sizeMiB}M`, disk.#image]);
        await run(["mkfs.ext4", "-q", "-F", disk.#image]);
      }
      await disk.#mount();
      return disk;
    } catch (error) {
      await disk[Symbol.asyncDispose]();
      throw error;
    }
  }

  /** From here on the disk takes nothing, and what was not synced is lost: a power cut. */
  cutPower(): void {
    const file = openSync(this.folder, "r");
    try {
      const flag = new Uint32Array([shutdownWithoutLog]);
      const code = libc().symbols.ioctl(file, shutdownRequest, flag);
      if (code !== 0) throw new Error("FS_IOC_SHUTDOWN was refused");
    } finally {
      closeSync(file);
    }
  }

  /** Unmounts and mounts it, as after a power cut: the journal is replayed. */
  async restorePower(): Promise<void> {
    await this.#unmount();
    await this.#mount();
  }

  /**
   * From here on, or no longer, nothing can be opened for writing (EROFS). The disk is mounted
   * once more, over itself: the system refuses to take writing from a disk on which a file is
   * open for it. Such a file, a database, stays writable.
   */
  async makeReadOnly(isReadOnly: boolean): Promise<void> {
    if (!isReadOnly) {
      await this.#unmount();
      return;
    }
    await run(["mount", "--bind", this.folder, this.folder]);
    await run(["mount", "-o", "remount,bind,ro", this.folder]);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    while (isMounted(this.folder)) await this.#unmount();
    removeFolder(this.#home);
  }

  get #image(): string {
    return join(this.#home, "image");
  }

  async #mount(): Promise<void> {
    const kind = this.#kind;
    if (kind.kind === "ext4") {
      const options = ["loop", ...(kind.options === undefined ? [] : [kind.options])].join(",");
      await run(["mount", "-t", "ext4", "-o", options, this.#image, this.folder]);
      return;
    }
    const inodes = kind.inodes === undefined ? "" : `,nr_inodes=${kind.inodes}`;
    const options = `size=${kind.sizeMiB}m${inodes}`;
    await run(["mount", "-t", "tmpfs", "-o", options, "tmpfs", this.folder]);
  }

  /** A process that was just killed may hold it for a moment longer. */
  async #unmount(): Promise<void> {
    for (let attempt = 1; ; attempt += 1) {
      const { exitCode, output } = await tryRun(["umount", this.folder]);
      if (exitCode === 0) return;
      if (attempt === 50) throw new Error(`cannot unmount ${this.folder}: ${output}`);
      await Bun.sleep(20);
    }
  }
}

/** Also when it is mounted over itself. */
function isMounted(folder: string): boolean {
  return readFileSync("/proc/mounts", "utf8").includes(` ${folder} `);
}

/** Why no disk can be mounted here; undefined where it can. */
export async function disksUnavailable(kind: DiskKind["kind"]): Promise<string | undefined> {
  if (process.platform !== "linux") return "it needs Linux";
  if (process.getuid?.() !== 0) return "mounting a disk needs root";
  if (kind === "ext4" && !existsSync("/dev/loop-control")) return "there is no /dev/loop-control";
  if (kind === "ext4" && Bun.which("mkfs.ext4") === null) return "mkfs.ext4 is missing";
  try {
    await using disk = await MountedDisk.create({ kind, sizeMiB: 8 });
    if (kind === "ext4") disk.cutPower();
    return undefined;
  } catch (error) {
    const [first = ""] = String(error).split("\n").slice(-1);
    return `a disk cannot be mounted: ${first}`;
  }
}

let opened: ReturnType<typeof openLibc> | undefined;

function libc(): ReturnType<typeof openLibc> {
  return (opened ??= openLibc());
}

function openLibc() {
  return dlopen("libc.so.6", {
    ioctl: { args: ["i32", "u64", "ptr"], returns: "i32" },
  });
}
