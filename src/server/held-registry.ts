import { systemSleep } from "../base/sleep.ts";
import type { Config } from "../config/config.ts";
import { type HeldPostgres, holdPostgres } from "../database/postgres-hold.ts";
import { type OpenRegistry, openConfiguredRegistry } from "./open-registry.ts";

/** A process that was killed is unlocked when PostgreSQL notices, which is soon. */
const holdWaitMs = 5_000;

/**
 * The registry that the configuration describes, its database in PostgreSQL for this process alone.
 * SQLite's files lie in the folder, which `holdRoot` keeps.
 *
 * @throws {Error} with a sentence when another registry uses the database.
 */
export async function openHeldRegistry(
  config: Config,
  parts: Parameters<typeof openConfiguredRegistry>[1],
): Promise<OpenRegistry> {
  const { database } = config;
  if (database.kind !== "postgresql") return openConfiguredRegistry(config, parts);
  const sleep = (delayMs: number) => systemSleep(delayMs, new AbortController().signal);
  const hold = await holdPostgres({ url: database.url, waitMs: holdWaitMs, sleep });
  try {
    return withHold(await openConfiguredRegistry(config, parts), hold);
  } catch (error) {
    await hold.release();
    throw error;
  }
}

/** Whoever looks whether the storage is well hears when the database was taken by another. */
function withHold(opened: OpenRegistry, hold: HeldPostgres): OpenRegistry {
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
          "another registry uses this one's database in PostgreSQL (database.url): stop one of the two, " +
            "and restart the other",
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
