import { Database as Connection, constants } from "bun:sqlite";
import { afterAll, beforeAll, expect, test } from "bun:test";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { ChangeWatch } from "../../../src/database/change-watch.ts";
import { ReadCache } from "../../../src/database/read-cache.ts";
import { openMetadataStore } from "../../../src/metadata/sql-metadata-store.ts";
import { digestOf } from "../../../src/oci/digest.ts";
import { nameOf } from "../../../src/oci/test-support.ts";

let folder = "";
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "berth-read-cache-"));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const name = nameOf("team/app");

test("an answer is forgotten when another process commits", async () => {
  const path = join(folder, "shared.sqlite");
  const store = await openMetadataStore({ kind: "sqlite", path });
  expect(await store.findBlob(name, digestOf("a"))).toBeUndefined();
  expect(await store.findBlob(name, digestOf("a"))).toBeUndefined();
  const writer = Bun.spawn({
    cmd: [process.execPath, "-e", writerProgram, path],
    stderr: "inherit",
  });
  expect(await writer.exited).toBe(0);
  expect(await store.findBlob(name, digestOf("a"))).toBe(7);
  await store.close();
});

test("a store sees what it recorded itself, at once and always", async () => {
  const store = await openMetadataStore({ kind: "sqlite", path: join(folder, "own.sqlite") });
  for (let size = 1; size <= 300; size += 1) {
    await store.recordBlob(name, { digest: digestOf("b"), sizeBytes: size });
    expect(await store.findBlob(name, digestOf("b"))).toBe(size);
    expect(await store.findBlob(name, digestOf("b"))).toBe(size);
  }
  await store.close();
});

test("nothing is asked twice while nothing changes", async () => {
  const path = join(folder, "quiet.sqlite");
  const first = new Connection(path);
  first.fileControl(constants.SQLITE_FCNTL_PERSIST_WAL, 1);
  first.run("pragma journal_mode = wal");
  first.run("create table anything (id integer)");
  first.close();
  const watch = ChangeWatch.prepare(path) ?? expect.unreachable();
  const store = await openMetadataStore({ kind: "sqlite", path });
  expect(watch.begin()).toBe(true);
  const cache = new ReadCache(watch);
  let asked = 0;
  const ask = (): number => {
    asked += 1;
    return asked;
  };
  const source = { ask, isKept: () => true };
  const statement = {};
  expect(cache.answer(statement, ["a"], source)).toBe(1);
  expect(cache.answer(statement, ["a"], source)).toBe(1);
  expect(cache.answer(statement, ["b"], source)).toBe(2);
  await store.recordBlob(name, { digest: digestOf("d"), sizeBytes: 1 });
  expect(cache.answer(statement, ["a"], source)).toBe(3);
  expect(cache.answer(statement, ["a"], source)).toBe(3);
  await store.close();
});

const writerProgram = `
  const { openMetadataStore } = await import("${import.meta.dir}/../../../src/metadata/sql-metadata-store.ts");
  const { digestOf } = await import("${import.meta.dir}/../../../src/oci/digest.ts");
  const store = await openMetadataStore({ kind: "sqlite", path: process.argv.at(-1) });
  await store.recordBlob("team/app", { digest: digestOf("a"), sizeBytes: 7 });
  await store.close();
`;
