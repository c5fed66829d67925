import { systemClock } from "../base/clock.ts";
import { systemRandom } from "../base/random.ts";
import type { Config } from "../config/config.ts";
import { markAndSweep, type SweepResult } from "../gc/mark-and-sweep.ts";
import { ManifestReader } from "../registry/manifest-reader.ts";
import { BlobStore } from "../storage/blob-store.ts";
import { commandLogger } from "./command-logger.ts";
import { openConfiguredRegistry } from "./open-registry.ts";

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
    });
    // The metadata follows the layout, here as everywhere.
    if (!options.isDryRun) await opened.registry.adoption.rebuild(new AbortController().signal);
    return result;
  } finally {
    await opened.close();
    logger.flush();
  }
}
