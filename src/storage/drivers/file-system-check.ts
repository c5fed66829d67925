import type { Clock } from "../../base/clock.ts";
import { codeOf, messageOf } from "../../base/errors.ts";
import type { Random } from "../../base/random.ts";
import type { FileSystem } from "./file-system.ts";

/** Something that the store relies on and that this file system does not do. */
export interface MissingPromise {
  readonly promise: string;
  /** What it costs the registry, as a sentence for its operator. */
  readonly meaning: string;
}

interface Bench {
  readonly files: FileSystem;
  /** Where the check may write. */
  readonly folder: string;
  /** Begins the names of all its files, which nobody else uses. */
  readonly prefix: string;
  readonly path: (name: string) => string;
  readonly clock: Clock;
}

interface Promised extends MissingPromise {
  /** True when the file system keeps it. May throw, which says that it does not. */
  readonly isKept: (bench: Bench) => Promise<boolean>;
}

/** The longest name that the layout has: the hexadecimal part of a sha512. */
const longestNameLength = 128;

/** How often a reader looks while a file is renamed over another. */
const looksDuringRename = 16;

/** How far a file server's clock may be off before ages that are read from its files are wrong. */
const clockDifferenceMsMax = 60_000;

/**
 * The disk is full, read-only or failing, or the process is short of something: a state, which
 * the health check reports, and not a property. A full registry has to start all the same.
 */
const passingCodes: ReadonlySet<string> = new Set([
  ...["ENOSPC", "EDQUOT", "EROFS", "EIO"],
  ...["EMFILE", "ENFILE", "ENOMEM"],
]);

const syncsNames = "names are synced to the disk";

const promised: readonly Promised[] = [
  {
    promise: "a name is made only once",
    meaning: "two requests at once could write the same file: put the registry on a local disk",
    isKept: async ({ files, path }) => {
      await writeNew(files, path("once"), "first");
      return (await codeThrownBy(() => writeNew(files, path("once"), "second"))) === "EEXIST";
    },
  },
  {
    promise: "a file is replaced at once",
    meaning: "a pull during a push could find no tag where there is one, or half of it",
    isKept: isReplacedAtOnce,
  },
  {
    promise: syncsNames,
    meaning: "a power cut can lose what was pushed, although it was answered with 201",
    isKept: async ({ files, folder }) => {
      await files.syncFolder(folder);
      return true;
    },
  },
  {
    promise: "an open file can be read after its name is gone",
    meaning: "a pull breaks off when its blob or tag is replaced or deleted meanwhile",
    isKept: isReadableWhenNameless,
  },
  {
    promise: "a file's size is known at once",
    meaning: "an upload in several chunks can be refused, or go on at the wrong place",
    isKept: isSizeSeen,
  },
  {
    promise: "upper and lower case differ in names",
    meaning: "tags that differ only in case, such as v1 and V1, are one tag here",
    isKept: async ({ files, path }) => {
      await writeNew(files, path("case"), "lower");
      return files.statNow(path("CASE")) === undefined;
    },
  },
  {
    promise: "a name of 128 characters is kept whole",
    meaning: "blobs and manifests with a sha512 digest cannot be stored",
    isKept: async ({ files, folder, prefix }) => {
      const name = prefix.padEnd(longestNameLength, "0123456789abcdef");
      await writeNew(files, `${folder}/${name}`, "long");
      return (await files.readFolder(folder))?.some((entry) => entry.name === name) === true;
    },
  },
  {
    promise: "a file has the time at which it was written, by this machine's clock",
    meaning: "unfinished uploads are purged too early or never: set the clocks of both machines",
    isKept: async ({ files, path, clock }) => {
      await writeNew(files, path("time"), "now");
      const modifiedAtMs = files.statNow(path("time"))?.modifiedAtMs ?? 0;
      return Math.abs(clock.nowMs() - modifiedAtMs) < clockDifferenceMsMax;
    },
  },
];

/**
 * Tries in `folder`, which exists, what the filesystem driver relies on, and returns what does
 * not hold: what a file system does counts, not its name. Takes a few milliseconds on a local
 * disk and leaves nothing behind. A registry that syncs nothing does not need that names can be.
 *
 * @throws {Error} when it cannot even write and rename a file.
 */
