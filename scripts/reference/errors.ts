import { type Problem, problems } from "../../src/oci/problems.ts";
import { markdownTable } from "./markdown.ts";

/** `docs/reference/errors.md`, rendered from the table of problems. */
export function renderErrors(): string {
  const rows = Object.entries(problems).map(([reason, problem]: readonly [string, Problem]) => [
    String(problem.status),
    `\`${problem.code}\``,
    named(problem.message),
    problem.advice === undefined ? "" : named(problem.advice),
    `\`${reason}\``,
  ]);
  return `${introduction}
${markdownTable(["Status", "Code", "Message", "What to do", "Reason"], rows)}
`;
}

const introduction = `# Errors

<!-- Rendered from src/oci/problems.ts by \`npm run docs\`; edit it there. -->

Every refusal has the body that the OCI distribution specification asks for:

\`\`\`json
{"errors":[{"code":"MANIFEST_UNKNOWN","message":"manifest v9 is not in repository team/app","detail":{"reference":"v9","name":"team/app"}}]}
\`\`\`

\`message\` is one of the sentences below with what to do behind it, and \`detail\` has the same facts for
programs. A manifest that names several blobs that are not there has one entry for each. Docker
and podman print the message.

An answer with a status of 400 or more carries \`X-Request-Id\`. With \`log.accesslog.format: json\`
the access log has the same id, and for a 500 the log has the cause on a line \`a request failed\`.

A code may come with several statuses. The reason is what the sources call it.
`;

/** What is filled in, in a form that Markdown leaves alone. */
function named(text: string): string {
  return text.replaceAll("<", "&lt;").replace(/\{(\w+)\}/g, "*$1*");
}
