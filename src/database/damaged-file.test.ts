import { afterAll, expect, test } from "bun:test";
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { isDamage, noteDamage, setDamagedAside } from "./damaged-file.ts";

const folder = mkdtempSync(join(tmpdir(), "berth-damaged-"));
afterAll(() => rmSync(folder, { recursive: true }));

let files = 0;
function database(): string {
  files += 1;
  const path = join(folder, `${files}.sqlite`);
  for (const suffix of ["", "-wal", "-shm"]) writeFileSync(`${path}${suffix}`, `old${suffix}`);
  return path;
}

test("only a file of which word was left is set aside, with its log", () => {
  const path = database();
  expect(setDamagedAside(path)).toBeUndefined();
  expect(existsSync(path)).toBe(true);
  noteDamage({ kind: "sqlite", path });
  expect(setDamagedAside(path)).toBe(`${path}.damaged`);
  expect(readFileSync(`${path}.damaged`, "utf8")).toBe("old");
  for (const suffix of ["", "-wal", "-shm"]) expect(existsSync(`${path}${suffix}`)).toBe(false);
  expect(setDamagedAside(path)).toBeUndefined();
});

test("what was killed between its steps is done again, and keeps the old file", () => {
  const path = database();
  noteDamage({ kind: "sqlite", path });
  // Killed after the first step: the file has its new name, the log is still there.
  rmSync(path);
  writeFileSync(`${path}.damaged`, "old");
  expect(setDamagedAside(path)).toBe(`${path}.damaged`);
  expect(readFileSync(`${path}.damaged`, "utf8")).toBe("old");
  expect(existsSync(`${path}-wal`)).toBe(false);
});

test("a folder that takes no note is no reason to fail", () => {
  expect(() =>
    noteDamage({ kind: "sqlite", path: join(folder, "not/there.sqlite") }),
  ).not.toThrow();
});

test("damage is told from a full disk and from a file that never was a database", () => {
  const failure = (code: string): Error => Object.assign(new Error("failed"), { code });
  expect(isDamage(failure("SQLITE_CORRUPT"))).toBe(true);
  expect(isDamage(failure("SQLITE_CORRUPT_INDEX"))).toBe(true);
  expect(["SQLITE_FULL", "SQLITE_NOTADB", "SQLITE_IOERR_READ"].map(failure).some(isDamage)).toBe(
    false,
  );
  expect(isDamage("SQLITE_CORRUPT")).toBe(false);
});
