import { expect, test } from "bun:test";
import { failuresOf, type RigOptions } from "../rig.ts";
import { stepClocks, steppingClock } from "../stepping-clock.ts";

const options: RigOptions = { seed: 1, form: "short", say: () => undefined };

test("whoever sets the clock, nothing that is in use goes", async () => {
  expect(failuresOf(await steppingClock.run(options), options)).toBe("");
});

test("with the machine's own clock, uploads go that somebody is in the middle of", async () => {
  const { violations } = await stepClocks({ seed: 1, looksMax: 2 }, (clock) => clock);
  expect(violations.length).toBeGreaterThan(0);
});
