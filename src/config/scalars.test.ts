import { describe, expect, test } from "bun:test";
import * as fc from "fast-check";
import {
  formatBytes,
  formatDuration,
  parseBool,
  parseBytes,
  parseDurationMs,
  parseInteger,
} from "./scalars.ts";

describe("durations are Go's", () => {
  test.each([
    ["10s", 10_000],
    ["168h", 604_800_000],
    ["5m", 300_000],
    ["1h30m", 5_400_000],
    ["1.5s", 1_500],
    [".5s", 500],
    ["250ms", 250],
    ["1000us", 1],
    ["1000µs", 1],
    ["1000000ns", 1],
    ["0", 0],
    ["0s", 0],
    ["+2s", 2_000],
  ])("%s", (text, durationMs) => {
    expect(parseDurationMs(text)).toBe(durationMs);
  });

  test.each([
    "",
    "10",
    "10 s",
    "s",
    "1d",
    "-5s",
    "1h 30m",
    "1e3s",
    "ten",
    "1..5s",
    "999999999999h",
  ])("%j is none", (text) => {
    expect(parseDurationMs(text)).toBeUndefined();
  });

  test("what is formatted means the same", () => {
    fc.assert(
      fc.property(fc.nat(10_000_000_000), (durationMs) => {
        expect(parseDurationMs(formatDuration(durationMs))).toBe(durationMs);
      }),
    );
  });
});

describe("sizes", () => {
  test.each([
    ["4194304", 4_194_304],
    ["4MiB", 4_194_304],
    ["8KiB", 8_192],
    ["8k", 8_192],
    ["10MB", 10_000_000],
    ["1 GiB", 1_073_741_824],
  ])("%s", (text, sizeBytes) => {
    expect(parseBytes(text)).toBe(sizeBytes);
  });

  test.each(["", "-1", "4 miles", "4.5MiB", "999999999999999GiB"])("%j is none", (text) => {
    expect(parseBytes(text)).toBeUndefined();
  });

  test("what is formatted means the same", () => {
    fc.assert(
      fc.property(fc.nat(), (sizeBytes) => {
        expect(parseBytes(formatBytes(sizeBytes))).toBe(sizeBytes);
      }),
    );
  });
});

test("true and false have the words of YAML 1.1", () => {
  expect(["true", "True", "yes", "on", "Y"].map(parseBool)).toEqual(Array(5).fill(true));
  expect(["false", "FALSE", "no", "off", "n"].map(parseBool)).toEqual(Array(5).fill(false));
  expect(["1", "0", "", "truth"].map(parseBool)).toEqual(Array(4).fill(undefined));
});

test("numbers are whole and decimal", () => {
  expect(["7", "-7", "+7", "007"].map(parseInteger)).toEqual([7, -7, 7, 7]);
  expect(["", "1.0", "1e3", "0x10", "9".repeat(16)].map(parseInteger)).toEqual(
    Array(5).fill(undefined),
  );
});
