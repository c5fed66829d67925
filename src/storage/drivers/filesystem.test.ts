import { afterEach, beforeEach, expect, test } from "bun:test";
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  rmSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { FaultyFileSystem } from "../../../test/support/faulty-file-system.ts";
import type { Clock } from "../../base/clock.ts";
import { systemRandom } from "../../base/random.ts";
import { digestOf } from "../../oci/digest.ts";
import { BlobStore } from "../blob-store.ts";
import { blobFolder } from "../layout.ts";
import type { FileSystem } from "./file-system.ts";
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

test("a symbolic link is a folder where it leads to one, but not where a walk would never end", async () => {
  const store = await open();
  const at = (path: string): string => join(rootFolder, path);
  mkdirSync(at("tree/a"), { recursive: true });
  mkdirSync(at("elsewhere"));
  writeFileSync(at("file"), "");
  symlinkSync("../elsewhere", at("tree/moved"));
  symlinkSync("../file", at("tree/file"));
  symlinkSync("nowhere", at("tree/dangling"));
  symlinkSync("itself", at("tree/itself"));
  symlinkSync(".", at("tree/here"));
  symlinkSync("../..", at("tree/a/above"));
  symlinkSync("/", at("tree/top"));
  symlinkSync(at("tree"), at("elsewhere/back"));
  const folders = async (folder: string): Promise<readonly string[]> => {
    const entries = await store.list(folder);
    return entries.flatMap(({ name, isFolder }) => (isFolder ? [name] : [])).sort();
  };
  expect(await folders("tree")).toEqual(["a", "moved"]);
  expect(await folders("tree/a")).toEqual([]);
  // Through the link, `back` leads to where the walk has come from; directly it does not.
  expect(await folders("tree/moved")).toEqual([]);
  expect(await folders("elsewhere")).toEqual(["back"]);
});

test("a symbolic link to a folder is removed as a link: what it points to stays", async () => {
  const store = await open();
  const at = (path: string): string => join(rootFolder, path);
  const precious = at("elsewhere/below/precious");
  mkdirSync(at("elsewhere/below"), { recursive: true });
  writeFileSync(precious, "");
  const removals: readonly [string, () => Promise<unknown>][] = [
    ["tree/link", () => store.removeFolder("tree")],
    ["tree/below/link", () => store.removeFolder("tree")],
    ["tree", () => store.removeFolder("tree")],
    ["tree", () => store.remove("tree")],
    ["tree/link", () => store.removeAll(["tree"])],
    ["tree", () => store.removeAll(["tree"])],
    ["tree/link", () => store.removeAllWithFolders(["tree/object"])],
    ["tree", () => store.removeAllWithFolders(["tree/object"])],
  ];
  for (const [link, remove] of removals) {
    mkdirSync(dirname(at(link)), { recursive: true });
    symlinkSync(at("elsewhere"), at(link));
    await remove();
    expect([link, existsSync(precious)]).toEqual([link, true]);
    expect(existsSync(at("tree"))).toBe(false);
  }
});

test("a folder that has the name of an object goes with all it holds", async () => {
  const store = await open();
  await store.put("trash/object/inner/file", new Uint8Array(1));
  await store.put("trash/other", new Uint8Array(1));
  await store.removeAll(["trash/object", "trash/other"]);
  expect(await store.list("trash")).toEqual([]);
});

test("a volatile move makes the folder that is missing, and says when nothing is there", async () => {
  const store = await open();
  await store.put("from/object", new Uint8Array(1));
  expect(await store.moveVolatile("from/object", "to/some/object")).toBe(true);
  expect(await store.moveVolatile("from/object", "to/some/object")).toBe(false);
  expect(await store.moveVolatile("from/object", "elsewhere/object")).toBe(false);
  expect(await store.list("to/some")).toEqual([{ name: "object", isFolder: false }]);
  // Nothing is made for what does not come.
  expect(await store.list("")).not.toContainEqual({ name: "elsewhere", isFolder: true });
});

test("a blob that is there already is synced before anybody builds on it", async () => {
  const bytes = new TextEncoder().encode("the same blob");
  const digest = digestOf(bytes);
  const files = new FaultyFileSystem();
  await new BlobStore(await open(files)).put(digest, bytes);
  // As after a kill between the rename and the sync of its folder: the name is there, that is all.
  const blobs = new BlobStore(await open(files));
  const synced: string[] = [];
  files.fault = (operation, path) => {
    if (operation === "syncFolder") synced.push(path.slice(rootFolder.length + 1));
    return operation === "rename" ? "EIO" : undefined;
  };
  await blobs.put(digest, bytes);
  await blobs.publish(digest, "an upload that is not needed", bytes.byteLength);
  const ofBlob = (path: string): boolean => path === blobFolder(digest);
  // Once: the second time it is known.
  expect(synced.filter(ofBlob)).toHaveLength(1);
  // Every folder above it, too: whoever made them may have been killed as well.
  expect(synced).toContain("docker/registry/v2/blobs");
});

function open(fileSystem: FileSystem = nodeFileSystem): Promise<FilesystemStore> {
  const durability = fileSystem === nodeFileSystem ? "none" : "full";
  const parts = { fileSystem, clock, random: systemRandom };
  return FilesystemStore.open({ rootFolder, durability, ...parts });
}

function writeTemporary(name: string, modifiedAtMs: number): string {
  const path = join(rootFolder, "berth/tmp", name);
  writeFileSync(path, "on its way");
  utimesSync(path, modifiedAtMs / 1000, modifiedAtMs / 1000);
  return path;
}
