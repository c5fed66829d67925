import { replaceControls } from "../base/control-characters.ts";
import type { ConfigValue, Decoded } from "./decode.ts";
import type { Key } from "./key.ts";
import type { LoadedConfig } from "./load.ts";
import { hideUrlSecrets } from "./quote.ts";
import { describeOrigin } from "./raw.ts";
import { formatBytes, formatDuration } from "./scalars.ts";
import { keyOf, keys } from "./schema.ts";

/**
 * Every value that counts, one a line, `key: value  # origin`, ordered by key. Secrets are hidden,
 * in values that are secret and in URLs.
 */
export function redactedLines(loaded: LoadedConfig, fileName?: string): string[] {
  const lines: string[] = [];
  for (const [path, decoded] of [...loaded.values].sort(([a], [b]) => (a < b ? -1 : 1))) {
    if (isSettled(path)) continue;
    const shown = `${path}: ${redacted(path, decoded)}`;
    lines.push(replaceControls(`${shown}  # ${describeOrigin(decoded.origin, fileName)}`));
  }
  return lines;
}

/** True for an old name whose value is shown under the new one. */
function isSettled(path: string): boolean {
  return tableKey(path).standing === "accepted";
}

function redacted(path: string, { value }: Decoded): string {
  const key = tableKey(path);
  if (key.isSecret === true) return "(hidden)";
  if (typeof value === "number" && key.type === "duration") return formatDuration(value);
  if (typeof value === "number" && key.type === "bytes") return formatBytes(value);
  return formatValue(value);
}

function formatValue(value: ConfigValue): string {
  if (typeof value === "object") return `[${value.map(formatText).join(", ")}]`;
  return typeof value === "string" ? formatText(value) : String(value);
}

/** As YAML would read it back: in quotes unless it is a plain word. */
function formatText(text: string): string {
  const safe = hideUrlSecrets(text);
  return /^[A-Za-z/.][\w/.-]*$/.test(safe) ? safe : JSON.stringify(safe);
}

const dictionaries = keys.flatMap(({ path }) =>
  path.endsWith("<name>") ? [path.slice(0, -"<name>".length)] : [],
);

/** The row of a concrete path, the name of a dictionary and the index of a list taken out. */
function tableKey(path: string): Key {
  const general = path.replace(/\[\d+\]/, "[]");
  const dictionary = dictionaries.find((prefix) => general.startsWith(prefix));
  return keyOf(dictionary === undefined ? general : `${dictionary}<name>`);
}
