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

const tiers: Readonly<Record<string, readonly string[]>> = {
  unit: [
    "./src",
    "./bench",
    "./test/architecture",
    "./test/wire",
    "./test/compat",
    "./test/crash/short",
  ],
  system: [
    "./test/conformance",
    "./test/clients",
    "./test/system",
    "./test/browser",
    "./test/crash/long",
  ],
};

const [tier = "", ...filters] = process.argv.slice(2);
const folders = tiers[tier];
if (folders === undefined) throw new Error(`no such tier: ${tier}`);
const paths = filters.length > 0 ? filters : folders.filter((folder) => existsSync(folder));

const timeoutMs = tier === "system" ? 900_000 : 60_000;
const child = Bun.spawn([process.execPath, "test", `--timeout=${timeoutMs}`, ...paths], {
  stdin: "ignore",
  stdout: "inherit",
  stderr: "pipe",
});

// bun test reports on stderr; pass it on and keep its closing lines.
let report = "";
const decoder = new TextDecoder();
for await (const chunk of child.stderr) {
  process.stderr.write(chunk);
  report = (report + decoder.decode(chunk, { stream: true })).slice(-4_000);
}
const exitCode = await child.exited;

const passed = closingCount("pass");
const failed = closingCount("fail");
// A crash of the runner, or a run of no test, is a failure too.
const broken = failed === 0 && (exitCode !== 0 || passed === 0) ? 1 : 0;
process.stdout.write(
  `\n${passed} passed, ${failed + broken} failed, ${closingCount("skip")} skipped\n`,
);
process.exit(exitCode === 0 && broken === 0 ? 0 : 1);

function closingCount(word: string): number {
  // oxlint-disable-next-line no-control-regex -- bun test colours its closing lines
  const plain = report.replace(/\u001b\[[0-9;]*m/g, "");
  const matches = [...plain.matchAll(new RegExp(`^\\s*(\\d+) ${word}$`, "gm"))];
  return Number(matches.at(-1)?.[1] ?? 0);
}
