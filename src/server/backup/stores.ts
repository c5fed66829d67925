import { join } from "node:path";
import type { Clock } from "../../base/clock.ts";
import { ownerToBe } from "../../base/folder-owner.ts";
import type { Logger } from "../../base/logger.ts";
import type { Random } from "../../base/random.ts";
import { BlobStore } from "../../storage/blob-store.ts";
import { FilesystemStore } from "../../storage/drivers/filesystem.ts";
import { nodeFileSystem } from "../../storage/drivers/node-file-system.ts";
import { ownedFileSystem } from "../../storage/drivers/owned-file-system.ts";
import { LinkStore } from "../../storage/link-store.ts";
import type { ObjectStore } from "../../storage/object-store.ts";

/** A registry's files without its databases: what a backup copies from and to. */
export interface Stores {
  readonly objects: ObjectStore;
  readonly blobs: BlobStore;
  readonly links: LinkStore;
}

export interface StoresParts {
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
}

/** The files below `rootFolder`; with `reading` nothing is written there, not even a folder. */
export async function openStores(
  rootFolder: string,
  access: "reading" | "writing",
  parts: StoresParts,
): Promise<Stores> {
  const fileSystem = ownedFileSystem(nodeFileSystem, ownerToBe(join(rootFolder, "berth/tmp")));
  const options = { rootFolder, durability: "full", fileSystem, ...parts } as const;
  const objects =
    access === "reading"
      ? FilesystemStore.openForReading(options)
      : await FilesystemStore.open(options);
  return { objects, blobs: new BlobStore(objects), links: new LinkStore(objects, parts.logger) };
}
