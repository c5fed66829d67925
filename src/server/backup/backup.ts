import { existsSync, readdirSync, realpathSync, statSync } from "node:fs";
import { basename, dirname, join, resolve, sep } from "node:path";
import manifest from "../../../package.json" with { type: "json" };
import { BytePace } from "../../base/byte-pace.ts";
import { systemSleep } from "../../base/sleep.ts";
import { type HeldLock, tryHoldLock } from "../../database/sqlite.ts";
import { isLost } from "../../gc/tidying.ts";
import type { Digest } from "../../oci/digest.ts";
import type { RepositoryName } from "../../oci/repository-name.ts";
import type { Link } from "../../storage/link-store.ts";
import type { CommandParts } from "../commands/command.ts";
import { databaseLocations } from "../database-locations.ts";
import { rootLockKey } from "../root-owner.ts";
import { type BackupRecord, backupRecordKey, writeBackupRecord } from "./backup-record.ts";
import { type CopyCounts, copyRepository, type RepositoryCopyOptions } from "./copy-repository.ts";
import { copyRecords, recordsName } from "./records.ts";
import { openStores, type Stores } from "./stores.ts";

export interface BackupOptions {
  /** Absolute. */
  readonly targetFolder: string;
  /** Copy the bytes also where a second name for them would do. */
  readonly isFullCopy: boolean;
  readonly bytesPerSecond: number | undefined;
  /** Counted up while it runs. */
  readonly counts: CopyCounts;
}

/** What a backup came to. */
export interface BackupResult extends CopyCounts {
  readonly removedBlobs: number;
}

/**
 * Brings the folder into agreement with the registry, which goes on serving: bytes before links,
 * then the records, then what is gone at the source. The folder is a registry of its own at any
 * moment, also when this is interrupted.
 *
 * @throws {Error} with a sentence when the folder is not one for a backup.
 */
export async function backUp(parts: CommandParts, options: BackupOptions): Promise<BackupResult> {
  const { targetFolder } = options;
  const sourceFolder = rootFolderOf(parts);
  refuseFolder(sourceFolder, targetFolder);
  const target = await openStores(targetFolder, "writing", parts);
  const lock = holdTarget(targetFolder, parts);
  try {
    return await copyAll({ target, sourceFolder }, parts, options);
  } finally {
    lock?.release();
  }
}

/**
 * Keeps other backups away, and servers: what one copies the other would take for deleted. Undefined
 * where nothing can be locked.
 *
 * @throws {Error} with a sentence when somebody is at work there.
 */
function holdTarget(targetFolder: string, { logger }: CommandParts): HeldLock | undefined {
  let lock: HeldLock | undefined;
  try {
    lock = tryHoldLock(join(targetFolder, rootLockKey));
  } catch (error) {
    logger.warn("the folder of the backup cannot be locked: make sure that one runs at a time", {
      folder: targetFolder,
      error,
    });
    return undefined;
  }
  if (lock !== undefined) return lock;
  throw new Error(
    `another backup is going on in ${targetFolder}, or a registry serves it: wait for its end, ` +
      "or name another folder; nothing was changed",
  );
}

async function copyAll(
  { target, sourceFolder }: { readonly target: Stores; readonly sourceFolder: string },
  parts: CommandParts,
  options: BackupOptions,
): Promise<BackupResult> {
  const { opened, random, clock, signal } = parts;
  const { targetFolder } = options;
  const source: Stores = { ...opened, blobs: opened.context.blobs };
  const record = beginRecord(parts, sourceFolder);
  await writeBackupRecord(target.objects, record);
  const unneeded = await unneededBlobs(parts, target);
  const { bytesPerSecond, counts } = options;
  const copy: RepositoryCopyOptions = {
    ...{ source, target, targetFolder, random, signal, counts },
    links: !options.isFullCopy,
    // Two at once are twice as quick, and twice as much in the way of pushes.
    atOnce: 1,
    pace: new BytePace({ bytesPerSecond, clock, sleep: systemSleep, signal }),
    isCollected: (name, link) => isCollected(name, link, parts),
    print: parts.print,
  };
  const seen = new Set<string>();
  for await (const name of opened.links.listRepositories()) {
    seen.add(name);
    await copyRepository(name, copy);
  }
  for await (const name of target.links.listRepositories()) {
    if (!seen.has(name)) await target.links.removeRepository(name);
  }
  let removedBlobs = 0;
  for (const digest of unneeded) {
    // Pushed again meanwhile? Then a link may name it.
    if (await isNeeded(digest, parts)) continue;
    if (await target.blobs.remove(digest)) removedBlobs += 1;
  }
  for await (const _ of target.blobs.list()) counts.blobs += 1;
  await backUpRecords(parts, targetFolder);
  await writeBackupRecord(target.objects, {
    ...record,
    finishedAt: new Date(clock.nowMs()).toISOString(),
    counts: { ...counts, removedBlobs },
  });
  return { ...counts, removedBlobs };
}

