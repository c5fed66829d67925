import { escapeControls } from "../base/control-characters.ts";
import type { LogFields } from "../base/logger.ts";
import { shorten } from "../base/shorten.ts";

export type LogLevel = "error" | "warn" | "info" | "debug";

export interface LogEntry {
  readonly atMs: number;
  readonly level: LogLevel;
  readonly message: string;
  readonly fields: LogFields;
}

export type LogFormat = (entry: LogEntry) => string;

/** What a value may take in a line; a stack is worth more than a header. */
const valueLengthMax = 2048;
const stackLengthMax = 8192;

/** Distribution's `text`, `json` and `logstash`: people's log pipelines are made for these. */
export const logFormats: Readonly<Record<"text" | "json" | "logstash", LogFormat>> = {
  text: ({ atMs, level, message, fields }) => {
    const pairs = Object.entries(fields).map(
      ([key, value]) => `${quoted(key)}=${quoted(textOf(value))}`,
    );
    const time = new Date(atMs).toISOString();
    return [`time="${time}" level=${level} msg=${quoted(message)}`, ...pairs].join(" ");
  },
  json: ({ atMs, level, message, fields }) =>
    jsonText({ ...plain(fields), level, msg: message, time: new Date(atMs).toISOString() }),
  logstash: ({ atMs, level, message, fields }) =>
    jsonText({
      type: "berth",
      ...plain(fields),
      "@timestamp": new Date(atMs).toISOString(),
      "@version": "1",
      level,
      message,
    }),
};

function plain(fields: LogFields): Readonly<Record<string, unknown>> {
  return Object.fromEntries(
    Object.entries(fields).map(([key, value]) => [
      key,
      typeof value === "number" || typeof value === "boolean" ? value : textOf(value),
    ]),
  );
}

/** A value as text of a limited length; an error with its causes, and with its stack. */
function textOf(value: unknown): string {
  if (value instanceof Error) return shorten(errorText(value), stackLengthMax);
  const text = typeof value === "string" ? value : (JSON.stringify(value) ?? String(value));
  return shorten(text, valueLengthMax);
}

function errorText(error: Error): string {
  const own = error.stack ?? `${error.name}: ${error.message}`;
  return error.cause instanceof Error ? `${own}\ncaused by: ${errorText(error.cause)}` : own;
}

/** In quotes where a space or a control character asks for it: one entry is always one line. */
function quoted(text: string): string {
  return /^[\w./:@+-]+$/.test(text) ? text : escapeControls(JSON.stringify(text));
}

/**
 * JSON on one line, in which a terminal finds nothing to obey: `JSON.stringify` leaves some control
 * characters as they are. Strings keep their meaning.
 */
export function jsonText(value: Readonly<Record<string, unknown>>): string {
  return escapeControls(JSON.stringify(value));
}
