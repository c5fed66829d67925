import { type Clock, patientClock } from "../base/clock.ts";
import type { Logger } from "../base/logger.ts";
import type { Metrics } from "../base/metrics.ts";
import { systemSleep } from "../base/sleep.ts";
import type { Config, UploadPurgingConfig } from "../config/config.ts";
import { purgeStaleUploads } from "../gc/stale-uploads.ts";
import type { Collection } from "./collection.ts";
import { serverMetrics } from "./metrics.ts";
import type { OpenRegistry } from "./open-registry.ts";
import { systemEvery, timerMsMax } from "./periodic.ts";
import type { RetentionRuns } from "./retention-runs.ts";

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

/** How long after a database takes writes again it is brought up to date at the latest. */
const settleIntervalMs = 15_000;

/** How often it is looked whether a round of the scrub is due, or was interrupted. */
const scrubCheckMs = 10 * 60_000;

/** How long after a push has healed a blob the metrics say so at the latest. */
const quarantineCountMs = 60_000;

const firstPurgeMsMax = 30 * 60_000;

/** Starts to compare the metadata with the storage, and what is done now and then after that. */
export function startBackgroundWorks(
  parts: Parts,
  opened: OpenRegistry,
  { collection, retention }: { readonly collection: Collection; readonly retention: RetentionRuns },
): BackgroundWorks {
  const { config, metrics, ends } = parts;
  const { adoption } = opened.registry;
  const isReadOnly = config.storage.maintenance.readOnly.isEnabled;
  const running = new Set<Promise<void>>();
  const start = (work: Promise<void>): void => {
    running.add(work);
    void work.finally(() => running.delete(work));
  };
  const repeat = (intervalMs: number, work: () => void): void => {
    ends.signal.addEventListener("abort", systemEvery(intervalMs, work));
  };
  const adopting = adoption.run(ends.signal);
  start(adopting.then(() => adoption.retry(systemSleep, ends.signal)));
  let isSettling = false;
  const settle = async (): Promise<void> => {
    isSettling = true;
    await adoption.settleDoubts(ends.signal);
    isSettling = false;
  };
  metrics.gauge({
    ...serverMetrics.adoptionComplete,
    read: () => (adoption.progress().isComplete ? 1 : 0),
  });
  metrics.gauge({
    ...serverMetrics.adoptionCheckedRepositories,
    read: () => adoption.progress().checked,
  });
  if (config.gc.isEnabled && !isReadOnly) {
    start(collectNowAndThen(parts, { collection, adopting }));
  }
  repeat(settleIntervalMs, () => {
    if (!isSettling) start(settle());
  });
  if (retention.hasRules && !isReadOnly) {
    start(adopting.then(() => retention.runNowAndThen(ends.signal)));
  }
  const { uploadPurging } = config.storage.maintenance;
  if (uploadPurging.isEnabled) {
    const intervalMs = Math.min(uploadPurging.intervalMs, timerMsMax);
    const clock = patientClock(parts.clock);
    const purgeNow = (): void => start(purge({ ...parts, clock }, opened, uploadPurging));
    // Not at the start, when there is enough to do, and not a whole interval later: a registry
    // that is restarted every night would never purge.
    const first = setTimeout(purgeNow, Math.min(intervalMs, firstPurgeMsMax)).unref();
    ends.signal.addEventListener("abort", () => clearTimeout(first));
    repeat(intervalMs, purgeNow);
  }
  start(collection.measure().catch(() => undefined));
  const countQuarantined = (): void =>
    start(opened.scrub.countQuarantined().catch(() => undefined));
  countQuarantined();
  repeat(quarantineCountMs, () => {
    if (opened.scrub.quarantined > 0) countQuarantined();
  });
  // Not where nothing may be written: what is damaged could not be moved aside.
  if (config.scrub.isEnabled && !isReadOnly) {
    repeat(scrubCheckMs, () => start(scrub(parts, opened)));
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
  const { adoption } = opened.registry;
  const onPurged = adoption.noteEndedUpload.bind(adoption);
  try {
    const options = { ...parts, ...opened, ...uploadPurging, onPurged };
    await purgeStaleUploads(options, parts.ends.signal);
  } catch (error) {
    parts.logger.error("purging stale uploads failed", { error });
  }
}

/** Rounds of live collection, from when the metadata is known to agree until `ends`. */
async function collectNowAndThen(
  { config, logger, ends: { signal } }: Parts,
  { collection, adopting }: { readonly collection: Collection; readonly adopting: Promise<void> },
): Promise<void> {
  await adopting;
  while (!signal.aborted) {
    await systemSleep(Math.min(config.gc.intervalMs, timerMsMax), signal);
    if (signal.aborted) return;
    try {
      await collection.round({ signal, isFull: false });
    } catch (error) {
      logger.error("a round of collection failed; the next one begins again", { error });
    }
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
