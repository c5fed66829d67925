/** Makes `dist/berth`: one executable that runs without Node, Bun or npm. */
import { mkdirSync, statSync } from "node:fs";

mkdirSync("dist", { recursive: true });
const result = Bun.spawnSync(
  [
    process.execPath,
    "build",
    "src/main.ts",
    "--compile",
    "--minify",
    "--bytecode",
    "--format=esm",
    "--outfile=dist/berth",
  ],
  { stdout: "inherit", stderr: "inherit" },
);
if (result.exitCode !== 0) process.exit(result.exitCode);
const megabytes = Math.round(statSync("dist/berth").size / 1e6);
process.stdout.write(`dist/berth, ${megabytes} MB\n`);
