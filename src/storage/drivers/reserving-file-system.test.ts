import { afterAll, expect, test } from "bun:test";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { codeOf } from "../../base/errors.ts";
import type { FileSystem } from "./file-system.ts";
import { nodeFileSystem } from "./node-file-system.ts";
import { reservingFileSystem } from "./reserving-file-system.ts";

const folder = mkdtempSync(join(tmpdir(), "berth-reserving-"));
afterAll(() => rmSync(folder, { recursive: true }));

/** A disk that is full until the reserve is given back. */
function fullDisk(code = "ENOSPC") {
  const reserve = {
    isGivenBack: false,
    isEmpty: false,
    asked: 0,
    giveBack: (): Promise<boolean> => {
      reserve.asked += 1;
      if (!reserve.isEmpty) reserve.isGivenBack = true;
      return Promise.resolve(!reserve.isEmpty);
    },
  };
  let isFull = true;
  const check = (): void => {
    if (isFull && !reserve.isGivenBack) throw Object.assign(new Error(code), { code });
  };
  const files: FileSystem = {
    ...nodeFileSystem,
    makeFolder: async (path) => (check(), nodeFileSystem.makeFolder(path)),
    rename: async (source, target) => (check(), nodeFileSystem.rename(source, target)),
    unlink: async (path) => (check(), nodeFileSystem.unlink(path)),
    removeEmptyFolder: async (path) => (check(), nodeFileSystem.removeEmptyFolder(path)),
    openWrite: async (path, mode) => {
      const file = await nodeFileSystem.openWrite(path, mode);
      return { ...file, write: async (pieces, at) => (check(), file.write(pieces, at)) };
    },
  };
  const setFull = (value: boolean): void => void (isFull = value);
  return { reserve, files: reservingFileSystem(files, reserve), setFull };
}

/** The code with which `call` fails; empty when it does not. */
const failureOf = (call: Promise<unknown>): Promise<string> => call.then(() => "", codeOf);

const path = (name: string): string => join(folder, name);
const bytes = [new TextEncoder().encode("bytes")];

test.each(["ENOSPC", "EDQUOT"])(
  "what moves bytes out of the way is tried again with the reserve (%s)",
  async (code) => {
    for (const call of [
      (files: FileSystem) => files.makeFolder(path(`made-${code}`)),
      (files: FileSystem) => files.rename(path(`made-${code}`), path(`moved-${code}`)),
      (files: FileSystem) => files.removeEmptyFolder(path(`moved-${code}`)),
      (files: FileSystem) => files.unlink(path("nothing")),
    ]) {
      const { files, reserve } = fullDisk(code);
      await call(files);
      expect(reserve.asked).toBe(1);
    }
  },
);

test("when there is no reserve left, the failure is the disk's", async () => {
  const { files, reserve } = fullDisk();
  reserve.isEmpty = true;
  expect(await failureOf(files.makeFolder(path("never")))).toBe("ENOSPC");
});

test("what fails for another reason is not tried again", async () => {
  const { files, reserve } = fullDisk("EIO");
  expect(await failureOf(files.makeFolder(path("never")))).toBe("EIO");
  expect(reserve.asked).toBe(0);
});

test("bytes of a push neither end the reserve nor get at it", async () => {
  const { files, reserve, setFull } = fullDisk();
  const file = await files.openWrite(path("push"), "create");
  expect(await failureOf(file.write(bytes, 0))).toBe("ENOSPC");
  expect(reserve.asked).toBe(0);
  setFull(false);
  await file.write(bytes, 0);
  // Its room is free by now, and the disk would take them.
  reserve.isGivenBack = true;
  expect(await failureOf(file.write(bytes, 5))).toBe("ENOSPC");
  expect(await failureOf(files.openWrite(path("other"), "create"))).toBe("ENOSPC");
  expect(await failureOf(files.openWrite(path("push"), "append"))).toBe("ENOSPC");
  reserve.isGivenBack = false;
  await file.write(bytes, 5);
  await file.close();
  expect(readFileSync(path("push"), "utf8")).toBe("bytesbytes");
});
