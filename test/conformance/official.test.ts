/**
 * The conformance runner of the OCI distribution specification's main branch, as its authors wrote
 * it, in both of its versions: open, with sparse manifests refused and accepted, with a password
 * file, and over TLS. What a faultless run is, is said in `conformance-results.ts`.
 */
import { expect, test } from "bun:test";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { parse } from "yaml";
import { junitCounts, type RunnerVersion, shortfallsOf } from "../support/conformance-results.ts";
import { password, startEndpoint, user } from "../support/endpoints.ts";
import { tryRun } from "../support/processes.ts";
import { type RegistryServer, startRegistry } from "../support/registry-server.ts";
import { temporaryFolder } from "../support/run-folder.ts";
import { describeWith } from "../support/tools.ts";

const versions: readonly RunnerVersion[] = ["1.1", "dev"];

/** A layer that is missing is only accepted where manifests are not validated at all. */
const acceptsSparse = { validation: { disabled: true } };

await describeWith("the official conformance runner", ["conformance"], (tools) => {
  const runner = tools.path("conformance");
  const login = { OCI_USERNAME: user, OCI_PASSWORD: password };

  for (const version of versions) {
    test(`version ${version}, sparse manifests left out`, async () => {
      const server = await startRegistry();
      await expectFaultless(runner, { version, server });
    });

    test(`version ${version}, sparse manifests accepted`, async () => {
      const server = await startRegistry({ config: acceptsSparse });
      await expectFaultless(runner, { version, server, isSparseAsked: true });
    });

    for (const isRemembered of [true, false]) {
      test(`version ${version}, a password ${isRemembered ? "asked for once" : "asked for each time"}`, async () => {
        const { server } = await startEndpoint("htpasswd");
        const settings = { ...login, OCI_CACHE_AUTH: String(isRemembered) };
        await expectFaultless(runner, { version, server, settings });
      });
    }

    test(`version ${version}, over TLS with a certificate of a private authority`, async () => {
      const { server, authority } = await startEndpoint("tls");
      // The runner trusts whom Go trusts: its own setting for such certificates has no effect.
      const trust = { SSL_CERT_FILE: authority?.certificateFile ?? "" };
      const settings = { ...login, ...trust, OCI_TLS: "enabled" };
      await expectFaultless(runner, { version, server, settings });
    });
  }
});

interface Run {
  readonly version: RunnerVersion;
  /** Is stopped at the end. */
  readonly server: RegistryServer;
  readonly isSparseAsked?: boolean;
  readonly settings?: Readonly<Record<string, string>>;
}

async function expectFaultless(
  runner: string,
  { version, server, isSparseAsked = false, settings }: Run,
): Promise<void> {
  const folder = temporaryFolder("conformance");
  const { output, exitCode } = await tryRun([runner], {
    cwd: folder,
    env: {
      OCI_REGISTRY: server.host,
      OCI_TLS: "disabled",
      OCI_REPO1: "conformance/one",
      OCI_REPO2: "conformance/two",
      OCI_VERSION: version,
      OCI_DATA_SPARSE: String(isSparseAsked),
      OCI_RESULTS_DIR: folder,
      ...settings,
    },
    timeoutMs: 600_000,
  });
  await server.stop();

  // Settings that it does not understand end the runner without a report, and with exit code 0.
  const [junit, yaml] = ["junit.xml", "results.yaml"].map((name) => readIfThere(folder, name));
  if (junit === undefined || yaml === undefined) {
    const left = readdirSync(folder).join(", ");
    throw new Error(`the runner left no report (${left}):\n${output.slice(-4_000)}`);
  }
  process.stdout.write(`conformance ${version}: ${JSON.stringify(junitCounts(junit))}\n`);
  expect(shortfallsOf({ version, isSparseAsked, junit, results: parse(yaml) })).toEqual([]);
  expect(exitCode).toBe(0);
}

function readIfThere(folder: string, name: string): string | undefined {
  try {
    return readFileSync(join(folder, name), "utf8");
  } catch {
    return undefined;
  }
}
