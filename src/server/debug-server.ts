import type { Clock } from "../base/clock.ts";
import type { DebugConfig } from "../config/config.ts";
import type { PrometheusMetrics } from "../telemetry/prometheus.ts";
import type { Health } from "./health.ts";
import { listenProblem } from "./listen-problem.ts";
import { openServer, type Server } from "./server-socket.ts";

export interface DebugServerOptions {
  readonly debug: DebugConfig;
  readonly health: Health;
  readonly metrics: PrometheusMetrics;
  readonly clock: Clock;
  readonly version: string;
}

type Method = "GET" | "POST";
type Page = { readonly [Key in Method]?: () => Response | Promise<Response> };

/**
 * The second port (`http.debug.addr`), for operators: metrics and health. Nothing here needs or
 * knows a login, so it belongs on an address that clients cannot reach.
 *
 * | path | |
 * |---|---|
 * | `/debug/health` | Distribution's: 200 `{}`, or 503 with what is wrong |
 * | `POST /debug/health/down`, `POST /debug/health/up` | Distribution's: out of rotation, and back |
 * | `/debug/health/live` | 200 as long as the process answers |
 * | `/debug/health/ready` | as `/debug/health`: the registry takes pushes and pulls |
 * | `/debug/vars` | version, uptime and memory as JSON |
 * | `http.debug.prometheus.path` | the metrics, when they are switched on |
 *
 * @throws {Error} with a sentence when the address cannot be opened.
 */
export function startDebugServer(options: DebugServerOptions): Server {
  const { listen } = options.debug;
  const pages = pagesOf(options);
  try {
    return openServer({
      listen,
      tls: undefined,
      isHttp2: false,
      fetch: (request) => answer(request, pages),
    });
  } catch (error) {
    throw listenProblem(error, { key: "http.debug.addr", listen });
  }
}

function pagesOf(options: DebugServerOptions): ReadonlyMap<string, Page> {
  const { debug, health, metrics, clock, version } = options;
  const startedMs = clock.monotonicMs();
  const readiness = (): Response => {
    const problems = health.problems();
    return json(Object.keys(problems).length === 0 ? 200 : 503, problems);
  };
  const setDown = (isDown: boolean) => (): Response => {
    health.setDown(isDown);
    return json(200, {});
  };
  const pages = new Map<string, Page>([
    ["/debug/health", { GET: readiness }],
    ["/debug/health/ready", { GET: readiness }],
    ["/debug/health/live", { GET: () => json(200, {}) }],
    ["/debug/health/down", { POST: setDown(true) }],
    ["/debug/health/up", { POST: setDown(false) }],
    ["/debug/vars", { GET: () => json(200, variables(version, clock.monotonicMs() - startedMs)) }],
  ]);
  if (debug.prometheusPath !== undefined) {
    const headers = { "Content-Type": metrics.contentType };
    const render = async (): Promise<Response> => new Response(await metrics.render(), { headers });
    pages.set(debug.prometheusPath, { GET: render });
  }
  return pages;
}

function variables(version: string, uptimeMs: number): object {
  const { rss, heapTotal, heapUsed, external } = process.memoryUsage();
  return {
    version,
    uptimeSeconds: Math.floor(uptimeMs / 1_000),
    memory: {
      residentBytes: rss,
      heapBytes: heapTotal,
      heapUsedBytes: heapUsed,
      externalBytes: external,
    },
  };
}

async function answer(request: Request, pages: ReadonlyMap<string, Page>): Promise<Response> {
  const path = pathOf(request.url);
  const page = pages.get(path);
  if (page === undefined) return json(404, { error: missing(path) });
  const isHead = request.method === "HEAD";
  const method = isHead ? "GET" : request.method;
  const make = method === "GET" || method === "POST" ? page[method] : undefined;
  if (make === undefined) {
    const methods = Object.keys(page).flatMap((name) => (name === "GET" ? [name, "HEAD"] : [name]));
    return json(
      405,
      { error: `this takes ${methods.join(" and ")}` },
      { Allow: methods.join(", ") },
    );
  }
  // A page in an operator's browser may post to any address that the browser reaches.
  if (method === "POST" && request.headers.has("origin")) {
    return json(403, { error: "web pages may not change anything here" });
  }
  const response = await make();
  if (!isHead) return response;
  const { byteLength } = await response.arrayBuffer();
  response.headers.set("Content-Length", String(byteLength));
  return new Response(null, { status: response.status, headers: response.headers });
}

/** The path of a request's URL. A hostile Host leaves nothing but the path, and may. */
function pathOf(url: string): string {
  return url.replace(/^https?:\/\/[^/]*/, "").replace(/[?#].*$/, "");
}

function missing(path: string): string {
  return path.startsWith("/debug/pprof")
    ? "there are no Go profiles here: this registry is not written in Go. " +
        "Metrics are at http.debug.prometheus.path, memory is at /debug/vars"
    : "there is nothing at this path";
}

function json(
  status: number,
  value: object,
  headers: Readonly<Record<string, string>> = {},
): Response {
  return Response.json(value, { status, headers });
}
