/** Everything that can be said about the sources without running them: `npm run check`. */

const checks: readonly (readonly [name: string, command: readonly string[]])[] = [
  ["types", ["tsc", "--noEmit"]],
  ["lint", ["oxlint", "--type-aware", "--deny-warnings"]],
  ["format", ["biome", "check", "--error-on-warnings", "."]],
  ["unused", ["knip"]],
];

let failed = 0;
for (const [name, [program = "", ...args]] of checks) {
  const result = Bun.spawnSync([`node_modules/.bin/${program}`, ...args], {
    stdout: "inherit",
    stderr: "inherit",
  });
  const isFine = result.exitCode === 0;
  if (!isFine) failed += 1;
  process.stdout.write(`${isFine ? "ok    " : "FAILED"} ${name}\n`);
}
process.stdout.write(`\n${checks.length - failed} passed, ${failed} failed\n`);
process.exit(failed === 0 ? 0 : 1);
