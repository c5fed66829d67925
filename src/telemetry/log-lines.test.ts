import { describe, expect, test } from "bun:test";
import type { Clock } from "../base/clock.ts";
import { type AccessEntry, combinedLine, jsonLine } from "./access-log.ts";
import { logFormats } from "./log-format.ts";
import { createLogger } from "./logger.ts";

const atMs = Date.UTC(2026, 10, 21, 4, 5, 6);
const clock: Clock = { nowMs: () => atMs, monotonicMs: () => 0 };

const entry: AccessEntry = {
  atMs,
  address: "192.0.2.7",
  user: "",
  method: "GET",
  path: "/v2/team/app/tags/list",
  status: 200,
  bytes: 38,
  durationMs: 1.23456,
  referer: "",
  userAgent: "docker/28",
  requestId: "a-b",
};

/** What somebody sends who wants to write lines of their own, or to move a terminal's cursor. */
const hostile = 'x"\n{"level":"error"}\r\u001b[2J\u2028\u0085 ü \\';

function linesOf(level: "warn" | "debug", format: keyof typeof logFormats): string[] {
  const lines: string[] = [];
  const logger = createLogger({
    level,
    format: logFormats[format],
    fields: { service: "berth" },
    clock,
    write: (line) => lines.push(line),
  });
  logger.warn(hostile, { value: hostile, count: 2 });
  logger.child({ part: "gc" }).debug("quiet");
  return lines;
}

// oxlint-disable-next-line no-control-regex -- control characters are what must not get out
const control = /[\u0000-\u001f\u007f-\u009f\u2028\u2029]/;

describe("a log entry is one line without control characters", () => {
  test("as text", () => {
    const [line = ""] = linesOf("warn", "text");
    expect(line).toStartWith('time="2026-11-21T04:05:06.000Z" level=warn msg="x\\"');
    expect(line).toContain("service=berth");
    expect(line).not.toMatch(control);
  });

  test.each(["json", "logstash"] as const)("as %s, and what was said comes back", (format) => {
    const [line = ""] = linesOf("warn", format);
    const parsed: Record<string, unknown> = JSON.parse(line);
    expect(parsed).toMatchObject({ value: hostile, count: 2, service: "berth", level: "warn" });
    expect(line).not.toMatch(control);
  });

  test("also where a field of the configuration has a strange name, or one that is taken", () => {
    const lines: string[] = [];
    const write = (line: string): void => void lines.push(line);
    const fields = { "a\nb": "c", level: "forged", "@timestamp": "forged" };
    for (const format of Object.values(logFormats)) {
      createLogger({ level: "info", format, fields, clock, write }).warn("said");
    }
    const [text = "", json = "", logstash = ""] = lines;
    expect(text).toEndWith(' msg=said "a\\nb"=c level=forged @timestamp=forged');
    expect(JSON.parse(json)).toMatchObject({ level: "warn", msg: "said" });
    const time = "2026-11-21T04:05:06.000Z";
    expect(JSON.parse(logstash)).toMatchObject({
      level: "warn",
      message: "said",
      "@timestamp": time,
    });
  });

  test("and none below the level is written", () => {
    expect(linesOf("warn", "text")).toHaveLength(1);
    expect(linesOf("debug", "text")[1]).toContain("part=gc");
  });

  test("an error comes with its causes", () => {
    const lines: string[] = [];
    const write = (line: string): void => void lines.push(line);
    const options = { level: "info", format: logFormats.json, fields: {}, clock, write } as const;
    const error = new Error("outer", { cause: new Error("inner") });
    createLogger(options).error("failed", { error });
    expect(lines[0]).toContain("outer");
    expect(lines[0]).toContain("caused by: Error: inner");
  });
});

describe("the access log", () => {
  test("is Apache's combined format", () => {
    expect(combinedLine(entry)).toBe(
      '192.0.2.7 - - [21/Nov/2026:04:05:06 +0000] "GET /v2/team/app/tags/list HTTP/1.1" 200 38 "" "docker/28"',
    );
  });

  test("is one line of JSON", () => {
    expect(JSON.parse(jsonLine({ ...entry, user: "alice" }))).toMatchObject({
      user: "alice",
      duration_ms: 1.235,
      request_id: "a-b",
    });
  });

  test.each([combinedLine, jsonLine])("has nothing secret of the page that led here", (format) => {
    const line = format({
      ...entry,
      referer: "https://u:hunter2@ui.example/a?token=hunter2#hunter2",
    });
    expect(line).toContain('"https://ui.example/a"');
    expect(line).not.toContain("hunter2");
  });

  test.each([combinedLine, jsonLine])("shortens what clients send", (format) => {
    const long = "x".repeat(9_000);
    const all = { path: long, user: long, referer: long, userAgent: long };
    expect(format({ ...entry, ...all }).length).toBeLessThan(4 * 512 + 300);
  });

  test.each([combinedLine, jsonLine])("does not cut a character into halves", (format) => {
    const line = format({ ...entry, path: `${"x".repeat(511)}\u{1f600}` });
    // A half is `\ud83d` in JSON, which strict readers refuse with the whole line.
    expect(line).toContain("x…");
  });

  test.each([combinedLine, jsonLine])("lets nobody write lines of their own", (format) => {
    const line = format({ ...entry, path: hostile, userAgent: hostile, user: hostile });
    expect(line).not.toMatch(control);
    expect(line.split("\n")).toHaveLength(1);
  });
});
