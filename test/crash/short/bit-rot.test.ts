import { expect, test } from "bun:test";
import { bitRot } from "../bit-rot.ts";
import { failuresOf } from "../rig.ts";

test("damage on the disk is found, moved aside and healed by a push, in small", async () => {
  const options = { seed: 1, form: "short", say: () => undefined } as const;
  expect(failuresOf(await bitRot.run(options), options)).toBe("");
}, 60_000);
