import { expect, test } from "bun:test";
import { bitRot } from "../../bit-rot.ts";
import { failuresOf } from "../../rig.ts";

test("70 of 70 damaged files among 2,000 blobs are found, moved aside and healed", async () => {
  const options = { seed: 1, form: "long", say: () => undefined } as const;
  expect(failuresOf(await bitRot.run(options), options)).toBe("");
}, 2_700_000);
