import { existsSync, readdirSync } from "node:fs";
import { resolve } from "node:path";
import { BytePace } from "../../base/byte-pace.ts";
import { systemClock } from "../../base/clock.ts";
import { makeFoldersForOwner } from "../../base/folder-owner.ts";
import { systemRandom } from "../../base/random.ts";
import { systemSleep } from "../../base/sleep.ts";
import type { Config } from "../../config/config.ts";
import { commandLogger } from "../command-logger.ts";
import { databaseLocations } from "../database-locations.ts";
import { isServed } from "../run-command.ts";
import { type BackupRecord, backupRecordKey, readBackupRecord } from "./backup-record.ts";
import { type CopyCounts, copyRepository } from "./copy-repository.ts";
import { copyRecords, recordsName } from "./records.ts";
import { openStores, type Stores } from "./stores.ts";

/** Blobs side by side: nobody else uses the disk, and people wait for their registry. */
const atOnce = 8;

/** Says that what lies in a folder is a restore that did not end. */
const markerKey = "berth/restoring.json";

export interface RestoreOptions {
  /** Where the backup is. */
  readonly folder: string;
  /** Also restore a backup that was interrupted. */
  readonly allowsIncomplete: boolean;
  /** Counted up while it runs. */
  readonly counts: CopyCounts;
  readonly signal: AbortSignal;
  readonly print: (line: string) => void;
}

/**
 * Makes a registry from a backup, in the folder that the configuration names, which must be
 * empty. Every blob is hashed on its way; the metadata is made at the first start. A restore that
 * was interrupted is gone on with by the same command.
 *
 * @throws {Error} with a sentence when it cannot be.
 */
export async function restoreBackup(config: Config, options: RestoreOptions): Promise<void> {
  const { driver } = config.storage;
  if (driver.kind !== "filesystem") throw new Error("a registry in memory keeps nothing");
  const rootFolder = resolve(driver.rootDirectory);
  const backupFolder = resolve(options.folder);
  const logger = commandLogger("warn");
  const parts = { clock: systemClock, random: systemRandom, logger };
  try {
    const source = await openStores(backupFolder, "reading", parts);
    const record = await recordOf(source, backupFolder, options);
    await refuseRoot(rootFolder);
    makeFoldersForOwner(rootFolder);
    const target = await openStores(rootFolder, "writing", parts);
    const marker = JSON.stringify({ backup: backupFolder });
    await target.objects.put(markerKey, new TextEncoder().encode(marker));
    const { signal, print, counts } = options;
    const pace = new BytePace({ ...parts, bytesPerSecond: undefined, sleep: systemSleep, signal });
    // A backup has no trash.
    const isCollected = async (): Promise<boolean> => false;
    const copy = { source, target, targetFolder: rootFolder, links: false, pace, ...parts };
    for await (const name of source.links.listRepositories()) {
      await copyRepository(name, { ...copy, counts, signal, print, isCollected, atOnce });
    }
    counts.blobs = counts.copiedBlobs;
    await restoreRecords({ config, record, backupFolder }, print);
    await target.objects.remove(markerKey);
  } finally {
    logger.flush();
  }
}

async function recordOf(
  source: Stores,
  folder: string,
  { allowsIncomplete }: RestoreOptions,
): Promise<BackupRecord> {
  const record = await readBackupRecord(source.objects);
  if (record === undefined) {
    throw new Error(`${folder} is no backup: there is no ${backupRecordKey} in it`);
  }
  if (record.finishedAt === undefined && !allowsIncomplete) {
    throw new Error(
      `the backup in ${folder}, begun ${record.startedAt}, did not end: run it again, or restore ` +
        "what is there with --incomplete",
    );
  }
  return record;
}

/** @throws {Error} with a sentence. */
async function refuseRoot(rootFolder: string): Promise<void> {
  if (await isServed(rootFolder)) {
    throw new Error(`a server is running on ${rootFolder}: stop it first`);
  }
  if (!existsSync(rootFolder) || existsSync(`${rootFolder}/${markerKey}`)) return;
  if (readdirSync(rootFolder).some((name) => name !== "lost+found")) {
    throw new Error(
      `${rootFolder} is not empty: a backup is restored into an empty folder only. Move what is ` +
        "there away; nothing was changed",
    );
  }
}

async function restoreRecords(
  from: {
    readonly config: Config;
    readonly record: BackupRecord;
    readonly backupFolder: string;
  },
  print: (line: string) => void,
): Promise<void> {
  const { records } = databaseLocations(from.config);
  const isInBackup = existsSync(`${from.backupFolder}/${recordsName}`);
  if (records.kind === "sqlite" && isInBackup) {
    await copyRecords(`${from.backupFolder}/${recordsName}`, records.path, "at rest");
  } else if (from.record.records === "postgresql" || records.kind === "postgres") {
    print(
      "the records (tag history, pull statistics) are in PostgreSQL: restore them with pg_restore",
    );
  }
}