function rootFolderOf({ config }: CommandParts): string {
  const { driver } = config.storage;
  if (driver.kind !== "filesystem") throw new Error("a registry in memory cannot be backed up");
  return resolve(driver.rootDirectory);
}

/** True when there is nothing but what a new disk has, or a backup makes before its record. */
function isEmptyFor(target: string): boolean {
  const names = readdirSync(target).filter((name) => name !== "lost+found");
  if (names.some((name) => name !== "berth")) return false;
  const own = names.flatMap((name) => readdirSync(join(target, name)));
  return own.every((name) => name === "tmp" || name === basename(rootLockKey));
}

/** @throws {Error} with a sentence. */
function refuseFolder(sourceFolder: string, targetFolder: string): void {
  const [source, target] = [realPath(sourceFolder), realPath(targetFolder)];
  const isInside = (inner: string, outer: string): boolean =>
    `${inner}${sep}`.startsWith(`${outer}${sep}`);
  if (isInside(target, source) || isInside(source, target)) {
    throw new Error(`${targetFolder} and the registry's folder ${sourceFolder} lie in each other`);
  }
  if (!existsSync(target) || existsSync(`${target}/${backupRecordKey}`)) return;
  if (!statSync(target).isDirectory()) {
    throw new Error(`${targetFolder} is a file: name a folder, new or empty or with a backup`);
  }
  if (!isEmptyFor(target)) {
    throw new Error(
      `${targetFolder} is neither empty nor a backup: it has no ${backupRecordKey}. ` +
        "Name another folder; nothing was changed",
    );
  }
}

/** With links resolved, also of a folder that is still to be made. */
function realPath(path: string): string {
  if (existsSync(path)) return realpathSync(path);
  return path === dirname(path) ? path : join(realPath(dirname(path)), basename(path));
}

function beginRecord(parts: CommandParts, source: string): BackupRecord {
  return {
    format: 1,
    startedAt: new Date(parts.clock.nowMs()).toISOString(),
    version: manifest.version,
    source,
    records: parts.config.database.kind === "postgresql" ? "postgresql" : recordsName,
  };
}

/**
 * The target's blobs that the source has collected. Bytes that the source has lost and some
 * repository still names are none of them: they may be the last copy.
 *
 * Asked before the links are copied, so that none that is copied names one of them: a blob that is
 * collected during the backup stays until the next one.
 */
async function unneededBlobs(parts: CommandParts, target: Stores): Promise<readonly Digest[]> {
  const found: Digest[] = [];
  for await (const digest of target.blobs.list()) {
    if ((await target.blobs.sizeOf(digest)) === undefined) continue;
    if (!(await isNeeded(digest, parts))) found.push(digest);
  }
  return found;
}

async function isNeeded(digest: Digest, { opened }: CommandParts): Promise<boolean> {
  const { context, metadata, quarantine } = opened;
  if ((await context.blobs.sizeOf(digest)) !== undefined) return true;
  if ((await metadata.repositoriesWithBlob(digest, 1)).length > 0) return true;
  if ((await metadata.repositoriesNaming(digest, 1)).length > 0) return true;
  return (await quarantine.sizeOf(digest)) !== undefined;
}

/**
 * In the trash: its links go with its bytes, a grace later; until then they lead to nothing that is
 * needed. Or a link that Distribution's collection has left, which is older than any push.
 */
async function isCollected(
  name: RepositoryName,
  { digest, modifiedAtMs }: Link,
  { opened, clock }: CommandParts,
): Promise<boolean> {
  const { blobs, metadata, policy } = opened.context;
  if ((await blobs.sizeInTrash(digest)) !== undefined) {
    return (await metadata.collection.stateOf(digest))?.isReferenced !== true;
  }
  if (modifiedAtMs >= clock.nowMs() - policy.leaseMs) return false;
  return isLost(name, digest, { blobs, metadata });
}

async function backUpRecords({ config }: CommandParts, targetFolder: string): Promise<void> {
  const { records } = databaseLocations(config);
  if (records.kind === "sqlite")
    await copyRecords(records.path, `${targetFolder}/${recordsName}`, "in use");
}
