/** How commands write what people read. */

import type { Actor } from "../../registry/actor.ts";

/** Names that one answer lists; the rest is counted. */
export const listedMax = 100;
/** Names after which whoever waits hears how many there were so far. */
export const countedEvery = 1_000;

/** `12.3 MB`; decimal units, as disks and docker count. */
export function sizeText(bytes: number): string {
  const units = ["B", "kB", "MB", "GB", "TB"];
  let value = bytes;
  let unit = 0;
  while (value >= 1_000 && unit < units.length - 1) {
    value /= 1_000;
    unit += 1;
  }
  return unit === 0 ? `${bytes} B` : `${value.toFixed(1)} ${units[unit] ?? ""}`;
}

/** `2026-11-21 10:15:00Z`: in UTC, to the second. */
export function timeText(ms: number): string {
  return new Date(ms)
    .toISOString()
    .replace("T", " ")
    .replace(/\.\d+Z$/, "Z");
}

/** `1 blob`, `2 blobs`. */
export function countText(count: number, noun: string): string {
  const plural = noun.endsWith("y") ? `${noun.slice(0, -1)}ies` : `${noun}s`;
  return `${count} ${count === 1 ? noun : plural}`;
}

/** Who and from where, as far as it is known. */
export function actorText({ name, address, client }: Actor): string {
  // A rule or a command of the registry itself came from nowhere.
  if (name === undefined && address === undefined && client !== undefined) return `by ${client}`;
  const where = address === undefined ? "" : ` from ${address}`;
  const how = client === undefined ? "" : ` with ${client}`;
  return `by ${name ?? "anonymous"}${where}${how}`;
}

/** `team/app:v1`, or `team/app@sha256:…` for a manifest. */
export function nameText(of: {
  readonly name: string;
  readonly tag?: string | undefined;
  readonly digest?: string | undefined;
}): string {
  if (of.tag !== undefined) return `${of.name}:${of.tag}`;
  return of.digest === undefined ? of.name : `${of.name}@${of.digest}`;
}
