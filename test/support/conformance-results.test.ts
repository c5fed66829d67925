/** The runner's reports, written here by hand in the shape in which it writes them. */
import { describe, expect, test } from "bun:test";
import { parse } from "yaml";
import {
  junitCounts,
  notPassed,
  type RunnerReport,
  type RunnerVersion,
  shortfallsOf,
  verdictsNotPassed,
} from "./conformance-results.ts";

const root = "OCI Conformance Test";

interface Case {
  readonly name: string;
  readonly status: string;
  readonly said?: string;
}

/** As many tests as the runner has, with these among them. */
function junit(cases: readonly Case[], counts = ""): string {
  const elements = cases.map(({ name, status, said }) => {
    const out = said === undefined ? "" : `\n      <system-out>${said}</system-out>`;
    const exchange = "~~~ REQUEST ~~~&#xA;GET &lt;/testcase&gt; status=&#34;failure&#34;";
    return `    <testcase name="${root}/${name}" classname="" time="0.0" status="${status}">${out}
      <system-err>${exchange}</system-err>
    </testcase>`;
  });
  return `<testsuites time="12.5" tests="900"${counts}>
  <testsuite name="${root}" tests="900" failures="0" errors="0" time="12.5">
    <properties>
      <property name="Config" value="tls: disabled&#xA;commit: unknown&#xA;"></property>
    </properties>
${elements.join("\n")}
  </testsuite>
</testsuites>`;
}

/** `results.yaml`: its settings speak of disabled and unknown things too, which are no verdicts. */
function results(verdicts: { readonly apis?: string[]; readonly data?: string[] }): unknown {
  const fill = (lines: readonly string[] = []): string =>
    [...Array.from({ length: 22 }, (_, row) => `row ${row}: Pass`), ...lines]
      .map((line) => `  ${line}`)
      .join("\n");
  return parse(`config:
  registry: 127.0.0.1:34557
  tls: disabled
  username: ""
  apis:
    ping: true
    blobs:
      uploadCancel: false
  roData:
    tags: []
  version: "1.1"
  commit: unknown
apis:
${fill(verdicts.apis)}
data:
${fill(verdicts.data)}
`);
}

const cancels = ["sha256", "sha512"].map((algorithm) => ({
  name: `${algorithm} blobs/post cancel/blob-post-cancel`,
  status: "skipped",
}));
const passed = { name: "ping", status: "passed" };

/** What a run without fault leaves, in each version. */
const faultless: Readonly<Record<RunnerVersion, RunnerReport>> = {
  "1.1": {
    version: "1.1",
    isSparseAsked: true,
    junit: junit([passed, ...cancels], ' disabled="2"'),
    results: results({
      apis: ["Blob upload cancel: Disabled", "Manifest put with tag params: Disabled"],
      data: ["Tag Param: Disabled", "Tag Param sha512: Disabled", "Sparse Manifests: Pass"],
    }),
  },
  dev: {
    version: "dev",
    isSparseAsked: true,
    junit: junit([passed]),
    results: results({ apis: ["Blob upload cancel: Pass"], data: ["Sparse Manifests: Pass"] }),
  },
};

describe("what a run of the official runner falls short of", () => {
  test.each(["1.1", "dev"] as const)("nothing, when version %s passed", (version) => {
    expect(shortfallsOf(faultless[version])).toEqual([]);
  });

  test("nothing, when sparse manifests were not asked for and are the only thing left out", () => {
    const left = results({ data: ["Sparse Manifests: Disabled"] });
    const report = { ...faultless.dev, results: left };
    expect(shortfallsOf({ ...report, isSparseAsked: false })).toEqual([]);
    expect(shortfallsOf(report)).toEqual(["data.Sparse Manifests: Disabled"]);
  });

  test("what version 1.1 leaves out is no excuse in dev", () => {
    const { junit: xml, results: verdicts } = faultless["1.1"];
    expect(shortfallsOf({ ...faultless.dev, junit: xml, results: verdicts })).toEqual([
      `skipped: ${root}/sha256 blobs/post cancel/blob-post-cancel`,
      `skipped: ${root}/sha512 blobs/post cancel/blob-post-cancel`,
      "apis.Blob upload cancel: Disabled",
      "apis.Manifest put with tag params: Disabled",
      "data.Tag Param sha512: Disabled",
      "data.Tag Param: Disabled",
      "2 tests disabled, not 0",
    ]);
  });

  test("a failure, with what was said of it, and the counts", () => {
    const failed = { name: "image/push", status: "failure", said: "status 500&#xA;  &#39;x&#39;" };
    const skipped = { name: "sha256 blobs/mount", status: "skipped" };
    const report = {
      ...faultless.dev,
      junit: junit([passed, failed, skipped], ' failures="1" skipped="3"'),
      results: results({ apis: ["Blob mount: Skip"], data: ["Image: FAIL", "Index: Error"] }),
    };
    expect(shortfallsOf(report)).toEqual([
      `failure: ${root}/image/push: status 500 'x'`,
      `skipped: ${root}/sha256 blobs/mount`,
      "apis.Blob mount: Skip",
      "data.Image: FAIL",
      "data.Index: Error",
      "1 failures, not 0",
      "3 tests skipped, not 0",
    ]);
  });

  test("a run that hardly began", () => {
    const xml = '<testsuites tests="3"><testcase name="a" status="passed"></testcase></testsuites>';
    expect(shortfallsOf({ ...faultless.dev, junit: xml })).toEqual(["only 3 tests were counted"]);
  });

  test("verdicts that are not there are not taken for passed ones", () => {
    for (const broken of [undefined, {}, { apis: { Ping: "Pass" } }, { apis: {}, data: {} }]) {
      expect(() => verdictsNotPassed(broken)).toThrow("results.yaml");
    }
    const odd = { apis: { Ping: "Pass", "Tag listing": 3 }, data: { Image: null } };
    expect(verdictsNotPassed(odd)).toEqual(["apis.Tag listing: 3", "data.Image: null"]);
  });
});

describe("the reading of junit.xml", () => {
  const xml = `<testsuites tests="4" failures="1" skipped="1" time="0.1">
    <testsuite name="OCI"><testcase name="a" status="passed"></testcase>
    <testcase name="b" status="failure"><system-out>status 500</system-out></testcase>
    <testcase name="c" status="skipped"/></testsuite></testsuites>`;

  test("counts that are absent are zero, the others are read", () => {
    expect(junitCounts(xml)).toEqual({
      tests: 4,
      failures: 1,
      errors: 0,
      skipped: 1,
      disabled: 0,
    });
    expect(() => junitCounts("")).toThrow("testsuites");
  });

  test("what did not pass is named, in the words of the runner and in those of ginkgo", () => {
    expect(notPassed(xml)).toEqual(["failure: b: status 500", "skipped: c"]);
    const failed = `<testcase name="d" status="failed"><failure message="Expected&#xA;    &lt;int&gt;: 400">x</failure></testcase>`;
    expect(notPassed(failed)).toEqual(["failed: d: Expected <int>: 400"]);
  });
});
