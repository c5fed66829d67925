import type { LogFields } from "../base/logger.ts";
import type { RepositoryName } from "../oci/repository-name.ts";
import type { RegistryContext } from "./context.ts";
import { isDatabaseFailure } from "./database-failure.ts";

/**
 * Runs `work`, which records in the metadata what the layout says already, or takes links away
 * and may come to half of that. When it fails, the repository is served from the layout until the
 * two are compared again: never from rows that are known to be behind.
 */
export async function record<T>(
  name: RepositoryName,
  { adoption }: Pick<RegistryContext, "adoption">,
  work: () => Promise<T>,
): Promise<T> {
  try {
    return await work();
  } catch (error) {
    adoption.distrust(name);
    throw error;
  }
}

/**
 * The same for what the layout has lost. The deletion is done, and how a full disk is dug out: a
 * database that takes no writes must not turn it into a failure.
 */
export async function recordRemoval(
  name: RepositoryName,
  context: Pick<RegistryContext, "adoption" | "logger">,
  work: () => Promise<void>,
): Promise<void> {
  try {
    await record(name, context, work);
  } catch (error) {
    if (!isDatabaseFailure(error)) throw error;
    context.logger.warn(
      "a deletion is done but could not be recorded: the repository is served from the storage until it is",
      { repository: name, error },
    );
  }
}

/**
 * Runs `work`, which writes a deletion that is done into the records. Where that is not possible,
 * the line in the log is the record.
 */
export async function noteRemoval(
  facts: LogFields,
  { logger }: Pick<RegistryContext, "logger">,
  work: () => Promise<void>,
): Promise<void> {
  try {
    await work();
  } catch (error) {
    if (!isDatabaseFailure(error)) throw error;
    logger.error("a deletion is done but missing from the history: the database took no writes", {
      ...facts,
      error,
    });
  }
}

/**
 * Adopts a repository of which something is to be deleted. Where the database takes no rows, what
 * is known has to do: deleting is how a full disk gets room.
 */
export async function adoptForRemoval(
  name: RepositoryName,
  { adoption }: Pick<RegistryContext, "adoption">,
): Promise<void> {
  try {
    await adoption.adopt(name);
  } catch (error) {
    if (!isDatabaseFailure(error)) throw error;
  }
}
