import { statSync } from "node:fs";
import { dirname, join } from "node:path";
import { makeFoldersForOwner, ownerToBe } from "../base/folder-owner.ts";
import type { Logger } from "../base/logger.ts";
import type { Metrics } from "../base/metrics.ts";
import type { Random } from "../base/random.ts";
import type { DatabaseLocation } from "../database/database.ts";
import { nodeFileSystem, roomIn } from "../storage/drivers/node-file-system.ts";
import { ownedFileSystem } from "../storage/drivers/owned-file-system.ts";
import { Reserve } from "../storage/drivers/reserve.ts";
import { serverMetrics } from "./metrics.ts";

/** The room that a registry keeps for the day when the disk is full, opened with it. */
export async function openReserve(options: {
  readonly rootFolder: string;
  readonly sizeBytes: number;
  readonly databases: readonly DatabaseLocation[];
  readonly random: Random;
  readonly logger: Logger;
  readonly metrics?: Metrics | undefined;
}): Promise<Reserve> {
  const reserve = await Reserve.open({
    ...options,
    folders: foldersOf(options.rootFolder, options.databases),
    files: ownedFileSystem(nodeFileSystem, ownerToBe(join(options.rootFolder, "berth/tmp"))),
    roomIn,
  });
  options.metrics?.gauge({ ...serverMetrics.storageReserve, read: () => (reserve.isHeld ? 1 : 0) });
  return reserve;
}

/** Beside the stored bytes, and beside each database that is on a file system of its own. */
function foldersOf(rootFolder: string, databases: readonly DatabaseLocation[]): readonly string[] {
  const besideDatabases = databases.flatMap((it) =>
    it.kind === "sqlite" && it.path !== ":memory:" ? [dirname(it.path)] : [],
  );
  const folders = [join(rootFolder, "berth"), ...besideDatabases];
  const byDevice = new Map(folders.toReversed().map((folder) => [deviceOf(folder), folder]));
  return [...byDevice.values()];
}

function deviceOf(folder: string): number | string {
  try {
    makeFoldersForOwner(folder);
    return statSync(folder).dev;
  } catch {
    // Whoever needs the folder says why it cannot be made.
    return folder;
  }
}
