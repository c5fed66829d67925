/**
 * Runs the long form of every rig and prints what each reached beside what it must reach.
 *
 *   npm run test:crash -- --report                all of them
 *   npm run test:crash -- --report --only NAME    one
 *   npm run test:crash -- --report --form short   their short forms
 *   npm run test:crash -- --report --seed 7       other faults
 */
import { parseArgs } from "node:util";
import type { Figure, Rig, RigOptions } from "./rig.ts";
import { rigs } from "./rigs.ts";

const { values } = parseArgs({
  args: process.argv.slice(2),
  options: {
    report: { type: "boolean", default: true },
    only: { type: "string", multiple: true },
    form: { type: "string", default: "long" },
    seed: { type: "string", default: "1" },
  },
});

const options: RigOptions = {
  seed: Number(values.seed),
  form: values.form === "short" ? "short" : "long",
  say: (line) => void process.stderr.write(`  ${line}\n`),
};
const chosen = rigs.filter((rig) => values.only === undefined || values.only.includes(rig.name));
if (chosen.length === 0) {
  throw new Error(`no such rig; there are: ${rigs.map((rig) => rig.name).join(", ")}`);
}

let failed = 0;
let passed = 0;
process.stdout.write(`| rig | fault | figure | promised | measured |\n|---|---|---|---|---|\n`);
for (const rig of chosen) {
  process.stderr.write(`${rig.name}: ${rig.fault}\n`);
  for (const figure of await figuresOf(rig)) {
    if (figure.holds) passed += 1;
    else failed += 1;
    print(rig, figure);
  }
}
process.stdout.write(`\nseed ${options.seed}, ${options.form} form\n`);
process.stdout.write(`${passed} passed, ${failed} failed\n`);
process.exit(failed === 0 ? 0 : 1);

async function figuresOf(rig: Rig): Promise<readonly Figure[]> {
  const reason = await rig.unavailable?.();
  if (reason !== undefined) {
    return [{ name: `not run: ${reason}`, value: 0, target: "runs", holds: false }];
  }
  return rig.run(options);
}

function print(rig: Rig, { name, value, target, holds, evidence = [] }: Figure): void {
  const measured = `${Number.isInteger(value) ? value : value.toPrecision(3)}${holds ? "" : " ✗"}`;
  process.stdout.write(`| ${rig.name} | ${rig.fault} | ${name} | ${target} | ${measured} |\n`);
  for (const line of evidence) process.stderr.write(`    ${line}\n`);
}
