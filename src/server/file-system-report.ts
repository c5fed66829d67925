import type { Clock } from "../base/clock.ts";
import type { Logger } from "../base/logger.ts";
import type { Random } from "../base/random.ts";
import type { FileSystem } from "../storage/drivers/file-system.ts";
import { checkFileSystem } from "../storage/drivers/file-system-check.ts";
import {
  type FileSystemKind,
  fileSystemKind,
  nodeFileSystem,
} from "../storage/drivers/node-file-system.ts";

const networked =
  "keep the databases on a local disk (metadata.database), and let no other machine write here";

/** What an operator should know who has put the storage there, apart from what the check finds. */
const advice: Readonly<Record<FileSystemKind, string>> = {
  nfs: `the storage is on NFS: ${networked}`,
  smb: `the storage is on an SMB share: ${networked}`,
  fuse: "the storage is on a FUSE file system: what it keeps after a power cut is up to the program behind it",
  overlay:
    "the storage is in a container's own layer: what is pushed goes with the container; mount a volume",
  tmpfs: "the storage is in memory (tmpfs): what is pushed is gone after a restart of the machine",
};

export interface ReportOptions {
  /** The folder for temporary files, which is there. */
  readonly folder: string;
  readonly durability: "full" | "none";
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  /** In the place of the real ones. */
  readonly files?: FileSystem;
  readonly kindOf?: (path: string) => FileSystemKind | undefined;
}

/**
 * Says in the log what the storage's file system does not do that a registry relies on: a line
 * for each, with what it means. The registry starts all the same.
 *
 * @throws {Error} when files cannot be written and renamed there at all.
 */
export async function reportFileSystem(options: ReportOptions): Promise<void> {
  const { folder, durability, logger, files = nodeFileSystem } = options;
  const kind = (options.kindOf ?? fileSystemKind)(folder);
  if (kind !== undefined) logger.warn(advice[kind], { folder });
  const parts = { ...options, files, syncs: durability === "full" };
  for (const { promise, meaning } of await checkFileSystem(folder, parts)) {
    logger.warn(`the storage's file system does not keep a promise: ${promise}; ${meaning}`, {
      folder,
    });
  }
}
