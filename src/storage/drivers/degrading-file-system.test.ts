import { afterEach, beforeEach, expect, test } from "bun:test";
import { existsSync, mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { FaultyFileSystem } from "../../../test/support/faulty-file-system.ts";
import { systemClock } from "../../base/clock.ts";
import { systemRandom } from "../../base/random.ts";
import type { Appender } from "../object-store.ts";
import type { SyncFailure } from "./degrading-file-system.ts";
import { FilesystemStore } from "./filesystem.ts";

/* What the filesystem driver does when the disk says that it has not stored what it was given. */
const bytes = new TextEncoder().encode("bytes");
let rootFolder = "";
let files = new FaultyFileSystem();
let failures: SyncFailure[] = [];

beforeEach(() => {
  rootFolder = mkdtempSync(join(tmpdir(), "berth-degrading-"));
  files = new FaultyFileSystem();
  failures = [];
});
afterEach(() => rmSync(rootFolder, { recursive: true, force: true }));

for (const code of ["EIO", "EROFS", "ETIMEDOUT", "EBADF", "ESTALE"]) {
  test(`a sync that fails with ${code} is the last write, until the store is opened anew`, async () => {
    const store = await open();
    await store.put("kept", bytes);
    files.fault = (operation) => (operation === "sync" ? code : undefined);
    expect(store.put("lost", bytes)).rejects.toThrow("the disk has lost a write");
    files.fault = () => undefined;
    for (const write of [
      () => store.put("other", bytes),
      () => store.putVolatile("other", bytes),
      () => store.move("kept", "other"),
      () => store.remove("kept"),
      () => store.removeFolder("."),
      () => store.openAppend("other", 0),
      () => store.probe(),
    ]) {
      expect(write()).rejects.toThrow("the disk has lost a write");
    }
    expect(await store.read("kept", 10)).toEqual(bytes);
    expect(existsSync(join(rootFolder, "lost"))).toBe(false);
    expect(readdirSync(join(rootFolder, "berth/tmp"))).toEqual([]);
    expect(failures.length).toBe(1);
    const again = await open();
    await again.put("lost", bytes);
    expect(await again.read("lost", 10)).toEqual(bytes);
  });
}

for (const code of ["ENOSPC", "EDQUOT", "EMFILE", "ENFILE", "ENOMEM"]) {
  test(`a sync that fails with ${code} is not acknowledged, and costs no other file`, async () => {
    const store = await open();
    files.fault = (operation) => (operation === "sync" ? code : undefined);
    expect(store.put("lost", bytes)).rejects.toThrow();
    files.fault = () => undefined;
    expect(await store.stat("lost")).toBeUndefined();
    expect(readdirSync(join(rootFolder, "berth/tmp"))).toEqual([]);
    await store.put("other", bytes);
    await store.probe();
    expect(failures).toEqual([]);
  });
}

test("appended bytes whose sync failed are removed, so that a restart cannot take them for stored", async () => {
  for (const code of ["ENOSPC", "EIO"]) {
    const store = await open();
    const appender = await appenderAt(store, 0);
    await appender.write([bytes]);
    files.fault = (operation) => (operation === "sync" ? code : undefined);
    expect(appender.sync()).rejects.toThrow();
    await appender.close();
    files.fault = () => undefined;
    expect(await (await open()).openAppend("upload/data", bytes.byteLength)).toBeUndefined();
  }
});

test("what is under way when another file's sync fails gets no name any more", async () => {
  const store = await open();
  const appender = await appenderAt(store, 0);
  await appender.write([bytes]);
  await appender.sync();
  files.fault = (operation) => (operation === "sync" ? "EIO" : undefined);
  expect(store.put("lost", bytes)).rejects.toThrow();
  files.fault = () => undefined;
  expect(appender.write([bytes])).rejects.toThrow("the disk has lost a write");
  expect(appender.sync()).rejects.toThrow("the disk has lost a write");
  await appender.close();
  expect(store.move("upload/data", "final")).rejects.toThrow("the disk has lost a write");
  expect(existsSync(join(rootFolder, "final"))).toBe(false);
});

test("a file system that cannot sync folders is put up with; the check at the start has named it", async () => {
  const store = await open();
  files.fault = (operation) => (operation === "syncFolder" ? "EINVAL" : undefined);
  await store.put("folder/object", bytes);
  expect(await store.read("folder/object", 10)).toEqual(bytes);
  expect(failures).toEqual([]);
});

function open(): Promise<FilesystemStore> {
  const parts = { fileSystem: files, clock: systemClock, random: systemRandom };
  const onDegraded = (failure: SyncFailure): void => void failures.push(failure);
  return FilesystemStore.open({ rootFolder, durability: "full", ...parts, onDegraded });
}

async function appenderAt(store: FilesystemStore, offset: number): Promise<Appender> {
  return (await store.openAppend("upload/data", offset)) ?? expect.unreachable();
}

test("a folder that is gone before its sync is made again, and puts no disk in doubt", async () => {
  const store = await open();
  let isFirst = true;
  files.fault = (operation, path) => {
    if (operation !== "syncFolder" || !path.endsWith("/repository") || !isFirst) return undefined;
    isFirst = false;
    return "ENOENT";
  };
  await store.put("repository/_uploads/id/startedat", bytes);
  expect(isFirst).toBe(false);
  expect(failures).toEqual([]);
  expect(await store.read("repository/_uploads/id/startedat", 10)).toEqual(bytes);
});
