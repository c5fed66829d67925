/**
 * The conformance suite of the specification's release 1.1.1, as its authors wrote it: all four
 * workflows, against a registry that is open, one with a password file, and one with TLS.
 *
 * It passes when nothing failed and nothing was skipped but what is named here. Its version is
 * pinned, and so the numbers are exact.
 */
import { expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { junitCounts, notPassed } from "../support/conformance-results.ts";
import { describeModes, type Endpoint, password, user } from "../support/endpoints.ts";
import { tryRun } from "../support/processes.ts";
import { temporaryFolder } from "../support/run-folder.ts";
import { describeWith } from "../support/tools.ts";

const specs = 79;
/** In junit.xml the writing of the other report counts as a test. */
const reports = 1;

const suite = "OCI Distribution Conformance Tests";
const mounts = `${suite} Push Cross-Repository Blob Mount Cross-mounting`;
const mountWithoutFrom = `${mounts} without from, and automatic content discovery`;
const isAsked = `${mountWithoutFrom} enabled should return a 201`;
const isRefused = `${mountWithoutFrom} disabled should return a 202`;

/** Tests that the suite skips by itself when it is to make its own content, or by the answers. */
const alwaysSkipped = [
  // Only for content that is there before the suite.
  `${suite} Pull Setup Get tag name from environment`,
  `${suite} Content Discovery Setup Populate registry with test tags (no push)`,
  // Only where a mount from another repository is answered with 202: here it is done.
  `${mounts} of nonexistent blob should yield session id`,
];

/** `OCI_AUTOMATIC_CROSSMOUNT`: whether mounts without `from` are expected to work. */
const crossmounts = [
  { name: "not asked of mounts without from", settings: {}, skipped: [isAsked, isRefused] },
  {
    name: "told that mounts without from work",
    settings: { OCI_AUTOMATIC_CROSSMOUNT: "1" },
    skipped: [isRefused],
  },
];

await describeWith("the released conformance suite", ["conformance-1.1.1"], (tools) => {
  const program = tools.path("conformance-1.1.1");

  describeModes((_mode, endpoint) => {
    for (const { name, settings, skipped } of crossmounts) {
      for (const order of ["blobs", "manifests"]) {
        test(`${name}, ${order} deleted first`, async () => {
          const manifestsFirst = String(order === "manifests");
          const expected = [...alwaysSkipped, ...skipped];
          const ended = await runSuite(program, endpoint(), {
            ...settings,
            OCI_DELETE_MANIFEST_BEFORE_BLOBS: manifestsFirst,
          });
          expect(ended.notPassed).toEqual(expected.map((it) => `skipped: ${it}`).toSorted());
          expect(ended.counts).toEqual({
            tests: specs + reports,
            failures: 0,
            errors: 0,
            skipped: 0,
            // ginkgo's word for what was skipped.
            disabled: expected.length,
          });
          const passed = specs - expected.length;
          expect(ended.output).toContain(`Ran ${passed} of ${specs} Specs`);
          expect(ended.output).toContain(
            `${passed} Passed | 0 Failed | 0 Pending | ${expected.length} Skipped`,
          );
          expect(ended.exitCode).toBe(0);
        });
      }
    }

    // Berth cannot be told so. The suite says it, and the reading of its reports passes it on.
    test("told that mounts without from do not work, it fails in that one test", async () => {
      const ended = await runSuite(program, endpoint(), { OCI_AUTOMATIC_CROSSMOUNT: "0" });
      expect(ended.notPassed.filter((line) => !line.startsWith("skipped: "))).toEqual([
        expect.stringContaining(`failed: ${isRefused}: Expected`),
      ]);
      expect(ended.counts).toMatchObject({ failures: 1, errors: 0 });
      expect(ended.exitCode).toBe(1);
    });
  });
});

async function runSuite(
  program: string,
  { server, mode, needsLogin }: Endpoint,
  settings: Readonly<Record<string, string>>,
) {
  const folder = temporaryFolder("conformance-1.1.1");
  // The layer of the suite is always the same: each run has repositories of its own.
  const repository = `released/${Bun.randomUUIDv7()}`;
  const { output, exitCode } = await tryRun([program, "-ginkgo.no-color"], {
    cwd: folder,
    env: {
      OCI_ROOT_URL: server.origin,
      OCI_NAMESPACE: `${repository}/one`,
      OCI_CROSSMOUNT_NAMESPACE: `${repository}/two`,
      OCI_TEST_PULL: "1",
      OCI_TEST_PUSH: "1",
      OCI_TEST_CONTENT_DISCOVERY: "1",
      OCI_TEST_CONTENT_MANAGEMENT: "1",
      OCI_REPORT_DIR: folder,
      ...(needsLogin && { OCI_USERNAME: user, OCI_PASSWORD: password }),
      ...settings,
    },
    timeoutMs: 120_000,
  });
  const xml = readFileSync(join(folder, "junit.xml"), "utf8");
  const counts = junitCounts(xml);
  process.stdout.write(
    `conformance 1.1.1 ${mode} ${JSON.stringify(settings)}: ${JSON.stringify(counts)}\n`,
  );
  return { counts, notPassed: notPassed(xml).toSorted(), output, exitCode };
}
