import { afterEach, beforeEach, expect, test } from "bun:test";
import { existsSync, mkdtempSync, rmSync, utimesSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Clock } from "../../base/clock.ts";
import { systemRandom } from "../../base/random.ts";
import { FilesystemStore } from "./filesystem.ts";
import { nodeFileSystem } from "./node-file-system.ts";

/* What the filesystem driver does beyond the suite of all drivers: it shares its folder. */
const nowMs = Date.UTC(2026, 0, 1);
const clock: Clock = { nowMs: () => nowMs, monotonicMs: () => 0 };
const minuteMs = 60_000;

let rootFolder = "";
beforeEach(() => {
  rootFolder = mkdtempSync(join(tmpdir(), "berth-filesystem-"));
});
afterEach(() => rmSync(rootFolder, { recursive: true, force: true }));

test("opening a folder that a server writes to leaves the server's temporary files alone", async () => {
  await open();
  const young = writeTemporary("young", nowMs - minuteMs);
  const future = writeTemporary("future", nowMs + minuteMs);
  await open();
  expect(existsSync(young)).toBe(true);
  expect(existsSync(future)).toBe(true);
});

test("what a crash left in the temporary folder goes at a later start", async () => {
  await open();
  const old = writeTemporary("old", nowMs - 61 * minuteMs);
  await open();
  expect(existsSync(old)).toBe(false);
});

function open(): Promise<FilesystemStore> {
  const parts = { fileSystem: nodeFileSystem, clock, random: systemRandom };
  return FilesystemStore.open({ rootFolder, durability: "none", ...parts });
}

function writeTemporary(name: string, modifiedAtMs: number): string {
  const path = join(rootFolder, "berth/tmp", name);
  writeFileSync(path, "on its way");
  utimesSync(path, modifiedAtMs / 1000, modifiedAtMs / 1000);
  return path;
}
