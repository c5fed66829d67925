import type { Clock } from "../base/clock.ts";
import type { Metrics } from "../base/metrics.ts";
import type { LogConfig } from "../config/config.ts";
import type { Answered } from "../http/wire.ts";
import { type AccessEntry, combinedLine, jsonLine } from "../telemetry/access-log.ts";

/** Distribution's names of its handlers, so that dashboards made for it go on. */
const handlerNames: Readonly<Record<Answered["kind"], string>> = {
  unknown: "none",
  root: "none",
  base: "base",
  catalog: "catalog",
  discover: "discover",
  v1Ping: "search",
  v1Search: "search",
  tagList: "tags",
  referrers: "referrers",
  blobGet: "blob",
  blobHead: "blob",
  blobDelete: "blob",
  manifestGet: "manifest",
  manifestHead: "manifest",
  manifestPut: "manifest",
  manifestDelete: "manifest",
  uploadBegin: "blob_upload",
  uploadStatus: "blob_upload_chunk",
  uploadAppend: "blob_upload_chunk",
  uploadFinish: "blob_upload_chunk",
  uploadCancel: "blob_upload_chunk",
};

/** What is told to the log and the metrics when a request was answered. */
export function requestObserver(options: {
  readonly metrics: Metrics;
  readonly clock: Clock;
  readonly accessLog: LogConfig["accessLog"];
  readonly writeLine: (line: string) => void;
}): (answered: Answered) => void {
  const requests = options.metrics.counter({
    name: "registry_http_requests_total",
    help: "Requests answered, by handler, method and status.",
    labels: ["handler", "method", "code"],
  });
  const durations = options.metrics.histogram({
    name: "registry_http_request_duration_seconds",
    help: "Seconds until a request was answered; the transfer of a body is not in it.",
    labels: ["handler", "method"],
    buckets: [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 60],
  });
  const format = options.accessLog.format === "json" ? jsonLine : combinedLine;
  return (answered) => {
    const handler = handlerNames[answered.kind];
    const method = answered.request.method.toLowerCase();
    const durationMs = options.clock.monotonicMs() - answered.startedMs;
    requests.add(1, { handler, method, code: String(answered.reply.status) });
    durations.observe(durationMs / 1000, { handler, method });
    if (options.accessLog.isEnabled) {
      options.writeLine(format(accessEntry(answered, options.clock.nowMs(), durationMs)));
    }
  };
}

function accessEntry(answered: Answered, atMs: number, durationMs: number): AccessEntry {
  const { request, reply } = answered;
  const { headers } = request;
  return {
    atMs,
    address: answered.peer.address,
    user: answered.user,
    method: request.method,
    path: answered.path,
    status: reply.status,
    bytes: answered.bodyBytes,
    durationMs,
    referer: headers.get("referer") ?? "",
    userAgent: headers.get("user-agent") ?? "",
    requestId: answered.id,
  };
}
