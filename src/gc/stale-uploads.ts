import type { Clock } from "../base/clock.ts";
import type { Logger } from "../base/logger.ts";
import type { RepositoryName } from "../oci/repository-name.ts";
import type { LinkStore } from "../storage/link-store.ts";
import type { UploadStore } from "../storage/upload-store.ts";

export interface StaleUploadsOptions {
  readonly links: LinkStore;
  readonly uploads: UploadStore;
  /** A patient one, where a step of the machine's clock must not make every session old. */
  readonly clock: Clock;
  readonly logger: Logger;
  /** Sessions without a sign of life for so long go. */
  readonly ageMs: number;
  /** Only say what would go. */
  readonly isDryRun: boolean;
  /** Told of a repository for each session that went. */
  readonly onPurged?: (name: RepositoryName) => Promise<void>;
}

/** What one purge found. */
export interface PurgeResult {
  readonly kept: number;
  readonly purged: number;
}

/**
 * Removes upload sessions that nobody has touched for a long time. Every chunk touches its
 * session, so an active one stays however old it is; so does one whose times lie in the future,
 * because a clock that was set back must not cost anybody an upload.
 */
export async function purgeStaleUploads(
  options: StaleUploadsOptions,
  signal: AbortSignal,
): Promise<PurgeResult> {
  const { links, uploads, clock, logger, ageMs, isDryRun, onPurged } = options;
  const isStale = (touchedAtMs: number): boolean => clock.nowMs() - touchedAtMs >= ageMs;
  let kept = 0;
  let purged = 0;
  for await (const name of links.listRepositories()) {
    for await (const { folder, touchedAtMs } of uploads.list(name)) {
      if (signal.aborted) return { kept, purged };
      if (!isStale(touchedAtMs) || !(isDryRun || (await uploads.purge(folder, isStale)))) {
        kept += 1;
        continue;
      }
      purged += 1;
      logger.info(isDryRun ? "an upload would be purged" : "an upload was purged", { folder });
      if (!isDryRun) await onPurged?.(name);
    }
  }
  return { kept, purged };
}
