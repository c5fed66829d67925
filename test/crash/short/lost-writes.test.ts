import { expect, test } from "bun:test";
import { diskScenarios } from "../disk-scenarios.ts";
import { lostWrites } from "../lost-writes.ts";
import { searchPowerCuts } from "../power-cut-search.ts";
import { failuresOf, type RigOptions } from "../rig.ts";

const options: RigOptions = { seed: 1, form: "short", say: () => undefined };

test("whatever a power cut takes of what was not synced, nothing promised is lost", async () => {
  expect(failuresOf(await lostWrites.run(options), options)).toBe("");
});

for (const ignored of ["file syncs", "folder syncs"] as const) {
  test(`on a disk that ignores ${ignored}, the same search finds what is lost`, async () => {
    const scenario = diskScenarios.find(({ name }) => name === "mount") ?? expect.unreachable();
    const { violations } = await searchPowerCuts({ scenario, seed: 1, choicesMax: 0, ignored });
    expect(violations.length).toBeGreaterThan(10);
  });
}
