import { afterEach, beforeEach, expect, test } from "bun:test";
import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { FaultyFileSystem } from "../../../test/support/faulty-file-system.ts";
import { systemClock } from "../../base/clock.ts";
import { systemRandom } from "../../base/random.ts";
import type { FileStat, FileSystem } from "./file-system.ts";
import { checkFileSystem } from "./file-system-check.ts";
import { nodeFileSystem } from "./node-file-system.ts";

let folder = "";
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "berth-check-"));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

async function missingOf(files: FileSystem, syncs = true): Promise<readonly string[]> {
  const parts = { files, clock: systemClock, random: systemRandom, syncs };
  return (await checkFileSystem(folder, parts)).map(({ promise }) => promise);
}

function failing(fault: FaultyFileSystem["fault"]): FaultyFileSystem {
  return Object.assign(new FaultyFileSystem(), { fault });
}

/** The real one with something else in its place. */
function changed(change: Partial<FileSystem>): FileSystem {
  return { ...nodeFileSystem, ...change };
}

test("a local disk keeps everything, and nothing is left on it", async () => {
  expect(await missingOf(nodeFileSystem)).toEqual([]);
  expect(readdirSync(folder)).toEqual([]);
});

/** Network file systems as they are met with, each with what it breaks. */
const breaking: readonly {
  readonly promise: string;
  readonly files: () => FileSystem;
}[] = [
  {
    promise: "a name is made only once",
    files: () => changed({ openWrite: (path) => nodeFileSystem.openWrite(path, "append") }),
  },
  {
    promise: "a file is replaced at once",
    files: () => {
      let isRenaming = false;
      return changed({
        rename: async (source, target) => {
          isRenaming = target.endsWith("-old");
          await nodeFileSystem.rename(source, target);
          isRenaming = false;
        },
        statNow: (path) =>
          isRenaming && path.endsWith("-old") ? undefined : nodeFileSystem.statNow(path),
      });
    },
  },
  {
    promise: "names are synced to the disk",
    files: () => failing((operation) => (operation === "syncFolder" ? "EINVAL" : undefined)),
  },
  {
    promise: "an open file can be read after its name is gone",
    files: () =>
      failing((operation, path) =>
        operation === "read" && path.endsWith("-removed") ? "ESTALE" : undefined,
      ),
  },
  {
    promise: "a file's size is known at once",
    files: () =>
      changed({
        statNow: (path) => {
          const found = nodeFileSystem.statNow(path);
          return found && path.endsWith("-grows") ? { ...found, sizeBytes: 0 } : found;
        },
      }),
  },
  {
    promise: "upper and lower case differ in names",
    files: () => changed({ statNow: (path) => caseless(path) }),
  },
  {
    promise: "a name of 128 characters is kept whole",
    files: () =>
      failing((operation, path) =>
        operation === "openWrite" && basename(path).length >= 128 ? "ENAMETOOLONG" : undefined,
      ),
  },
  {
    promise: "a file has the time at which it was written, by this machine's clock",
    files: () =>
      changed({
        statNow: (path) => {
          const found = nodeFileSystem.statNow(path);
          return found && { ...found, modifiedAtMs: found.modifiedAtMs - 3_600_000 };
        },
      }),
  },
];

function caseless(path: string): FileStat | undefined {
  return nodeFileSystem.statNow(path.replace(/-CASE$/, "-case"));
}

for (const { promise, files } of breaking) {
  test(`that "${promise}" is missed where it does not hold, and nothing else`, async () => {
    expect(await missingOf(files())).toEqual([promise]);
    expect(readdirSync(folder)).toEqual([]);
  });
}

test("a registry that syncs nothing misses no sync", async () => {
  const files = failing((operation) => (operation === "syncFolder" ? "EINVAL" : undefined));
  expect(await missingOf(files, false)).toEqual([]);
});

for (const operation of ["openWrite", "write", "rename"] as const) {
  test(`a file system on which ${operation} is refused cannot be used`, async () => {
    const files = failing((tried) => (tried === operation ? "EPERM" : undefined));
    expect(missingOf(files)).rejects.toThrow(`writing and renaming a file in ${folder} failed`);
    for (const passing of ["ENOSPC", "EROFS", "EIO", "EMFILE"]) {
      const full = failing((tried) => (tried === operation ? passing : undefined));
      expect(await missingOf(full)).toEqual([]);
    }
  });
}
