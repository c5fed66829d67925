import type { ActivityStore } from "../activity/activity-store.ts";
import type { Clock } from "../base/clock.ts";
import type { Metrics } from "../base/metrics.ts";
import type { LogConfig } from "../config/config.ts";
import type { Answered, WireOptions } from "../http/wire.ts";
import { type AccessEntry, combinedLine, jsonLine } from "../telemetry/access-log.ts";
import { serverMetrics } from "./metrics.ts";

type Kind = Answered["seen"]["kind"];

/** Distribution's names of its handlers, so that dashboards made for it go on. */
const handlerNames: Readonly<Record<Kind, string>> = {
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

/** Other words than these are a client's own: they must not make time series. */
const methods: ReadonlySet<string> = new Set([
  "GET",
  "HEAD",
  "PUT",
  "POST",
  "PATCH",
  "DELETE",
  "OPTIONS",
]);

/** The length of their bodies is not asked for: they are most of all requests, and have none. */
const bodiless: ReadonlySet<string> = new Set(["GET", "HEAD", "DELETE"]);

export interface ObserverOptions {
  readonly metrics: Metrics;
  readonly clock: Clock;
  readonly accessLog: LogConfig["accessLog"];
  readonly writeLine: (line: string) => void;
  readonly activity: Pick<ActivityStore, "noteAttempt">;
}

/** What is told to the log and the metrics of requests on their way. */
export function requestObserver(
  options: ObserverOptions,
): Required<Pick<WireOptions, "onRoute" | "onAnswer">> {
  const inFlight = requestsInFlight(options.metrics);
  const countersFor = answerCounters(options.metrics);
  const format = options.accessLog.format === "json" ? jsonLine : combinedLine;
  return {
    onRoute: (kind) => inFlight[kind].add(1),
    onAnswer: (answered) => {
      const { seen, request, reply } = answered;
      const durationMs = options.clock.monotonicMs() - answered.startedMs;
      if (seen.kind !== "unknown") inFlight[seen.kind].add(-1);
      countersFor(seen.kind, request.method, reply.status).note(answered, durationMs / 1000);
      if (seen.reason !== undefined && seen.effect === "write") noteAttempt(answered, options);
      if (options.accessLog.isEnabled) {
        options.writeLine(format(accessEntry(answered, options.clock.nowMs(), durationMs)));
      }
    },
  };
}

/** The series of each kind of route. A dashboard finds them before the first request, at 0. */
function requestsInFlight(metrics: Metrics): Readonly<Record<Kind, { add(amount: number): void }>> {
  const gauge = metrics.gauge(serverMetrics.requestsInFlight);
  const series = new Map(
    Object.values(handlerNames).map((handler) => [handler, gauge.bind({ handler })]),
  );
  const entries = Object.entries(handlerNames).map(([kind, name]) => [kind, series.get(name)]);
  return Object.fromEntries(entries);
}

/** Finds what counts the answers to one kind of request. */
function answerCounters(metrics: Metrics): (kind: Kind, verb: string, status: number) => Counters {
  const requests = metrics.counter(serverMetrics.requests);
  const durations = metrics.histogram(serverMetrics.requestDuration);
  const requestSizes = metrics.histogram(serverMetrics.requestSize);
  const responseSizes = metrics.histogram(serverMetrics.responseSize);
  const known = new Map<string, Map<string, Map<number, Counters>>>();
  // Looking a series up by its labels costs more than counting: each is looked up once. Maps in
  // maps, because making one key of three costs more than three looks.
  return (kind, verb, status) => {
    const byStatus = inside(inside(known, kind), methods.has(verb) ? verb : "other");
    const found = byStatus.get(status);
    if (found !== undefined) return found;
    const method = methods.has(verb) ? verb.toLowerCase() : "other";
    const handler = handlerNames[kind];
    const count = requests.bind({ handler, method, code: String(status) });
    const duration = durations.bind({ handler, method });
    const requestSize = requestSizes.bind({ handler });
    const responseSize = responseSizes.bind({ handler });
    const hasBody = !bodiless.has(verb);
    const made: Counters = {
      note: ({ request, bodyBytes }, seconds) => {
        count.add(1);
        duration.observe(seconds);
        requestSize.observe(hasBody ? declaredBytes(request) : 0);
        responseSize.observe(bodyBytes);
      },
    };
    byStatus.set(status, made);
    return made;
  };
}

interface Counters {
  readonly note: (answered: Answered, seconds: number) => void;
}

function declaredBytes({ headers }: Request): number {
  const bytes = Number(headers.get("content-length"));
  return Number.isSafeInteger(bytes) ? bytes : 0;
}

/** The map under `key`, made when it is not there. */
function inside<Key, Value>(maps: Map<string, Map<Key, Value>>, key: string): Map<Key, Value> {
  const found = maps.get(key);
  if (found !== undefined) return found;
  const made = new Map<Key, Value>();
  maps.set(key, made);
  return made;
}

/** Refusals that belong to the protocol: a client meets them and goes on. */
const notFailures: ReadonlySet<string> = new Set([
  "unauthorized",
  "credentialsRefused",
  "uploadOutOfOrder",
]);

/** A push that was refused or broke off, for whoever asks later why it failed. */
function noteAttempt(
  { seen, request, peer, id }: Answered,
  { activity, clock }: Pick<ObserverOptions, "activity" | "clock">,
): void {
  const { reason, repository, user } = seen;
  if (reason === undefined || repository === undefined || notFailures.has(reason)) return;
  const client = request.headers.get("user-agent");
  const address = seen.client?.address ?? peer.address() ?? "";
  activity.noteAttempt({
    atMs: clock.nowMs(),
    repository,
    reason,
    by: {
      ...(user !== "" && { name: user }),
      ...(client !== null && { client }),
      ...(address !== "" && { address }),
    },
    requestId: id.text,
  });
}

function accessEntry(answered: Answered, atMs: number, durationMs: number): AccessEntry {
  const { request, reply, seen } = answered;
  const { headers } = request;
  return {
    atMs,
    address: seen.client?.address ?? answered.peer.address() ?? "",
    user: seen.user,
    method: request.method,
    path: seen.path,
    status: reply.status,
    bytes: answered.bodyBytes,
    durationMs,
    referer: headers.get("referer") ?? "",
    userAgent: headers.get("user-agent") ?? "",
    requestId: answered.id.text,
  };
}
