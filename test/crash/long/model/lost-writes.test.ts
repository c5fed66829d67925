import { expect, test } from "bun:test";
import { lostWrites } from "../../lost-writes.ts";
import { failuresOf, type RigOptions } from "../../rig.ts";

test("20,000 disks after a power cut, and nothing promised is lost on any", async () => {
  const options: RigOptions = { seed: 1, form: "long", say: () => undefined };
  expect(failuresOf(await lostWrites.run(options), options)).toBe("");
});
