import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { concatBytes } from "../base/bytes.ts";
import { digestOf } from "../oci/digest.ts";
import type { Appender, ObjectStore } from "./object-store.ts";

/** What every driver has to keep of the promises in `object-store.ts`. */
export function objectStoreSuite(
  name: string,
  open: () => Promise<{ readonly store: ObjectStore; readonly close: () => Promise<void> }>,
): void {
  describe(name, () => {
    let store: ObjectStore;
    let close: () => Promise<void>;
    let folders = 0;

    beforeAll(async () => {
      ({ store, close } = await open());
    });
    afterAll(() => close());

    /** A folder that no other test has. */
    function folder(): string {
      folders += 1;
      return `suite/${folders}`;
    }

    smallObjects();
    appending();
    movingAndRemoving();

    function smallObjects(): void {
      test("what is not there is absent, and so is a folder as an object", async () => {
        const at = folder();
        await store.put(`${at}/b/c`, bytesOf("x"));
        for (const key of [`${at}/a`, `${at}/b`, `${at}/b/c/d`, `${at}/nowhere/a`]) {
          expect(await store.stat(key)).toBeUndefined();
          expect(await store.read(key, 10)).toBeUndefined();
          expect(store.content(key)).toBeUndefined();
        }
        expect(await store.list(`${at}/nowhere`)).toEqual([]);
      });

      for (const sizeBytes of [0, 1, 2, 1023, 65_536, 1_048_576, 1_048_577, 5_000_000]) {
        test(`${sizeBytes} bytes are read as they were put, whole and in parts`, async () => {
          const key = `${folder()}/object`;
          const bytes = patternOf(sizeBytes);
          await store.put(key, bytes);
          expect(await store.read(key, sizeBytes)).toEqual(bytes);
          expect((await store.stat(key))?.sizeBytes).toBe(sizeBytes);
          expect(store.content(key)?.sizeBytes).toBe(sizeBytes);
          for (const [start, end] of [
            [0, sizeBytes],
            [Math.floor(sizeBytes / 3), Math.floor(sizeBytes / 2)],
            [Math.max(0, sizeBytes - 1), sizeBytes],
          ] as const) {
            expect(await readPart(key, start, end)).toEqual(bytes.subarray(start, end));
          }
        });
      }

      test("a second put replaces all of the first, and the stamp tells", async () => {
        const key = `${folder()}/object`;
        const stamps = new Set<string | undefined>();
        for (const text of ["a longer text", "short", "", "other"]) {
          await store.put(key, bytesOf(text));
          expect(textOf(await store.read(key, 100))).toBe(text);
          stamps.add((await store.stat(key))?.stamp);
        }
        expect(stamps.size).toBe(4);
      });

      test("an object larger than what is asked for is not read", async () => {
        const key = `${folder()}/object`;
        await store.put(key, patternOf(100));
        const outcome = await store.read(key, 99).then(textOf, () => "refused");
        expect(outcome).toBe("refused");
      });

      test("a reader beside many replacements sees the one or the other, never a part", async () => {
        const key = `${folder()}/object`;
        const versions = [bytesOf("a".repeat(71)), bytesOf("b".repeat(135)), bytesOf("")];
        await store.put(key, versions[0] ?? bytesOf(""));
        const known = new Set(versions.map(textOf));
        for (let round = 0; round < 120; round += 1) {
          const next = versions[round % versions.length] ?? bytesOf("");
          const writing = store.putVolatile(key, next);
          const reads = await Promise.all(Array.from({ length: 4 }, () => store.read(key, 200)));
          for (const bytes of reads) expect(known).toContain(textOf(bytes));
          await writing;
        }
      });

      test("a reader beside a removal sees all of it or nothing", async () => {
        const key = `${folder()}/object`;
        for (let round = 0; round < 60; round += 1) {
          await store.putVolatile(key, bytesOf("here"));
          const reads = Promise.all(Array.from({ length: 4 }, () => store.read(key, 10)));
          await store.remove(key);
          for (const bytes of await reads) {
            expect([undefined, "here"]).toContain(bytes === undefined ? undefined : textOf(bytes));
          }
        }
      });

      test("a folder lists what lies directly below it", async () => {
        const at = folder();
        for (const key of ["a", "b/c", "b/d/e", "f g"])
          await store.put(`${at}/${key}`, bytesOf(""));
        const entries = (await store.list(at)).toSorted((a, b) => (a.name < b.name ? -1 : 1));
        expect(entries).toEqual([
          { name: "a", isFolder: false },
          { name: "b", isFolder: true },
          { name: "f g", isFolder: false },
        ]);
      });

      test("a probe leaves nothing behind", async () => {
        const before = await store.list("suite");
        await store.probe();
        expect(await store.list("suite")).toEqual(before);
      });
    }

    function appending(): void {
      test("appended pieces lie one behind the other, from wherever one goes on", async () => {
        const key = `${folder()}/data`;
        const bytes = patternOf(300_000);
        let offset = 0;
        for (const end of [0, 1, 70_000, 70_000, 299_999, 300_000]) {
          await append(key, offset, [
            bytes.subarray(offset, Math.floor((offset + end) / 2)),
            bytes.subarray(Math.floor((offset + end) / 2), end),
          ]);
          offset = end;
          expect((await store.stat(key))?.sizeBytes).toBe(end);
        }
        expect(digestOf((await store.read(key, 300_000)) ?? bytesOf(""))).toBe(digestOf(bytes));
      });

      test("what lies beyond the offset is cut off", async () => {
        const key = `${folder()}/data`;
        await append(key, 0, [bytesOf("hello, world")]);
        await append(key, 5, [bytesOf("!")]);
        expect(textOf(await store.read(key, 100))).toBe("hello!");
        await append(key, 0, []);
        expect((await store.stat(key))?.sizeBytes).toBe(0);
      });

      test("a gap is not filled with bytes that nobody sent", async () => {
        const at = folder();
        expect(await store.openAppend(`${at}/missing`, 1)).toBeUndefined();
        await append(`${at}/data`, 0, [bytesOf("hello")]);
        expect(await store.openAppend(`${at}/data`, 6)).toBeUndefined();
        expect(textOf(await store.read(`${at}/data`, 100))).toBe("hello");
        expect((await store.list(at)).map((entry) => entry.name)).toEqual(["data"]);
      });
    }

    function movingAndRemoving(): void {
      test("a move takes the object along, over another if need be", async () => {
        const at = folder();
        await store.put(`${at}/a`, bytesOf("new"));
        await store.put(`${at}/deep/b`, bytesOf("old"));
        await store.move(`${at}/a`, `${at}/deep/b`);
        expect(await store.stat(`${at}/a`)).toBeUndefined();
        expect(textOf(await store.read(`${at}/deep/b`, 10))).toBe("new");
        await store.move(`${at}/deep/b`, `${at}/made/on/the/way`);
        expect(textOf(await store.read(`${at}/made/on/the/way`, 10))).toBe("new");
      });

      test("a move of what is not there fails and leaves the target as it was", async () => {
        const at = folder();
        await store.put(`${at}/target`, bytesOf("kept"));
        const failure = await store.move(`${at}/missing`, `${at}/target`).then(() => "", String);
        expect(failure).not.toBe("");
        expect(textOf(await store.read(`${at}/target`, 10))).toBe("kept");
      });

      test("a folder is removed with all below it, and nothing beside it", async () => {
        const at = folder();
        for (const key of ["a/1", "a/b/2", "ab/3", "a-b", "a.txt"]) {
          await store.put(`${at}/${key}`, bytesOf(key));
        }
        expect(await store.removeFolder(`${at}/a`)).toBe(true);
        expect(await store.removeFolder(`${at}/a`)).toBe(false);
        expect(await namesIn(at)).toEqual(["a-b", "a.txt", "ab"]);
      });

      test("an object is removed once", async () => {
        const key = `${folder()}/object`;
        await store.put(key, bytesOf("x"));
        expect(await store.remove(key)).toBe(true);
        expect(await store.remove(key)).toBe(false);
        expect(await store.stat(key)).toBeUndefined();
      });

      test("many objects go together, those that are not there passed over", async () => {
        const at = folder();
        for (const key of ["a", "b", "c"]) await store.put(`${at}/${key}`, bytesOf(key));
        await store.removeAll([`${at}/a`, `${at}/none`, `${at}/nowhere/d`, `${at}/c`]);
        expect(await namesIn(at)).toEqual(["b"]);
      });

      test("objects go with their folders and what else is in them", async () => {
        const at = folder();
        for (const key of ["a/link", "b/link", "b/stray", "b/c/d", "e/stray", "f/link"]) {
          await store.put(`${at}/${key}`, bytesOf(key));
        }
        const keys = ["a", "b", "e", "none"].map((name) => `${at}/${name}/link`);
        await store.removeAllWithFolders(keys);
        expect(await namesIn(at)).toEqual(["f"]);
        expect(await namesIn(`${at}/f`)).toEqual(["link"]);
      });
    }

    async function namesIn(at: string): Promise<readonly string[]> {
      return (await store.list(at)).map((entry) => entry.name).toSorted();
    }

    async function append(
      key: string,
      offset: number,
      pieces: readonly Uint8Array[],
    ): Promise<void> {
      const appender: Appender | undefined = await store.openAppend(key, offset);
      if (appender === undefined) throw new Error(`${key} has no ${offset} bytes`);
      await appender.write(pieces);
      await appender.sync();
      await appender.close();
    }

    async function readPart(key: string, start: number, end: number): Promise<Uint8Array> {
      const pieces: Uint8Array[] = [];
      for await (const piece of store.readStream(key, { start, end })) pieces.push(piece.slice());
      return concatBytes(pieces);
    }
  });
}

function bytesOf(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}

function textOf(bytes: Uint8Array | undefined): string {
  return new TextDecoder().decode(bytes);
}

/** Bytes of no short period, so that a shifted or doubled part shows. */
function patternOf(sizeBytes: number): Uint8Array {
  return Uint8Array.from({ length: sizeBytes }, (_, index) => (index * 2_654_435_761) >>> 13);
}
