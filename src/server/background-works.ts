import type { Clock } from "../base/clock.ts";
import type { Logger } from "../base/logger.ts";
import type { Metrics } from "../base/metrics.ts";
import type { Config, UploadPurgingConfig } from "../config/config.ts";
import { purgeStaleUploads } from "../gc/stale-uploads.ts";
import { serverMetrics } from "./metrics.ts";
import type { OpenRegistry } from "./open-registry.ts";

interface Parts {
  readonly config: Config;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly metrics: Metrics;
  /** Says when the works have to end. */
  readonly ends: AbortController;
}

/** What goes on beside the requests. */
export interface BackgroundWorks {
  /** Resolves when the first comparison of metadata and storage has ended, well or not. */
  adopted(): Promise<void>;
  /** Resolves when nothing of it is running any more; `ends` has been aborted before. */
  ended(): Promise<void>;
}

/** The longest time that a timer can wait; a longer one would fire at once, again and again. */
const timerMsMax = 2 ** 31 - 1;

/** How often it is looked whether a round of the scrub is due, or was interrupted. */
const scrubCheckMs = 10 * 60_000;

const firstPurgeMsMax = 30 * 60_000;

/** Starts to compare the metadata with the storage, and to purge stale uploads now and then. */
export function startBackgroundWorks(parts: Parts, opened: OpenRegistry): BackgroundWorks {
  const { config, metrics, ends } = parts;
  const { adoption } = opened.registry;
  const running = new Set<Promise<void>>();
  const start = (work: Promise<void>): void => {
    running.add(work);
    void work.finally(() => running.delete(work));
  };
  const adopting = adoption.run(ends.signal);
  start(adopting);
  metrics.gauge({
    ...serverMetrics.adoptionComplete,
    read: () => (adoption.progress().isComplete ? 1 : 0),
  });
  metrics.gauge({
    ...serverMetrics.adoptionCheckedRepositories,
    read: () => adoption.progress().checked,
  });
  const { uploadPurging } = config.storage.maintenance;
  if (uploadPurging.isEnabled) {
    const intervalMs = Math.min(uploadPurging.intervalMs, timerMsMax);
    const purgeNow = (): void => start(purge(parts, opened, uploadPurging));
    // Not at the start, when there is enough to do, and not a whole interval later: a registry
    // that is restarted every night would never purge.
    const first = setTimeout(purgeNow, Math.min(intervalMs, firstPurgeMsMax));
    const timer = setInterval(purgeNow, intervalMs);
    first.unref();
    timer.unref();
    ends.signal.addEventListener("abort", () => {
      clearTimeout(first);
      clearInterval(timer);
    });
  }
  start(opened.scrub.countQuarantined().catch(() => undefined));
  // Not where nothing may be written: what is damaged could not be moved aside.
  if (config.scrub.isEnabled && !config.storage.maintenance.readOnly.isEnabled) {
    const timer = setInterval(() => start(scrub(parts, opened)), scrubCheckMs);
    timer.unref();
    ends.signal.addEventListener("abort", () => clearInterval(timer));
  }
  return {
    adopted: () => adopting,
    ended: async () => void (await Promise.all(running)),
  };
}

async function purge(
  parts: Parts,
  opened: OpenRegistry,
  uploadPurging: UploadPurgingConfig,
): Promise<void> {
  try {
    await purgeStaleUploads({ ...parts, ...opened, ...uploadPurging }, parts.ends.signal);
  } catch (error) {
    parts.logger.error("purging stale uploads failed", { error });
  }
}

/** Begins a round that is due, or goes on with one. */
async function scrub({ config, logger, ends }: Parts, opened: OpenRegistry): Promise<void> {
  const { intervalMs, rateBytesPerSecond } = config.scrub;
  try {
    if (opened.scrub.isRunning || !(await opened.scrub.isDue(intervalMs))) return;
    await opened.scrub.round({
      bytesPerSecond: rateBytesPerSecond,
      isNew: false,
      signal: ends.signal,
    });
  } catch (error) {
    logger.error("hashing the stored blobs again failed", { error });
  }
}
