import { expect, test } from "bun:test";
import { inParallel } from "./in-parallel.ts";

test("every item has its turn, and never more than the limit at once", async () => {
  let running = 0;
  let most = 0;
  const done: number[] = [];
  await inParallel([1, 2, 3, 4, 5, 6, 7], 3, async (item) => {
    running += 1;
    most = Math.max(most, running);
    await Promise.resolve();
    running -= 1;
    done.push(item);
  });
  expect(most).toBe(3);
  expect(done.toSorted((a, b) => a - b)).toEqual([1, 2, 3, 4, 5, 6, 7]);
});

test("nothing is nothing", async () => {
  await inParallel([], 3, () => Promise.reject(new Error("called")));
});

test("after a failure nothing is begun, and what was under way is waited for", async () => {
  const slow = Promise.withResolvers<void>();
  const begun: string[] = [];
  const ended: string[] = [];
  const running = inParallel(["fails", "slow", "never"], 2, async (item) => {
    begun.push(item);
    if (item === "fails") throw new Error("the first failure");
    await slow.promise;
    ended.push(item);
    throw new Error("a later failure");
  });
  slow.resolve();
  expect(running).rejects.toThrow("the first failure");
  expect(begun).toEqual(["fails", "slow"]);
  expect(ended).toEqual(["slow"]);
});
