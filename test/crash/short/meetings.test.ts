import { expect, test } from "bun:test";
import { nameOf, tagOf } from "../../../src/oci/test-support.ts";
import { cell } from "../matrix-cells.ts";
import { meetings, runCell } from "../meetings.ts";
import { failuresOf, type RigOptions } from "../rig.ts";

const options: RigOptions = { seed: 1, form: "short", say: () => undefined };

test("requests that meet leave what one after the other would have left", async () => {
  expect(failuresOf(await meetings.run(options), options)).toBe("");
});

test("a tag that is moved past its lock is found", async () => {
  const careless = cell("PUT tag × a write past every lock", async (world, findings) => {
    const [one, two] = [world.image(), world.image()];
    await world.putImage("v", one);
    await world.putImage("w", two);
    const name = nameOf(world.name);
    await world.meet<readonly [unknown, unknown]>(
      () => world.putManifest("v", one),
      () => world.registry.links.writeTag(name, tagOf("v"), two.digest),
    );
    const link = await world.registry.links.readTag(name, tagOf("v"));
    findings.value("the tag", await world.pulled("v"), [link?.digest ?? "absent"]);
  });
  expect((await runCell(careless, { seed: 1, count: 20 })).length).toBeGreaterThan(0);
});
