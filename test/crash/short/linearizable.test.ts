import { expect, test } from "bun:test";
import { isLinearizable, type TagOperation } from "../linearizable.ts";

/** `put a 1-4`: begun at 1, ended at 4; `-` as value is nothing; no end is an unknown one. */
function history(text: string): readonly TagOperation[] {
  return text.split(", ").map((line) => {
    const [kind = "", value = "", times = ""] = line.split(" ");
    const [begun, ended] = times.split("-");
    if (kind !== "put" && kind !== "delete" && kind !== "get") throw new Error(line);
    return {
      kind,
      value: value === "-" ? undefined : value,
      begunAt: Number(begun),
      endedAt: ended === "" ? Number.POSITIVE_INFINITY : Number(ended),
    };
  });
}

const legal = [
  "get - 1-2",
  "put a 1-2, get a 3-4",
  "put a 1-4, get - 2-3",
  "put a 1-4, get a 2-3",
  "put a 1-2, put b 3-8, get a 4-5, get b 6-7",
  "put a 1-9, put b 2-8, get b 3-4, get a 5-6",
  "put a 1-2, delete x 3-8, get - 4-5, get - 6-7",
  "delete - 1-4, put a 2-3, get a 5-6",
  "put a 1-2, delete x 3-6, delete - 4-5",
  "put a 1-2, put b 3-, get a 4-5, get b 6-7",
  "put a 1-2, put b 3-, get a 4-5, get a 6-7",
];

const illegal = [
  "get a 1-2",
  "put a 1-2, get - 3-4",
  "put a 1-2, put b 3-4, get a 5-6",
  // The new value was seen, so the old one is gone for everybody.
  "put a 1-2, put b 3-8, get b 4-5, get a 6-7",
  "put a 1-9, put b 2-8, get b 3-4, get a 5-6, get b 10-11",
  "put a 1-2, delete x 3-6, delete x 4-5",
  "put a 1-2, delete x 3-4, get a 5-6",
  "put a 1-2, delete - 3-4",
  "put a 1-2, put b 3-, get b 4-5, get a 6-7",
];

for (const text of legal) {
  test(`could have happened one by one: ${text}`, () => {
    expect(isLinearizable(history(text))).toBe(true);
  });
}

for (const text of illegal) {
  test(`could not: ${text}`, () => {
    expect(isLinearizable(history(text))).toBe(false);
  });
}

test("a tag that was there before may be read and removed", () => {
  expect(isLinearizable(history("get a 1-2, delete x 3-4, get - 5-6"), "a")).toBe(true);
  expect(isLinearizable(history("get b 1-2"), "a")).toBe(false);
});
