import type { MetricOptions } from "../base/metrics.ts";

/** What a measurement is called and means, apart from where its values come from. */
export interface MetricDeclaration extends MetricOptions {
  readonly type: "counter" | "gauge" | "histogram";
}

/** Distribution's: doubled from 1 KiB to 2 GiB. */
const sizeBuckets = Array.from({ length: 22 }, (_, index) => 1_024 * 2 ** index);

/**
 * Every measurement of Berth's own: the program and docs/reference/metrics.md read this list.
 * Names that Distribution has too are Distribution's, so that dashboards go on.
 */
export const serverMetrics = {
  requests: {
    type: "counter",
    name: "registry_http_requests_total",
    help: "Requests answered, by handler, method and status.",
    labels: ["handler", "method", "code"],
  },
  requestDuration: {
    type: "histogram",
    name: "registry_http_request_duration_seconds",
    help: "Seconds until a request was answered, with receiving its body; sending the answer's is not in it.",
    labels: ["handler", "method"],
    buckets: [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 60],
  },
  requestsInFlight: {
    type: "gauge",
    name: "registry_http_in_flight_requests",
    help: "Requests that are being received or answered; what is still on its way out is not in it.",
    labels: ["handler"],
  },
  requestSize: {
    type: "histogram",
    name: "registry_http_request_size_bytes",
    help: "Bytes of a request's body as its Content-Length says; 0 where there is none.",
    labels: ["handler"],
    buckets: sizeBuckets,
  },
  responseSize: {
    type: "histogram",
    name: "registry_http_response_size_bytes",
    help: "Bytes of an answer's body, as they are sent when nothing breaks off.",
    labels: ["handler"],
    buckets: sizeBuckets,
  },
  droppedLogLines: {
    type: "counter",
    name: "berth_log_lines_dropped_total",
    help: "Lines of the log and the access log that were lost because nobody read them.",
  },
  storageAction: {
    type: "histogram",
    name: "registry_storage_action_seconds",
    help: "Seconds that the storage took for an action; blobs on their way out are not in it.",
    labels: ["driver", "action"],
    buckets: [0.0001, 0.0005, 0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1, 5, 10],
  },
  storageDegraded: {
    type: "gauge",
    name: "berth_storage_degraded",
    help: "1 when a sync of the disk has failed and nothing is written until a restart, else 0.",
  },
  storageReserve: {
    type: "gauge",
    name: "berth_storage_reserve_held",
    help: "1 while room is kept for the day when the disk is full; 0 when it is given back, and where none is kept.",
  },
  adoptionComplete: {
    type: "gauge",
    name: "berth_adoption_complete",
    help: "1 when the metadata is known to agree with the storage, 0 while it is compared.",
  },
  adoptionCheckedRepositories: {
    type: "gauge",
    name: "berth_adoption_checked_repositories",
    help: "Repositories whose metadata was compared with the storage since the start.",
  },
  collectedBlobs: {
    type: "counter",
    name: "berth_gc_removed_blobs_total",
    help: "Blobs that live collection has ended.",
  },
  collectedBytes: {
    type: "counter",
    name: "berth_gc_removed_bytes_total",
    help: "Bytes of the blobs that live collection has ended.",
  },
  trashBlobs: {
    type: "gauge",
    name: "berth_gc_trash_blobs",
    help: "Blobs in the trash at the end of the last round, which come back when asked for.",
  },
  trashBytes: {
    type: "gauge",
    name: "berth_gc_trash_bytes",
    help: "Bytes of the blobs in the trash at the end of the last round.",
  },
  frozenRepositories: {
    type: "gauge",
    name: "berth_gc_frozen_repositories",
    help: "Repositories with manifests or tags that cannot be read, so that collection keeps what they may need.",
  },
  restores: {
    type: "counter",
    name: "berth_restores_total",
    help: "Tags and manifests that were taken back after they had been deleted or moved.",
    labels: ["kind"],
  },
  retentionDeletions: {
    type: "counter",
    name: "berth_retention_deletions_total",
    help: "What the rules of retention have deleted: kind is tag or manifest.",
    labels: ["kind"],
  },
  retentionLastRun: {
    type: "gauge",
    name: "berth_retention_last_run_timestamp_seconds",
    help: "When the rules of retention were last carried out, in seconds since 1970; 0 for never.",
  },
  scrubbedBlobs: {
    type: "counter",
    name: "berth_scrub_blobs_total",
    help: "Blobs that were hashed again.",
  },
  scrubbedBytes: {
    type: "counter",
    name: "berth_scrub_bytes_total",
    help: "Bytes that were hashed again.",
  },
  scrubCorrupt: {
    type: "counter",
    name: "berth_scrub_corrupt_blobs_total",
    help: "Blobs whose bytes were not what their digest says. Any increase deserves a look.",
  },
  scrubUnreadable: {
    type: "counter",
    name: "berth_scrub_unreadable_blobs_total",
    help: "Blobs that the disk could not read. Any increase deserves a look.",
  },
  quarantinedBlobs: {
    type: "gauge",
    name: "berth_quarantined_blobs",
    help: "Damaged blobs that were moved aside and not pushed again yet.",
  },
} as const satisfies Readonly<Record<string, MetricDeclaration>>;
