/**
 * The first program of `npm start`, `npm test` and the others: plain Node, no dependency.
 *
 * It installs what is missing, finds Bun (whether or not npm was allowed to run Bun's install
 * script), and runs `bun <file> …` — or, with `--bin name …`, a program from node_modules/.bin.
 */
import { spawn, spawnSync } from "node:child_process";
import { existsSync, readdirSync, readFileSync, statSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const root = join(dirname(fileURLToPath(import.meta.url)), "..");
const modules = join(root, "node_modules");
const [major] = process.versions.node.split(".");
if (Number(major) < 20) fail(`Berth's scripts need Node 20 or newer; this is ${process.version}.`);

const slowInstall =
  "npm has been at it for a minute. If it goes on: is its registry reachable, or a mirror of it set\n" +
  "in .npmrc? Does Node know your company's certificates (NODE_EXTRA_CA_CERTS=ca.crt)?\n";

const args = process.argv.slice(2);
// What the program is made of is all that it takes to run it, or to make the executable.
const onlyRuntime = ["src/main.ts", "scripts/build.ts"].includes(args[0]);
if (!isInstalled(onlyRuntime)) await install(onlyRuntime);

const command = args[0] === "--bin" ? localProgram(args[1]) : bunProgram();
const rest = args[0] === "--bin" ? args.slice(2) : args;
// src/server/thread-pool.ts says why; from its sources Berth comes too late to say it itself.
const env = { UV_THREADPOOL_SIZE: "16", ...process.env, BERTH_ROOT: root };
const child = spawn(command, rest, { stdio: "inherit", env });
for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"]) process.on(signal, () => child.kill(signal));
child.on("error", (error) => fail(`${command} could not be started: ${error.message}`));
child.on("exit", (code, signal) => process.exit(signal === null ? code : 1));

/** True when every package that package.json pins is there in that version. */
function isInstalled(runtimeOnly) {
  const manifest = readJson(join(root, "package.json"));
  const wanted = { ...manifest.dependencies, ...(runtimeOnly ? {} : manifest.devDependencies) };
  return Object.entries(wanted).every(([name, version]) => {
    const path = join(modules, name, "package.json");
    return existsSync(path) && readJson(path).version === version;
  });
}

async function install(runtimeOnly) {
  // Not `npm ci`: it refuses a lock file that was written where a package of another platform
  // could not be seen, although this platform needs nothing of it.
  const npmArgs = ["install", "--no-save", "--no-fund", "--no-audit", "--loglevel=error"];
  if (runtimeOnly) npmArgs.push("--omit=dev");
  process.stderr.write("Installing what is missing (npm install), once …\n");
  const npm = process.platform === "win32" ? "npm.cmd" : "npm";
  // npm's own output goes to stderr, so that stdout carries only what the program says.
  const installing = spawn(npm, npmArgs, { cwd: root, stdio: ["ignore", 2, 2] });
  // Behind a company's proxy npm tries again for many minutes, and says nothing.
  const hint = setTimeout(() => process.stderr.write(slowInstall), 60_000);
  const status = await new Promise((resolve) => {
    installing.on("error", () => resolve(1));
    installing.on("exit", resolve);
  });
  clearTimeout(hint);
  if (status !== 0) {
    fail("npm install failed. Is the npm registry reachable, or a mirror of it set in .npmrc?");
  }
}

/**
 * Bun's package moves its binary into place in an install script. Where npm did not run that
 * script, the binary still lies in the package of this platform, or the script is run here.
 */
function bunProgram() {
  const placed = join(modules, "bun", "bin", "bun.exe");
  if (isBinary(placed)) return placed;
  const platforms = join(modules, "@oven");
  for (const name of existsSync(platforms) ? readdirSync(platforms) : []) {
    const path = join(platforms, name, "bin", "bun");
    if (isBinary(path)) return path;
  }
  spawnSync(process.execPath, ["install.js"], { cwd: join(modules, "bun"), stdio: "ignore" });
  if (isBinary(placed)) return placed;
  return fail(
    "Bun's binary is missing from node_modules. npm did not install the package @oven/bun-* of\n" +
      `this platform (${process.platform} ${process.arch}). Remove node_modules and run again\n` +
      "without --omit=optional and --ignore-scripts.",
  );
}

function isBinary(path) {
  // npm leaves a text stub of a few hundred bytes where the install script did not run.
  return (
    existsSync(path) &&
    statSync(path).size > 1_000_000 &&
    spawnSync(path, ["--version"], { stdio: "ignore" }).status === 0
  );
}

function localProgram(name) {
  const path = join(modules, ".bin", name);
  if (!existsSync(path)) fail(`${name} is not in node_modules/.bin.`);
  return path;
}

function readJson(path) {
  return JSON.parse(readFileSync(path, "utf8"));
}

function fail(message) {
  process.stderr.write(`${message}\n`);
  process.exit(1);
}
