import { type MetricDeclaration, serverMetrics } from "../../src/server/metrics.ts";
import { markdownTable } from "./markdown.ts";

/** `docs/reference/metrics.md`, rendered from the list of declarations. */
export function renderMetrics(): string {
  const rows = Object.values(serverMetrics).map((metric: MetricDeclaration) => [
    `\`${metric.name}\``,
    metric.type,
    (metric.labels ?? []).map((label) => `\`${label}\``).join(", "),
    metric.help,
  ]);
  return `${introduction}
${markdownTable(["Name", "Type", "Labels", "Meaning"], rows)}

${rest}`;
}

const introduction = `# Metrics

<!-- Rendered from src/server/metrics.ts by \`npm run docs\`; edit it there. -->

\`\`\`yaml
http:
  debug:
    addr: 127.0.0.1:5001
    prometheus:
      enabled: true
\`\`\`

serves metrics at \`http://127.0.0.1:5001/metrics\` in the text form of Prometheus. The debug server
asks nobody for a password: keep it on an address that clients cannot reach.
`;

const rest = `\`handler\` has Distribution's words: \`base\`, \`blob\`, \`blob_upload\`, \`blob_upload_chunk\`, \`catalog\`,
\`manifest\`, \`tags\`, and Berth's own \`discover\`, \`referrers\` and \`search\`; \`none\` is everything else.
\`method\` is in lower case; \`other\` is what no route knows.

Besides these there are the \`process_*\` and \`nodejs_*\` metrics of the Prometheus client: CPU time,
memory, open files, the delay of the event loop. \`nodejs_active_*\` are 0, because the runtime does
not count them. Distribution's \`registry_storage_cache_*\`,
\`registry_notifications_*\` and \`registry_proxy_*\` have no counterpart.
`;
