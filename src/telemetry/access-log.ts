import { escapeControls } from "../base/control-characters.ts";
import { shorten } from "../base/shorten.ts";
import { jsonText } from "./log-format.ts";

/** One answered request. */
export interface AccessEntry {
  readonly atMs: number;
  readonly address: string;
  /** Empty for anonymous. */
  readonly user: string;
  readonly method: string;
  /** Path without the query: a query may carry what nobody should read. */
  readonly path: string;
  readonly status: number;
  readonly bytes: number;
  readonly durationMs: number;
  readonly referer: string;
  readonly userAgent: string;
  readonly requestId: string;
}

const fieldLengthMax = 512;
const months = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

let stampSecond = -1;
let stamp = "";

/** Apache's combined format, as Distribution writes it. */
export function combinedLine(entry: AccessEntry): string {
  const user = entry.user === "" ? "-" : safe(entry.user).replaceAll(" ", "+");
  return (
    `${entry.address || "-"} - ${user} [${stampOf(entry.atMs)}] ` +
    `"${entry.method} ${safe(entry.path)} HTTP/1.1" ${entry.status} ${entry.bytes} ` +
    `"${safe(bare(entry.referer))}" "${safe(entry.userAgent)}"`
  );
}

/** The same as a JSON object, with the request id. */
export function jsonLine(entry: AccessEntry): string {
  return jsonText({
    time: new Date(entry.atMs).toISOString(),
    address: entry.address,
    user: short(entry.user),
    method: entry.method,
    path: short(entry.path),
    status: entry.status,
    bytes: entry.bytes,
    duration_ms: Math.round(entry.durationMs * 1000) / 1000,
    referer: short(bare(entry.referer)),
    user_agent: short(entry.userAgent),
    request_id: entry.requestId,
  });
}

/** `21/Nov/2026:04:05:06 +0000`; formatted once a second. */
function stampOf(atMs: number): string {
  const second = Math.floor(atMs / 1000);
  if (second !== stampSecond) {
    const date = new Date(second * 1000);
    const two = (value: number): string => String(value).padStart(2, "0");
    const day = `${two(date.getUTCDate())}/${months[date.getUTCMonth()]}/${date.getUTCFullYear()}`;
    const time = `${two(date.getUTCHours())}:${two(date.getUTCMinutes())}:${two(date.getUTCSeconds())}`;
    stampSecond = second;
    stamp = `${day}:${time} +0000`;
  }
  return stamp;
}

/** Most fields need no work: this asks once, and rewrites only what does. */
// oxlint-disable-next-line no-control-regex -- control characters are what must not get out
const needsCare = /["\\\u0000-\u001f\u007f-\u009f\u2028\u2029]/;

function safe(text: string): string {
  const field = short(text);
  if (!needsCare.test(field)) return field;
  return escapeControls(field.replaceAll("\\", "\\\\").replaceAll('"', '\\"'));
}

function short(text: string): string {
  return shorten(text, fieldLengthMax);
}

/** `url` without user, password, query and fragment: like a path without its query. */
function bare(url: string): string {
  if (url === "") return url;
  return url.replace(/^((?:[a-z][a-z0-9+.-]*:)?\/\/)[^/]*@/i, "$1").replace(/[?#][^]*$/, "");
}