export async function checkFileSystem(
  folder: string,
  parts: {
    readonly files: FileSystem;
    readonly random: Random;
    readonly clock: Clock;
    readonly syncs: boolean;
  },
): Promise<readonly MissingPromise[]> {
  const { files, clock } = parts;
  // No folder of its own: a file that a crash leaves behind goes at a later start.
  const prefix = `check-${parts.random.uuid()}-`;
  const bench: Bench = {
    files,
    folder,
    prefix,
    clock,
    path: (name) => `${folder}/${prefix}${name}`,
  };
  try {
    await writesAndRenames(bench);
    const tried = promised.filter(({ promise }) => parts.syncs || promise !== syncsNames);
    // At once: most of their time is spent on the way to another thread and back.
    const kept = await Promise.all(tried.map(({ isKept }) => tries(() => isKept(bench))));
    return tried
      .filter((_, index) => kept[index] === false)
      .map(({ promise, meaning }) => ({ promise, meaning }));
  } finally {
    await clear(bench);
  }
}

/** What fails when it is tried is not promised, unless the failure is one that passes. */
async function tries(isKept: () => Promise<boolean>): Promise<boolean> {
  try {
    return await isKept();
  } catch (error) {
    return passingCodes.has(codeOf(error));
  }
}

async function writesAndRenames({ files, folder, path }: Bench): Promise<void> {
  try {
    await writeNew(files, path("written"), "bytes");
    await files.rename(path("written"), path("renamed"));
    if ((await readText(files, path("renamed"))) !== "bytes") throw new Error("other bytes came");
    if (files.statNow(path("written")) !== undefined) throw new Error("the old name stayed");
  } catch (cause) {
    if (passingCodes.has(codeOf(cause))) return;
    const failure = `the storage cannot be used: writing and renaming a file in ${folder} failed`;
    throw new Error(`${failure}: ${messageOf(cause)}`, { cause });
  }
}

async function isReplacedAtOnce({ files, path }: Bench): Promise<boolean> {
  await writeNew(files, path("old"), "old");
  await writeNew(files, path("new"), "new");
  // Looked at from here while another thread renames.
  const renaming = files.rename(path("new"), path("old"));
  let wasThere = true;
  for (let look = 0; look < looksDuringRename; look += 1) {
    wasThere &&= files.statNow(path("old")) !== undefined;
  }
  await renaming;
  return wasThere && (await readText(files, path("old"))) === "new";
}

async function isReadableWhenNameless({ files, path }: Bench): Promise<boolean> {
  let isReadable = true;
  for (const way of ["replaced", "removed"] as const) {
    await writeNew(files, path(way), "open");
    const file = await files.openRead(path(way));
    if (file === undefined) return false;
    try {
      if (way === "removed") {
        await files.unlink(path(way));
      } else {
        await writeNew(files, path("next"), "other");
        await files.rename(path("next"), path(way));
      }
      const buffer = new Uint8Array(8);
      const count = await file.read(buffer, 0);
      isReadable &&= new TextDecoder().decode(buffer.subarray(0, count)) === "open";
    } finally {
      await file.close();
    }
  }
  return isReadable;
}

/** Also by the next one who opens the file, while it is still open here. */
async function isSizeSeen({ files, path }: Bench): Promise<boolean> {
  const file = await files.openWrite(path("grows"), "append");
  try {
    await file.write([encoded("abc")], 0);
    if (files.statNow(path("grows"))?.sizeBytes !== 3) return false;
    await file.write([encoded("def")], 3);
    if ((await files.stat(path("grows")))?.sizeBytes !== 6) return false;
    await file.truncate(2);
    return (await readText(files, path("grows"))) === "ab";
  } finally {
    await file.close();
  }
}

async function writeNew(files: FileSystem, path: string, text: string): Promise<void> {
  const file = await files.openWrite(path, "create");
  try {
    await file.write([encoded(text)], 0);
  } finally {
    await file.close();
  }
}

async function readText(files: FileSystem, path: string): Promise<string | undefined> {
  const file = await files.openRead(path);
  if (file === undefined) return undefined;
  try {
    const buffer = new Uint8Array(16);
    return new TextDecoder().decode(buffer.subarray(0, await file.read(buffer, 0)));
  } finally {
    await file.close();
  }
}

function encoded(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}

async function codeThrownBy(work: () => Promise<void>): Promise<string> {
  try {
    await work();
    return "";
  } catch (error) {
    return codeOf(error);
  }
}

/** What cannot be removed now is taken with the other left-overs by a later start. */
async function clear({ files, folder, prefix }: Bench): Promise<void> {
  try {
    for (const { name } of (await files.readFolder(folder)) ?? []) {
      if (name.startsWith(prefix)) await files.unlink(`${folder}/${name}`);
    }
  } catch {
    // The disk has just said what is wrong with it; litter is the least of it.
  }
}
