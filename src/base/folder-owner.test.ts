import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import {
  chmodSync,
  chownSync,
  mkdirSync,
  mkdtempSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { give, makeFileForOwner, makeFoldersForOwner, ownerToBe } from "./folder-owner.ts";

const isRoot = process.geteuid?.() === 0;
const [userId, groupId] = [64_532, 64_533];

let folder = "";
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "berth-owner-"));
  mkdirSync(join(folder, "theirs"));
  if (isRoot) chownSync(join(folder, "theirs"), userId, groupId);
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

function ownerOf(name: string): readonly [number, number] {
  const { uid, gid } = statSync(join(folder, name));
  return [uid, gid];
}

test("what is made in one's own folder stays one's own", () => {
  expect(ownerToBe(join(folder, "file"))).toBeUndefined();
  makeFoldersForOwner(join(folder, "own/deep"));
  makeFileForOwner(join(folder, "own/none"));
  expect(ownerOf("own/deep")).toEqual(ownerOf("."));
  expect(statSync(join(folder, "own/none"), { throwIfNoEntry: false })).toBeUndefined();
});

describe.skipIf(!isRoot)("root in another user's folder", () => {
  test("makes folders that are that user's, and leaves those that were there", () => {
    mkdirSync(join(folder, "theirs/roots"));
    makeFoldersForOwner(join(folder, "theirs/a/b/c"));
    for (const name of ["theirs/a", "theirs/a/b", "theirs/a/b/c"]) {
      expect([name, ownerOf(name)]).toEqual([name, [userId, groupId]]);
    }
    expect(ownerOf("theirs/roots")).toEqual([0, 0]);
    // Below a folder of root it is root's again.
    makeFoldersForOwner(join(folder, "theirs/roots/d"));
    expect(ownerOf("theirs/roots/d")).toEqual([0, 0]);
  });

  test("makes a file that is that user's, and leaves one that is there as it is", () => {
    writeFileSync(join(folder, "secret"), "content");
    symlinkSync(join(folder, "secret"), join(folder, "theirs/link"));
    for (const name of ["link", "new"]) makeFileForOwner(join(folder, "theirs", name));
    expect(ownerOf("theirs/new")).toEqual([userId, groupId]);
    // Else whoever has the folder could have any file of the machine given to them.
    expect(ownerOf("secret")).toEqual([0, 0]);
    expect(statSync(join(folder, "secret")).size).toBe(7);
  });

  test("asks the next folder above that is there", () => {
    expect(ownerToBe(join(folder, "theirs/not/there/yet"))).toEqual({ userId, groupId });
  });

  test("keeps what it makes in a folder that everybody may write to", () => {
    mkdirSync(join(folder, "everybodys"));
    chownSync(join(folder, "everybodys"), userId, groupId);
    chmodSync(join(folder, "everybodys"), 0o777);
    expect(ownerToBe(join(folder, "everybodys/file"))).toBeUndefined();
  });

  test("goes on where nothing can be given away", () => {
    give(join(folder, "theirs/nowhere"), { userId, groupId });
    give(join(folder, "theirs/nowhere"), undefined);
  });
});
