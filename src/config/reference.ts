import { unreachable } from "../base/assert.ts";
import type { Key, Section } from "./key.ts";
import { proseOf } from "./key-prose.ts";
import { environmentNameOf, keys, sections } from "./schema.ts";

/** `docs/reference/config.md`, rendered from the table. */
export function renderReference(): string {
  const used = keys.filter(isUsed);
  return [
    introduction,
    ...groupsOf(used).map(([name, group]) => renderGroup(name, group)),
    renderOthers("accepted", acceptedText),
    renderOthers("refused", refusedText),
  ].join("\n");
}

const introduction = `# Configuration

<!-- Rendered from src/config/keys by \`npm run docs\`; edit it there. -->

Berth reads the \`config.yml\` of Distribution (\`registry:2\`, \`registry:3\`), format 0.1, and the
same \`REGISTRY_*\` variables. \`berth config check FILE\` says what is wrong with a file, all of it
and with line and column; \`berth config show FILE\` shows every value and where it comes from.
Without a file Berth listens on \`:5000\`, keeps its data in \`./data\`, allows deleting and asks
nobody for a password. [config.example.yml](../../config/config.example.yml) has every key.

A key that is not in these tables stops the start. A key that Berth does not need is accepted, with
whatever stands below it, and one line at the start says why nothing is lost. A key for something
that Berth cannot do stops the start, unless it is switched off or empty.

## Environment

A variable is called \`REGISTRY_\` and the path of its key in upper case, with \`_\` between the
levels; the tables give the names, because a few differ from the keys. The value is YAML:
\`REGISTRY_HTTP_HEADERS_Access-Control-Allow-Origin='["*"]'\` (with \`docker run -e\` or \`env\`: a shell
itself takes no \`-\` in a name). Variables are applied in the
alphabetical order of their names, so \`REGISTRY_STORAGE=inmemory\` first replaces everything below
\`storage\`, and \`REGISTRY_STORAGE_DELETE_ENABLED=true\` then adds to it. An item of a list is set by
its index, and appended by the index that comes next: \`REGISTRY_HEALTH_FILECHECKERS_0_FILE\`; a whole
list is set as \`REGISTRY_HTTP_TLS_CLIENTCAS='[a.pem, b.pem]'\`. An empty value means the default. A
variable that names no key is ignored with a warning, because others call variables so too:
Kubernetes sets \`REGISTRY_PORT\` for a service that is called \`registry\`. Only one that begins with
\`REGISTRY_AUTH_\` stops the start, where without it nobody would be asked for a password.

## Values

A duration is a number with its unit: \`60s\`, \`5m\`, \`168h\`, \`1h30m\`. A bare number is refused;
Distribution reads it as nanoseconds. A size is a number of bytes, or one with a unit: \`8KiB\`,
\`4MiB\`, \`10MB\`. A list takes a single value too.
`;

const acceptedText = `## Accepted and not needed

These keys may be set. Berth does the same without them.
`;

const refusedText = `## Refused

These keys stop the start, unless what they ask for is switched off or empty.
`;

function isUsed(key: Key): boolean {
  return key.standing === undefined && key.isMember === undefined;
}

/** In this order in the documents; a group is what the first part of a path names. */
const groupNames = [
  "version",
  "storage",
  "gc",
  "trash",
  "auth",
  "http",
  "log",
  "health",
  "catalog",
  "tags",
  "validation",
  "retention",
  "immutabletags",
  "metadata",
  "scrub",
  "database",
] as const;

export function groupsOf(used: readonly Key[]): [string, Key[]][] {
  return groupNames.map((name) => [name, used.filter((key) => isOfGroup(key.path, name))]);
}

function isOfGroup(path: string, name: string): boolean {
  return path === name || path.startsWith(`${name}.`) || path.startsWith(`${name}[]`);
}

function renderGroup(name: string, group: readonly Key[]): string {
  const own = sections.filter(
    (section) => section.standing === undefined && isOfGroup(section.path, name) && isSaid(section),
  );
  const head = own.find((section) => section.path === name);
  const below = own.filter((section) => section.path !== name);
  return [
    `## \`${name}\`\n`,
    ...(head === undefined ? [] : [`${head.prose}\n`]),
    ...(below.length === 0 ? [] : [`${below.map(renderSection).join("\n")}\n`]),
    table(["Key", "Environment", "Type", "Default", "Meaning"], group.map(renderKey)),
  ].join("\n");
}

/** False for a section all of whose keys stand in the tables at the end. */
function isSaid(section: Section): boolean {
  const below = keys.filter((key) => key.path.startsWith(`${section.path}.`));
  return below.length === 0 || below.some(isUsed);
}

function renderSection(section: Section): string {
  return `- \`${section.path}\`: ${section.prose}`;
}

function renderKey(key: Key): string[] {
  const fallback = key.default === undefined ? "–" : `\`${key.default}\``;
  return [
    `\`${key.path}\``,
    key.path === "version" ? "–" : `\`${environmentNameOf(key.path)}\``,
    typeOf(key),
    key.defaultProse ?? fallback,
    proseOf(key),
  ];
}

function typeOf(key: Key): string {
  const values = (key.values ?? []).map((value) => `\`${value}\``).join(", ");
  switch (key.type) {
    case "choice":
      return values;
    case "choices":
      return `list of ${values}`;
    case "texts":
      return "list of texts";
    case "bool":
      return "`true` or `false`";
    case "int":
      return "number";
    case "bytes":
      return "size";
    case "duration":
    case "text":
    case "unchecked":
      return key.type;
    default:
      return unreachable(key.type);
  }
}

function renderOthers(standing: "accepted" | "refused", text: string): string {
  const rows = [...sections, ...keys]
    .filter((row) => row.standing === standing)
    .map((row) => [`\`${row.path}\`${membersOf(row)}`, sentence(row.why ?? "")]);
  return [text, table(["Key", "Why"], rows)].join("\n");
}

function membersOf(row: Key | Section): string {
  if (!("members" in row) || row.members === undefined) return "";
  return `: ${row.members.map((name) => `\`${name}\``).join(", ")}`;
}

function sentence(text: string): string {
  return text.slice(0, 1).toUpperCase() + text.slice(1);
}

function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]): string =>
    `| ${cells.map((cell) => cell.replaceAll("|", "\\|")).join(" | ")} |`;
  return [line(head), line(head.map(() => "---")), ...rows.map(line), ""].join("\n");
}
