import { expect, test } from "bun:test";
import { failuresOf, type Rig, type RigOptions } from "./rig.ts";

/** Only what hangs takes so long, however slow the machine. */
const timeoutsMs = { short: 300_000, long: 2_700_000 } as const;

/**
 * The test of one form of a rig. Where the rig cannot run, the short form is a skip that says
 * why; so is the long form, except in CI, whose machine has what it needs.
 */
export async function testRig(rig: Rig, form: RigOptions["form"]): Promise<void> {
  const seed = Number(process.env["TEST_SEED"] ?? 1);
  const reason = await rig.unavailable?.();
  const isSkipped = reason !== undefined && (form === "short" || process.env["CI"] !== "true");
  const name = `${rig.name}: ${rig.fault}`;
  const say = (line: string): void => {
    if (form === "long") process.stderr.write(`  ${rig.name}: ${line}\n`);
  };
  test.skipIf(isSkipped)(
    isSkipped ? `${name} (skipped: ${reason})` : name,
    async () => {
      if (reason !== undefined) throw new Error(`cannot run: ${reason}`);
      const options: RigOptions = { seed, form, say };
      expect(failuresOf(await rig.run(options), options)).toBe("");
    },
    timeoutsMs[form],
  );
}
