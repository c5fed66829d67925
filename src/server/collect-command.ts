import { resolve } from "node:path";
import { systemClock } from "../base/clock.ts";
import { systemRandom } from "../base/random.ts";
import type { Config } from "../config/config.ts";
import { markAndSweep, type SweepResult } from "../gc/mark-and-sweep.ts";
import { ManifestReader } from "../registry/manifest-reader.ts";
import { BlobStore } from "../storage/blob-store.ts";
import { commandLogger } from "./command-logger.ts";
import { openConfiguredRegistry } from "./open-registry.ts";
import { type HeldRoot, holdRoot } from "./root-owner.ts";
import { isServed } from "./run-command.ts";

export interface CollectOptions {
  readonly deletesUntagged: boolean;
  readonly isDryRun: boolean;
  readonly say: (line: string) => void;
}

/** `berth garbage-collect`: as Distribution's, on a registry that is stopped or read-only. */
export async function collectGarbage(
  config: Config,
  options: CollectOptions,
): Promise<SweepResult> {
  const logger = commandLogger("warn");
  const parts = { clock: systemClock, random: systemRandom, logger };
  const root = options.isDryRun ? undefined : await holdAlone(config, parts);
  const opened = await openConfiguredRegistry(config, parts);
  try {
    const blobs = new BlobStore(opened.objects);
    const { links } = opened;
    const result = await markAndSweep({
      ...options,
      links,
      blobs,
      reader: new ManifestReader(blobs),
      logger,
      isKept: (digest) => opened.activity.trash.keeps(digest),
    });
    // The metadata follows the layout, here as everywhere.
    if (!options.isDryRun) await opened.registry.adoption.rebuild(new AbortController().signal);
    return result;
  } finally {
    await opened.close();
    root?.release();
    logger.flush();
  }
}

/**
 * Keeps servers away: what a push has stored and not yet named would be taken for garbage. A
 * server that is read-only may go on.
 *
 * @throws {Error} when one takes pushes.
 */
async function holdAlone(
  { storage: { driver, maintenance } }: Config,
  parts: Parameters<typeof holdRoot>[1],
): Promise<HeldRoot | undefined> {
  if (driver.kind !== "filesystem" || maintenance.readOnly.isEnabled) return undefined;
  const rootFolder = resolve(driver.rootDirectory);
  if (await isServed(rootFolder)) {
    throw new Error(
      `a server takes pushes into ${rootFolder}, and would lose some of them: use berth gc run, ` +
        "which collects beside pushes, or stop the server, or restart it with " +
        "storage.maintenance.readonly.enabled: true",
    );
  }
  return holdRoot(rootFolder, parts);
}
