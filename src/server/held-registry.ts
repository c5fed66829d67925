import { realpathSync } from "node:fs";
import { basename, dirname, join, resolve } from "node:path";
import { makeFoldersForOwner } from "../base/folder-owner.ts";
import { systemSleep } from "../base/sleep.ts";
import type { Config } from "../config/config.ts";
import { type HeldDatabase, holdPostgres } from "../database/postgres-hold.ts";
import { tryHoldLock } from "../database/sqlite.ts";
import { setDamagedMetadataAside } from "./damaged-metadata.ts";
import { type OpenRegistry, openConfiguredRegistry } from "./open-registry.ts";
import { rootLockKey } from "./root-owner.ts";

type Parts = Parameters<typeof openConfiguredRegistry>[1];

/** A process that was killed is unlocked when PostgreSQL notices, which is soon. */
const holdWaitMs = 5_000;

/**
 * The registry that the configuration describes, with its databases for this process alone: a
 * registry of another folder would compare them with that, and remove what it does not find there.
 *
 * @throws {Error} with a sentence when another registry uses the databases.
 */
export async function openHeldRegistry(config: Config, parts: Parts): Promise<OpenRegistry> {
  const hold = await holdDatabases(config, parts);
  try {
    setDamagedMetadataAside(config, parts.logger);
    const opened = await openConfiguredRegistry(config, parts);
    return hold === undefined ? opened : withHold(opened, hold);
  } catch (error) {
    await hold?.release();
    throw error;
  }
}

async function holdDatabases(config: Config, parts: Parts): Promise<HeldDatabase | undefined> {
  const { database, storage } = config;
  switch (database.kind) {
    case "memory":
      return undefined;
    case "postgresql": {
      const sleep = (delayMs: number) => systemSleep(delayMs, new AbortController().signal);
      return holdPostgres({ url: database.url, waitMs: holdWaitMs, sleep });
    }
    case "sqlite": {
      const folder = dirname(resolve(database.metadataPath));
      const { driver } = storage;
      // `holdRoot` has that one already.
      const own = driver.kind === "filesystem" ? resolve(driver.rootDirectory, "berth") : undefined;
      return own !== undefined && realFolder(own) === realFolder(folder)
        ? undefined
        : holdFolder(folder, parts);
    }
  }
}

/** Where `metadata.database` is elsewhere: the databases that lie in that folder. */
function holdFolder(folder: string, { logger }: Parts): HeldDatabase | undefined {
  let lock: ReturnType<typeof tryHoldLock>;
  try {
    makeFoldersForOwner(folder);
    lock = tryHoldLock(join(folder, basename(rootLockKey)));
  } catch (error) {
    logger.warn(
      "the folder of the databases cannot be locked: make sure that no second registry uses it",
      {
        folder,
        error,
      },
    );
    return undefined;
  }
  if (lock === undefined) {
    throw new Error(
      `the databases in ${folder} (metadata.database) are in use by another process; two registries on ` +
        "one database would damage each other: stop that one, or give this one a folder of its own",
    );
  }
  return { isLost: async () => false, release: async () => lock.release() };
}

/** As it is: one that cannot be followed is made later. */
function realFolder(path: string): string {
  try {
    return realpathSync(path);
  } catch {
    return path;
  }
}

/** Whoever looks whether the storage is well hears when the database was taken by another. */
function withHold(opened: OpenRegistry, hold: HeldDatabase): OpenRegistry {
  let isLost = false;
  return {
    ...opened,
    probe: async () => {
      // Not waited for: a database that does not answer is no fault of the storage.
      void hold.isLost().then((answer) => {
        isLost = answer;
      });
      if (isLost) {
        throw new Error(
          "another registry uses the database of this one (database.url): stop one of the two, and " +
            "restart the other",
        );
      }
      await opened.probe();
    },
    close: async () => {
      await opened.close();
      await hold.release();
    },
  };
}
