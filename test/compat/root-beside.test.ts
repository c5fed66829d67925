/** What root does in the folder of the registry's user stays that user's to write to. */
import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { chownSync, lstatSync, mkdirSync, mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { systemClock } from "../../src/base/clock.ts";
import { silentLogger } from "../../src/base/logger.ts";
import { newCounts } from "../../src/server/backup/copy-repository.ts";
import { restoreBackup } from "../../src/server/backup/restore.ts";
import { holdRoot } from "../../src/server/root-owner.ts";
import { configOf, openFolder, pushImage, runOn } from "./commanded-registry.ts";

const userId = 64_532;

let folder = "";
let root = "";
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "berth-root-beside-"));
  root = join(folder, "registry");
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

/** Paths below `root` that do not belong to its user. */
function foreignPaths(): readonly string[] {
  const paths = readdirSync(root, { recursive: true, encoding: "utf8" });
  expect(paths.length).toBeGreaterThan(10);
  return paths.filter((path) => lstatSync(join(root, path)).uid !== userId);
}

/** As the commands do without a server. */
async function work(on: (opened: Awaited<ReturnType<typeof openFolder>>) => Promise<void>) {
  const held = holdRoot(root, { clock: systemClock, logger: silentLogger });
  held.announce("http://localhost:5000");
  const opened = await openFolder(root);
  try {
    await on(opened);
    return foreignPaths();
  } finally {
    await opened.close();
    held.release();
  }
}

describe.skipIf(process.geteuid?.() !== 0)("root, where the registry has a user of its own", () => {
  test("pushes, deletes and restores what that user can push, delete and restore", async () => {
    mkdirSync(root);
    chownSync(root, userId, userId);
    const foreign = await work(async (opened) => {
      await pushImage(opened, { repository: "team/app", tag: "v1", layer: "layer" });
      const config = configOf(root);
      const targets = ["team/app"];
      const removed = await runOn(opened, config, { name: "rm", values: { targets } });
      expect(removed.exit).toBe(0);
      for (const name of ["gc run", "fsck"]) {
        expect((await runOn(opened, config, { name })).exit).toBe(0);
      }
      const restored = await runOn(opened, config, {
        name: "restore",
        values: { name: "team/app" },
      });
      expect(restored.exit).toBe(0);
    });
    expect(foreign).toEqual([]);
  });

  test("brings a backup back for that user", async () => {
    mkdirSync(root);
    await work(async (opened) => {
      await pushImage(opened, { repository: "team/app", tag: "v1", layer: "layer" });
      const values = { folder: join(folder, "backup"), fullCopy: true };
      expect((await runOn(opened, configOf(root), { name: "backup", values })).exit).toBe(0);
    });
    rmSync(root, { recursive: true });
    mkdirSync(root);
    chownSync(root, userId, userId);
    await restoreBackup(configOf(root), {
      ...{ folder: join(folder, "backup"), counts: newCounts() },
      allowsIncomplete: false,
      signal: new AbortController().signal,
      print: () => undefined,
    });
    expect(foreignPaths()).toEqual([]);
  });
});
