import { expect, test } from "bun:test";
import type { ChangeWatch } from "./change-watch.ts";
import { ReadCache } from "./read-cache.ts";
import type { Value } from "./statement.ts";

test("answers to different values are told apart", () => {
  const watch: Pick<ChangeWatch, "hasChanged"> = { hasChanged: () => false };
  const cache = new ReadCache(watch as ChangeWatch);
  const statement = {};
  const calls: (readonly Value[])[] = [[null], ["null"], [""], [], ["", ""], [1], ["a", null]];
  const ask = (values: readonly Value[]) =>
    cache.answer(statement, values, { ask: () => JSON.stringify(values), isKept: () => true });
  for (const values of [...calls, ...calls]) expect(ask(values)).toBe(JSON.stringify(values));
});
