import { expect, test } from "bun:test";
import { systemClock } from "../base/clock.ts";
import { systemRandom } from "../base/random.ts";
import { recordingLogger } from "../base/test-support.ts";
import { type FileSystemKind, nodeFileSystem } from "../storage/drivers/node-file-system.ts";
import { reportFileSystem } from "./file-system-report.ts";
import { testFolder } from "./test-support.ts";

async function linesOf(kind: FileSystemKind | undefined, isCaseless = false): Promise<string[]> {
  using folder = testFolder();
  const logger = recordingLogger();
  await reportFileSystem({
    folder: folder.path,
    durability: "full",
    clock: systemClock,
    random: systemRandom,
    logger,
    kindOf: () => kind,
    files: isCaseless
      ? {
          ...nodeFileSystem,
          statNow: (path) => nodeFileSystem.statNow(path.replace(/-CASE$/, "-case")),
        }
      : nodeFileSystem,
  });
  return logger.lines.map(({ level, message }) => `${level} ${message}`);
}

test("a local disk that keeps its promises is not spoken of", async () => {
  expect(await linesOf(undefined)).toEqual([]);
});

test("a missing promise is one line that says what it means", async () => {
  expect(await linesOf(undefined, true)).toEqual([
    "warn the storage's file system does not keep a promise: upper and lower case differ in names; " +
      "tags that differ only in case, such as v1 and V1, are one tag here",
  ]);
});

const kinds: Readonly<Record<FileSystemKind, string>> = {
  nfs: "keep the databases on a local disk",
  smb: "keep the databases on a local disk",
  fuse: "up to the program behind it",
  overlay: "mount a volume",
  tmpfs: "what is pushed is gone after a restart of the machine",
};

test("a kind of file system that a registry should not be on is named", async () => {
  for (const kind of ["nfs", "smb", "fuse", "overlay", "tmpfs"] as const) {
    const [line, ...others] = await linesOf(kind);
    expect(line).toContain(kinds[kind]);
    expect(others).toEqual([]);
  }
});
