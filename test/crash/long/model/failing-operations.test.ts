import { expect, test } from "bun:test";
import { failingOperations } from "../../failing-operations.ts";
import { failuresOf, type RigOptions } from "../../rig.ts";

test("each of the first 200 operations of a push fails on a real disk, and nothing is lost", async () => {
  const options: RigOptions = { seed: 1, form: "long", say: () => undefined };
  expect(failuresOf(await failingOperations.run(options), options)).toBe("");
});
