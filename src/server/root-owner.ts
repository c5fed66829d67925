import { readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Clock } from "../base/clock.ts";
import { makeFileForOwner, makeFoldersForOwner } from "../base/folder-owner.ts";
import type { Logger } from "../base/logger.ts";
import { type HeldLock, tryHoldLock } from "../database/sqlite.ts";
import { followVolume } from "./data-volume.ts";
import { servingObstacle } from "./root-access.ts";

/** Locked while a server runs on the folder, or a backup is made in it. */
export const rootLockKey = "berth/lock.sqlite";

/** A storage folder that this process alone serves. */
export interface HeldRoot {
  /** Writes down where the registry is found, for whoever is refused. */
  announce(url: string): void;
  release(): void;
}

/** What `berth/owner.json` says; for people, the lock is what counts. */
interface Owner {
  readonly pid: number;
  readonly startedAt: string;
  /** Absent while it is starting. */
  readonly url?: string;
}

/**
 * Keeps a second server away from `rootFolder`: the two would know nothing of each other's locks.
 *
 *     berth/lock.sqlite   locked while a server runs; the kernel unlocks it when that ends
 *     berth/owner.json    who that is; left behind by a crash, and worth nothing without the lock
 *
 * Where nothing can be locked the log says so, and the registry starts.
 *
 * @throws {Error} when another process serves the folder, it belongs to another user, or it cannot be
 * made.
 */
export function holdRoot(
  rootFolder: string,
  { clock, logger }: { readonly clock: Clock; readonly logger: Logger },
): HeldRoot {
  const ownerPath = join(rootFolder, "berth/owner.json");
  const obstacle = servingObstacle(rootFolder);
  if (obstacle !== undefined) throw new Error(obstacle);
  const why = followVolume(rootFolder);
  if (why !== undefined) logger.warn(`pushes will fail: ${why}`);
  try {
    makeFoldersForOwner(join(rootFolder, "berth"));
  } catch (cause) {
    throw new Error(`cannot open ${rootFolder}: make the folder, for the user of the registry`, {
      cause,
    });
  }
  let lock: HeldLock | undefined;
  try {
    lock = tryHoldLock(join(rootFolder, rootLockKey));
  } catch (error) {
    logger.warn(
      "the storage folder cannot be locked: make sure that no second registry serves it",
      { data: rootFolder, error },
    );
    return { announce: () => undefined, release: () => undefined };
  }
  if (lock === undefined) throw new Error(refusal(rootFolder, readOwner(ownerPath)));
  const { pid } = process;
  const startedAt = new Date(clock.nowMs()).toISOString();
  const write = (owner: Owner): void => {
    try {
      makeFileForOwner(ownerPath);
      writeFileSync(ownerPath, `${JSON.stringify(owner)}\n`);
    } catch (error) {
      // On a full disk: a second server is refused all the same, in fewer words.
      logger.debug("berth/owner.json could not be written", { error });
    }
  };
  write({ pid, startedAt });
  return {
    announce: (url) => write({ pid, startedAt, url }),
    release() {
      rmSync(ownerPath, { force: true });
      lock.release();
    },
  };
}

function refusal(rootFolder: string, owner: Owner | undefined): string {
  const who =
    owner === undefined
      ? "another process"
      : `process ${owner.pid}, since ${owner.startedAt}${owner.url === undefined ? "" : `, at ${owner.url}`}`;
  return (
    `${rootFolder} is served already by ${who}; two registries on one folder would damage it: ` +
    "stop the other one, or set storage.filesystem.rootdirectory to another folder"
  );
}

function readOwner(path: string): Owner | undefined {
  try {
    const value: unknown = JSON.parse(readFileSync(path, "utf8"));
    if (typeof value !== "object" || value === null) return undefined;
    if (!("pid" in value && "startedAt" in value)) return undefined;
    const { pid, startedAt } = value;
    if (typeof pid !== "number" || typeof startedAt !== "string") return undefined;
    const url = "url" in value && typeof value.url === "string" ? value.url : undefined;
    return { pid, startedAt, ...(url !== undefined && { url }) };
  } catch {
    return undefined; // It is being written, or the disk was full.
  }
}
