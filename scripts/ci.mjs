/**
 * What `.ci/run` calls: both tiers of tests, added up. Plain Node, so that it runs before
 * anything is installed.
 */
import { spawn } from "node:child_process";

let passed = 0;
let failed = 0;
let skipped = 0;

for (const script of ["check", "test", "test:system"]) await runScript(script);
process.stdout.write(`\n${passed} passed, ${failed} failed, ${skipped} skipped\n`);
process.exit(failed === 0 ? 0 : 1);

/** Runs one npm script, passes its output on, and adds the counts of its closing line. */
async function runScript(script) {
  process.stdout.write(`\n== npm run ${script}\n`);
  const child = spawn("npm", ["run", "--silent", script], { stdio: ["ignore", "pipe", "inherit"] });
  let tail = "";
  child.stdout.on("data", (chunk) => {
    // The counts of one tier are not the counts of the run: mark them, so nobody mistakes them.
    tail = (tail + chunk.toString()).slice(-4_000);
    process.stdout.write(chunk.toString().replace(/^(\d+ passed, )/gm, `${script}: $1`));
  });
  const code = await new Promise((resolve) => child.on("close", resolve));
  const counts = [...tail.matchAll(/^(\d+) passed, (\d+) failed(?:, (\d+) skipped)?$/gm)].at(-1);
  if (counts === undefined) {
    failed += 1;
    process.stdout.write(`npm run ${script} ended without a closing line (exit code ${code})\n`);
    return;
  }
  passed += Number(counts[1]);
  failed += Number(counts[2]);
  skipped += Number(counts[3] ?? 0);
  if (code !== 0 && Number(counts[2]) === 0) failed += 1;
}
