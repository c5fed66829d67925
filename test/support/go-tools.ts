/**
 * What comes as Go modules and is built here: the two conformance suites of the OCI distribution
 * specification, and regctl. Each function returns what went wrong, or undefined.
 */
import { join } from "node:path";
import { tryRun } from "./processes.ts";

const suite = "github.com/opencontainers/distribution-spec/conformance";

/** What the build of a tool may take, with the download of what it needs. */
const buildTimeoutMs = 300_000;

/** The runner of the specification's main branch, at the commit that testing.md speaks of. */
export async function buildConformanceRunner(folder: string): Promise<string | undefined> {
  return go(["install", `${suite}@967efdc`], { env: { GOBIN: folder } });
}

/**
 * The suite of the specification's release 1.1.1: its tests, compiled to a program. The module in
 * `test/conformance/released` names the commit of that tag and the checksum of every module, so
 * that no version has to be resolved and no database of checksums be asked.
 */
export async function buildReleasedSuite(folder: string): Promise<string | undefined> {
  const program = join(folder, "conformance-1.1.1");
  return go(["test", "-c", "-trimpath", "-o", program, suite], {
    cwd: join(import.meta.dir, "..", "conformance", "released"),
    env: { GOFLAGS: "-mod=readonly", GOWORK: "off" },
  });
}

/** A client whose uploads no other client here makes. */
export async function buildRegctl(folder: string): Promise<string | undefined> {
  return go(["install", "github.com/regclient/regclient/cmd/regctl@v0.11.7"], {
    env: { GOBIN: folder },
  });
}

async function go(
  args: readonly string[],
  options: { readonly cwd?: string; readonly env: Readonly<Record<string, string>> },
): Promise<string | undefined> {
  const built = await tryRun(["go", ...args], {
    ...options,
    // The Go that is there, or none: a newer one is not fetched.
    env: { GOTOOLCHAIN: "local", ...options.env },
    timeoutMs: buildTimeoutMs,
  }).catch((error: unknown) => ({ exitCode: 127, output: String(error) }));
  if (built.exitCode === 0) return undefined;
  // The address of the proxy is nobody's business here.
  return built.output
    .replace(/https?:\/\/\S+/g, "the module proxy:")
    .trim()
    .slice(-300);
}
