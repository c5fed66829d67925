import type { DebugConfig } from "../config/config.ts";
import type { PrometheusMetrics } from "../telemetry/prometheus.ts";
import type { Health } from "./health.ts";

/**
 * The second port (`http.debug.addr`), for operators: metrics and health. Nothing here needs or
 * knows a login, so it belongs on an address that clients cannot reach.
 *
 * - `/debug/health` — Distribution's: 200 `{}`, or 503 with what is wrong.
 * - `/debug/health/live` — the process answers.
 * - `/debug/health/ready` — the registry takes pushes and pulls.
 */
export function startDebugServer(options: {
  readonly debug: DebugConfig;
  readonly health: Health;
  readonly metrics: PrometheusMetrics;
}): Bun.Server<undefined> {
  const { debug, health, metrics } = options;
  const answerHealth = (): Response => {
    const problems = health.problems();
    return Response.json(problems, { status: Object.keys(problems).length === 0 ? 200 : 503 });
  };
  return Bun.serve({
    port: debug.listen.port,
    ...(debug.listen.host !== undefined && { hostname: debug.listen.host }),
    async fetch(request) {
      const path = request.url.replace(/^[a-z]+:\/\/[^/]*/, "").replace(/\?.*$/, "");
      switch (path) {
        case debug.prometheusPath:
          return new Response(await metrics.render(), {
            headers: { "Content-Type": metrics.contentType },
          });
        case "/debug/health":
        case "/debug/health/ready":
          return answerHealth();
        case "/debug/health/live":
          return Response.json({});
        default:
          return Response.json({ error: "there is nothing here" }, { status: 404 });
      }
    },
  });
}
