/**
 * The conformance runner of the OCI distribution specification's main branch, as its authors wrote
 * it, in both of its versions. No failure, no error and no skip is accepted; sparse manifests may be disabled
 * where the registry is told to refuse them.
 */
import { describe, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { parse } from "yaml";
import { junitCounts, notPassed, verdictsNotPassed } from "../support/conformance-results.ts";
import { tryRun } from "../support/processes.ts";
import { type RegistryConfig, startRegistry } from "../support/registry-server.ts";
import { temporaryFolder } from "../support/run-folder.ts";
import { describeWith } from "../support/tools.ts";

const refusesSparse: RegistryConfig = {};
const acceptsSparse: RegistryConfig = {
  validation: { manifests: { indexes: { platforms: "none" } } },
};

await describeWith("the official conformance runner", ["conformance"], (tools) => {
  for (const version of ["1.1", "dev"]) {
    for (const sparse of [false, true]) {
      test(`version ${version}, sparse manifests ${sparse ? "accepted" : "disabled"}`, async () => {
        const server = await startRegistry({ config: sparse ? acceptsSparse : refusesSparse });
        const folder = temporaryFolder("conformance");
        const ended = await tryRun([tools.path("conformance")], {
          cwd: folder,
          env: {
            OCI_REGISTRY: server.host,
            OCI_TLS: "disabled",
            OCI_REPO1: "conformance/one",
            OCI_REPO2: "conformance/two",
            OCI_VERSION: version,
            OCI_DATA_SPARSE: String(sparse),
            OCI_RESULTS_DIR: folder,
          },
          timeoutMs: 600_000,
        });
        await server.stop();

        const xml = readIfThere(join(folder, "junit.xml"));
        const yaml = readIfThere(join(folder, "results.yaml"));
        if (xml === undefined || yaml === undefined) {
          throw new Error(`the runner left no report:\n${ended.output.slice(-4_000)}`);
        }
        const counts = junitCounts(xml);
        process.stdout.write(
          `conformance ${version} sparse=${sparse}: ${JSON.stringify(counts)}\n`,
        );
        // junit calls what is disabled skipped: its name says which it is.
        const maySay = (line: string): boolean => !sparse && /sparse/i.test(line);
        expect(notPassed(xml).filter((line) => !maySay(line))).toEqual([]);
        expect(verdictsNotPassed(parse(yaml)).filter((line) => !maySay(line))).toEqual([]);
        expect(counts.tests).toBeGreaterThan(500);
        expect(counts).toMatchObject({ failures: 0, errors: 0, skipped: 0 });
        if (sparse) expect(counts.disabled).toBe(0);
      });
    }
  }
});

describe("the reading of its reports", () => {
  const junit = `<testsuites tests="4" failures="1" skipped="1" time="0.1">
    <testsuite name="OCI"><testcase name="a" status="passed"></testcase>
    <testcase name="b" status="failure"><system-out>status 500</system-out></testcase>
    <testcase name="c" status="skipped"/></testsuite></testsuites>`;

  test("counts that are absent are zero, the others are read", () => {
    expect(junitCounts(junit)).toEqual({
      tests: 4,
      failures: 1,
      errors: 0,
      skipped: 1,
      disabled: 0,
    });
    expect(() => junitCounts("")).toThrow("testsuites");
  });

  test("what did not pass is named", () => {
    expect(notPassed(junit)).toEqual(["failure: b: status 500", "skipped: c"]);
    const failed = `<testcase name="d" status="failed"><failure message="Expected&#xA;    &lt;int&gt;: 400">x</failure></testcase>`;
    expect(notPassed(failed)).toEqual(["failed: d: Expected <int>: 400"]);
    const results = { api: { push: "Pass", delete: "Skip" }, data: [{ image: "FAIL" }] };
    expect(verdictsNotPassed(results)).toEqual(["api.delete: Skip", "data.0.image: FAIL"]);
  });
});

function readIfThere(path: string): string | undefined {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return undefined;
  }
}
