import { expect, test } from "bun:test";
import { failingOperations } from "../failing-operations.ts";
import { failuresOf, type RigOptions } from "../rig.ts";

test("an operation that fails costs one push at most, and no descriptor", async () => {
  const options: RigOptions = { seed: 1, form: "short", say: () => undefined };
  expect(failuresOf(await failingOperations.run(options), options)).toBe("");
});
