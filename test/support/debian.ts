/**
 * Programs from Debian: packages of the release that is installed, and packages of a newer suite
 * unpacked into a folder beside the system.
 *
 * No mirror is named here: it is the one that the machine's own apt sources name.
 */
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { run, tryRun } from "./processes.ts";

const servicePolicy = "/usr/sbin/policy-rc.d";
const archiveKeyring = "/usr/share/keyrings/debian-archive-keyring.gpg";

const isRoot = process.getuid?.() === 0;

/** Installs what is missing of `packages`; returns why it could not, or undefined. */
export async function installPackages(packages: readonly string[]): Promise<string | undefined> {
  if (!existsSync("/usr/bin/apt-get")) return "this is not a Debian system";
  const known = await tryRun(["dpkg-query", "-W", "-f", "${Package} ${db:Status-Status}\n"]);
  const installed = new Set(
    known.stdout
      .split("\n")
      .filter((line) => line.endsWith(" installed"))
      .map((line) => line.split(" ")[0]),
  );
  const missing = packages.filter((name) => !installed.has(name));
  if (missing.length === 0) return undefined;
  if (!isRoot) return `as root: apt-get install ${missing.join(" ")}`;
  // A server's package starts the server; these are started by the tests only.
  const hasPolicy = existsSync(servicePolicy);
  if (!hasPolicy) writeFileSync(servicePolicy, "#!/bin/sh\nexit 101\n", { mode: 0o755 });
  try {
    await run(["apt-get", "-qq", "update"]);
    await run(["apt-get", "-qq", "install", "-y", "--no-install-recommends", ...missing], {
      env: { DEBIAN_FRONTEND: "noninteractive" },
      timeoutMs: 300_000,
    });
    return undefined;
  } catch (error) {
    return `apt-get install failed: ${reason(error)}`;
  } finally {
    if (!hasPolicy) rmSync(servicePolicy, { force: true });
  }
}

export interface Suite {
  /** The root that the packages are unpacked in. */
  readonly root: string;
  /** Packages that could not be had, each with the reason. */
  readonly missing: ReadonlyMap<string, string>;
}

/**
 * Unpacks `packages` of another suite below `folder`. Nothing is installed and dpkg's state is not
 * touched: apt runs on a state of its own, and checks the signatures as ever.
 */
export async function unpackSuite(
  suite: string,
  packages: readonly string[],
  folder: string,
): Promise<Suite> {
  const root = join(folder, suite);
  const state = join(folder, `${suite}.apt`);
  const missing = new Map<string, string>();
  const wanted = packages.filter((name) => !existsSync(join(state, "unpacked", name)));
  if (wanted.length === 0) return { root, missing };

  for (const part of ["lists/partial", "archives/partial", "parts", "unpacked"]) {
    mkdirSync(join(state, part), { recursive: true });
  }
  mkdirSync(root, { recursive: true });
  writeFileSync(join(state, "status"), "");
  try {
    const source = `deb [signed-by=${archiveKeyring}] ${debianMirror()} ${suite} main\n`;
    writeFileSync(join(state, "sources.list"), source);
    writeFileSync(join(state, "apt.conf"), aptConfiguration(state));
    await run(["apt-get", "-qq", "update"], { env: { APT_CONFIG: join(state, "apt.conf") } });
  } catch (error) {
    for (const name of wanted) missing.set(name, `suite ${suite}: ${reason(error)}`);
    return { root, missing };
  }
  for (const name of wanted) {
    // One at a time: in a moving suite one package may be gone while the others are there.
    const archives = join(state, "archives", name);
    rmSync(archives, { recursive: true, force: true });
    mkdirSync(archives);
    const env = { APT_CONFIG: join(state, "apt.conf") };
    try {
      await run(["apt-get", "-qq", "download", name], { env, cwd: archives, timeoutMs: 300_000 });
      for (const file of readdirSync(archives)) {
        await run(["dpkg-deb", "-x", join(archives, file), root]);
      }
      writeFileSync(join(state, "unpacked", name), readdirSync(archives).join());
    } catch (error) {
      missing.set(name, `${name} of suite ${suite}: ${reason(error)}`);
    }
    rmSync(archives, { recursive: true, force: true });
  }
  return { root, missing };
}

/** The version of a package that was installed, or unpacked from another suite. */
export async function packageVersion(name: string, suiteState?: string): Promise<string> {
  if (suiteState === undefined) return run(["dpkg-query", "-W", "-f", "${Version}", name]);
  // The archive's name: package_version_architecture.deb
  const archive = readFileSync(join(suiteState, "unpacked", name), "utf8");
  return decodeURIComponent(archive.split("_")[1] ?? "");
}

/** The mirror of the Debian archive in the machine's apt sources, in either of their two forms. */
export function debianMirror(): string {
  const folder = "/etc/apt/sources.list.d";
  const files = [
    join(folder, "debian.sources"),
    ...(existsSync(folder) ? readdirSync(folder).map((name) => join(folder, name)) : []),
    "/etc/apt/sources.list",
  ];
  for (const file of files.filter((path) => existsSync(path))) {
    const found = readFileSync(file, "utf8").match(
      /^(?:URIs:|deb(?:\s+\[[^\]]*\])?)\s+(\S+\/debian)\/?(?:\s|$)/m,
    );
    if (found?.[1] !== undefined) return found[1];
  }
  throw new Error("no Debian archive in the apt sources");
}

function aptConfiguration(state: string): string {
  return [
    `Dir::Etc::sourcelist "${state}/sources.list";`,
    `Dir::Etc::sourceparts "${state}/parts";`,
    `Dir::Etc::preferencesparts "${state}/parts";`,
    `Dir::State "${state}";`,
    `Dir::State::status "${state}/status";`,
    `Dir::Cache "${state}";`,
    `APT::Sandbox::User "root";`,
    "",
  ].join("\n");
}

function reason(error: unknown): string {
  const text = error instanceof Error ? error.message : String(error);
  return text.trim().split("\n").slice(-2).join(" ");
}
