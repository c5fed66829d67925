import { expect, test } from "bun:test";
import { Remembered } from "./remembered.ts";

test("an entry is there until its time, and not at it", () => {
  const memory = new Remembered<string>(10);
  memory.put("a", "first", 100);
  expect(memory.get("a", 99)).toBe("first");
  expect(memory.get("a", 100)).toBeUndefined();
  // It does not come back when the clock does.
  expect(memory.get("a", 99)).toBeUndefined();
});

test("the oldest entry makes room for a new one, and one that is put again is young", () => {
  const memory = new Remembered<number>(2);
  memory.put("a", 1, 100);
  memory.put("b", 2, 100);
  memory.put("a", 3, 100);
  memory.put("c", 4, 100);
  expect(["a", "b", "c"].map((key) => memory.get(key, 0))).toEqual([3, undefined, 4]);
});
