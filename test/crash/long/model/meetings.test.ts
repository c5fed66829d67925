import { expect, test } from "bun:test";
import { meetings } from "../../meetings.ts";
import { failuresOf, type RigOptions } from "../../rig.ts";

test("a thousand meetings of each pair, and every tag has a history in one order", async () => {
  const options: RigOptions = { seed: 1, form: "long", say: () => undefined };
  expect(failuresOf(await meetings.run(options), options)).toBe("");
});
