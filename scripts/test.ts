/**
 * Runs one tier of the tests and ends with `N passed, N failed, N skipped`.
 *
 *   npm test                 the unit tier: needs npm packages only
 *   npm run test:system      the system tier: installs real clients and servers
 *   npm test -- PATH …       only the files whose path contains one of these
 *
 * Which folder belongs to which tier is said here and nowhere else.
 */
import { existsSync } from "node:fs";

/** Stages follow each other; the groups of a stage run beside each other, a process each. */
type Stages = readonly (readonly (readonly string[])[])[];

const tiers: Readonly<Record<string, Stages>> = {
  unit: [
    [
      [
        "./src",
        "./bench",
        "./test/architecture",
        "./test/wire",
        "./test/compat",
        "./test/support",
        "./test/crash/short",
      ],
    ],
  ],
  system: [
    // The rigs on a simulated disk only compute, and the clients mostly wait.
    [["./test/conformance", "./test/clients", "./test/system"], ["./test/crash/long/model"]],
    // These measure a process, and have the machine to themselves.
    [["./test/crash/long/process"]],
  ],
};

const [tier = "", ...filters] = process.argv.slice(2);
const stages = tiers[tier];
if (stages === undefined) throw new Error(`no such tier: ${tier}`);
/** Only what hangs takes so long, however slow the machine. */
const timeoutMs = tier === "system" ? 2_700_000 : 300_000;

const counts = { passed: 0, failed: 0, skipped: 0 };
for (const groups of filters.length > 0 ? [[filters]] : stages) {
  await Promise.all(groups.map((paths, index) => runGroup(paths, index === 0)));
}
process.stdout.write(
  `\n${counts.passed} passed, ${counts.failed} failed, ${counts.skipped} skipped\n`,
);
process.exit(counts.failed === 0 ? 0 : 1);

/** What is not shown as it comes is shown at the end, so that two reports are not mixed. */
async function runGroup(paths: readonly string[], isShown: boolean): Promise<void> {
  const present = filters.length > 0 ? paths : paths.filter((path) => existsSync(path));
  const child = Bun.spawn([process.execPath, "test", `--timeout=${timeoutMs}`, ...present], {
    stdin: "ignore",
    stdout: "inherit",
    stderr: "pipe",
  });
  // bun test reports on stderr; pass it on and keep its closing lines.
  let report = "";
  const decoder = new TextDecoder();
  for await (const chunk of child.stderr) {
    if (isShown) process.stderr.write(chunk);
    report += decoder.decode(chunk, { stream: true });
  }
  if (!isShown) process.stderr.write(report);
  const exitCode = await child.exited;
  const [passed, failed] = [closingCount(report, "pass"), closingCount(report, "fail")];
  // A crash of the runner, or a run of no test, is a failure too.
  const broken = failed === 0 && (exitCode !== 0 || passed === 0) ? 1 : 0;
  counts.passed += passed;
  counts.failed += failed + broken;
  counts.skipped += closingCount(report, "skip");
}

function closingCount(report: string, word: string): number {
  // oxlint-disable-next-line no-control-regex -- bun test colours its closing lines
  const plain = report.slice(-4_000).replace(/\u001b\[[0-9;]*m/g, "");
  const matches = [...plain.matchAll(new RegExp(`^\\s*(\\d+) ${word}$`, "gm"))];
  return Number(matches.at(-1)?.[1] ?? 0);
}
