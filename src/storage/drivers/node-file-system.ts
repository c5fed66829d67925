import {
  closeSync,
  fsync,
  openSync,
  realpathSync,
  statfsSync,
  statSync,
  writevSync,
} from "node:fs";
import {
  type FileHandle,
  mkdir,
  open,
  readdir,
  rename,
  rmdir,
  stat,
  unlink,
} from "node:fs/promises";
import { posix } from "node:path";
import { promisify } from "node:util";
import { codeOf } from "../../base/errors.ts";
import type { FileStat, FileSystem, ReadableFile, WritableFile } from "./file-system.ts";
import type { Room } from "./reserve.ts";

/** IOV_MAX of Linux: a call with more pieces is refused. */
const vectorsMax = 1024;

/** `f_type` of statfs(2), for the kinds that an operator should know of. */
const kinds: ReadonlyMap<number, FileSystemKind> = new Map([
  [0x6969, "nfs"],
  [0x517b, "smb"],
  [0xff534d42, "smb"],
  [0xfe534d42, "smb"],
  [0x65735546, "fuse"],
  [0x794c7630, "overlay"],
  [0x01021994, "tmpfs"],
  [0x858458f6, "tmpfs"],
]);

export type FileSystemKind = "nfs" | "smb" | "fuse" | "overlay" | "tmpfs";

/** What kind of file system `path` is on; undefined for a local disk, and where nobody can say. */
export function fileSystemKind(path: string): FileSystemKind | undefined {
  try {
    return kinds.get(statfsSync(path).type >>> 0);
  } catch {
    return undefined;
  }
}

/** ext4 keeps so much of a disk back from root as well, and does not say so. */
const keptBackShare = 0.02;
const keptBackBlocksMax = 4_096;

/** What is left in the file system of `path`; undefined where nobody can say. */
export function roomIn(path: string): Room | undefined {
  try {
    const { bavail, bfree, blocks, bsize, ffree, files } = statfsSync(path);
    if (blocks === 0) return undefined;
    const isRoot = process.getuid?.() === 0;
    const keptBack = Math.min(blocks * keptBackShare, keptBackBlocksMax);
    const free = isRoot ? Math.max(bavail, bfree - keptBack) : bavail;
    return { bytes: free * bsize, inodes: files === 0 ? Infinity : ffree };
  } catch {
    return undefined;
  }
}

const syncDescriptor = promisify(fsync);

/** The real file system. The one door to `node:fs` for stored bytes. */
export const nodeFileSystem: FileSystem = {
  stat: (path) => absentAsUndefined(async () => toFileStat(await stat(path))),

  statNow(path) {
    try {
      const found = statSync(path, { throwIfNoEntry: false });
      return found === undefined ? undefined : toFileStat(found);
    } catch (error) {
      if (codeOf(error) === "ENOTDIR") return undefined;
      throw error;
    }
  },

  readFolder: (path) =>
    absentAsUndefined(async () => {
      const entries = await readdir(path, { withFileTypes: true });
      return entries.map((entry) =>
        entry.isSymbolicLink()
          ? { name: entry.name, isFolder: leadsDown(path, entry.name), isLink: true as const }
          : { name: entry.name, isFolder: entry.isDirectory() },
      );
    }),

  async makeFolder(path) {
    try {
      await mkdir(path);
      return true;
    } catch (error) {
      if (codeOf(error) === "EEXIST") return false;
      throw error;
    }
  },

  rename: (source, target) => rename(source, target),

  async unlink(path) {
    return (await absentAsUndefined(async () => unlink(path).then(() => true))) ?? false;
  },

  async removeEmptyFolder(path) {
    try {
      await rmdir(path);
      return true;
    } catch (error) {
      const code = codeOf(error);
      if (code === "ENOENT" || code === "ENOTEMPTY" || code === "EEXIST" || code === "ENOTDIR") {
        return false;
      }
      throw error;
    }
  },

  async syncFolder(path) {
    // Only the sync takes a while. A durable push has thirty of them, and each step that leaves the
    // thread costs as much as these two.
    const folder = openSync(path, "r");
    try {
      await syncDescriptor(folder);
    } finally {
      closeSync(folder);
    }
  },

  async openWrite(path, mode) {
    return toWritableFile(await openForWriting(path, mode));
  },

  openRead: (path) => absentAsUndefined(async () => toReadableFile(await open(path, "r"))),
};

