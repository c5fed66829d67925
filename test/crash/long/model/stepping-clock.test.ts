import { expect, test } from "bun:test";
import { failuresOf, type RigOptions } from "../../rig.ts";
import { steppingClock } from "../../stepping-clock.ts";

test("whoever sets the clock, and whenever, nothing that is in use goes", async () => {
  const options: RigOptions = { seed: 1, form: "long", say: () => undefined };
  expect(failuresOf(await steppingClock.run(options), options)).toBe("");
});
