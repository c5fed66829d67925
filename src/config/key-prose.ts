import type { Key } from "./key.ts";
import { formatBytes, formatDuration } from "./scalars.ts";

/** What the documents say of a key: its sentences, and which numbers it takes. */
export function proseOf(key: Key): string {
  const limits = limitsOf(key);
  return limits === undefined ? key.prose : `${key.prose} ${limits}`;
}

/** Undefined where every number from 0 on will do. */
function limitsOf(key: Key): string | undefined {
  const min = key.min === undefined || key.min === 0 ? undefined : valueText(key, key.min);
  const max = key.max === undefined ? undefined : valueText(key, key.max);
  if (min !== undefined && max !== undefined) return `From ${min} to ${max}.`;
  if (min !== undefined) return `At least ${min}.`;
  return max === undefined ? undefined : `At most ${max}.`;
}

function valueText({ type }: Key, value: number): string {
  if (type === "duration") return `\`${formatDuration(value)}\``;
  return type === "bytes" ? `\`${formatBytes(value)}\`` : value.toLocaleString("en-US");
}