/**
 * Whether the symbolic link `name` in `folder` is as good as a folder. People put links in their
 * volumes, so what a link points to decides; but one that leads to itself, or back to a folder that
 * it is in, would give a walk no end.
 */
function leadsDown(folder: string, name: string): boolean {
  try {
    const target = realpathSync(`${folder}/${name}`);
    if (!statSync(target).isDirectory()) return false;
    // By their real names, each: the walk may have come here through other links.
    for (let above = folder; ; above = posix.dirname(above)) {
      if (realpathSync(above) === target) return false;
      if (above === posix.dirname(above)) return true;
    }
  } catch (error) {
    const code = codeOf(error);
    if (code === "ENOENT" || code === "ENOTDIR" || code === "ELOOP") return false;
    throw error;
  }
}

async function openForWriting(path: string, mode: "create" | "append"): Promise<FileHandle> {
  if (mode === "create") return open(path, "wx");
  try {
    // Not "a": every write names its position, and O_APPEND would ignore it.
    return await open(path, "r+");
  } catch (error) {
    if (codeOf(error) !== "ENOENT") throw error;
    return open(path, "wx");
  }
}

function toWritableFile(file: FileHandle): WritableFile {
  return {
    async write(pieces, position) {
      let rest = pieces.filter((piece) => piece.byteLength > 0);
      let offset = position;
      while (rest.length > 0) {
        const { bytesWritten } = await file.writev(rest.slice(0, vectorsMax), offset);
        offset += bytesWritten;
        rest = skipBytes(rest, bytesWritten);
      }
    },
    writeNow(pieces, position) {
      let rest = pieces.filter((piece) => piece.byteLength > 0);
      let offset = position;
      while (rest.length > 0) {
        const count = writevSync(file.fd, rest.slice(0, vectorsMax), offset);
        offset += count;
        rest = skipBytes(rest, count);
      }
    },
    truncate: (sizeBytes) => file.truncate(sizeBytes),
    sync: () => file.datasync(),
    close: () => file.close(),
  };
}

/** What is left of `pieces` after a write that took `count` bytes of them. */
function skipBytes(pieces: readonly Uint8Array[], count: number): Uint8Array[] {
  let skipped = count;
  const rest: Uint8Array[] = [];
  for (const piece of pieces) {
    if (skipped < piece.byteLength) rest.push(piece.subarray(skipped));
    skipped = Math.max(0, skipped - piece.byteLength);
  }
  return rest;
}

function toReadableFile(file: FileHandle): ReadableFile {
  return {
    async read(buffer, position) {
      return (await file.read(buffer, 0, buffer.byteLength, position)).bytesRead;
    },
    close: () => file.close(),
  };
}

function toFileStat(found: {
  isDirectory(): boolean;
  size: number;
  mtimeMs: number;
  ino: number;
}): FileStat {
  return {
    isFolder: found.isDirectory(),
    sizeBytes: found.size,
    modifiedAtMs: found.mtimeMs,
    inode: found.ino,
  };
}

async function absentAsUndefined<T>(work: () => Promise<T>): Promise<T | undefined> {
  try {
    return await work();
  } catch (error) {
    const code = codeOf(error);
    // ENOTDIR: a stray file stands where a folder should be, so nothing can lie below it.
    if (code === "ENOENT" || code === "ENOTDIR") return undefined;
    throw error;
  }
}
