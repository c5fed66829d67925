/**
 * What the official conformance suites found, read from their reports. An exit code is not enough:
 * that of the runner is 0 after an error in its own configuration, and none speaks of skips.
 */
export interface ConformanceCounts {
  readonly tests: number;
  readonly failures: number;
  readonly errors: number;
  readonly skipped: number;
  readonly disabled: number;
}

/** Reads the counts on the outermost element of `junit.xml`; an absent count is zero. */
export function junitCounts(xml: string): ConformanceCounts {
  const element = /<testsuites\b([^>]*)>/.exec(xml)?.[1];
  if (element === undefined) throw new Error("junit.xml has no element testsuites");
  const count = (name: string): number => {
    const value = new RegExp(`\\b${name}="(\\d+)"`).exec(element)?.[1];
    return value === undefined ? 0 : Number(value);
  };
  return {
    tests: count("tests"),
    failures: count("failures"),
    errors: count("errors"),
    skipped: count("skipped"),
    disabled: count("disabled"),
  };
}

/** The names of the tests in `junit.xml` that did not pass, each with what was said of it. */
export function notPassed(xml: string): string[] {
  return [...xml.matchAll(/<testcase\b([^>]*?)(?:\/>|>([\s\S]*?)<\/testcase>)/g)]
    .filter(([, attributes = ""]) => !attributes.includes('status="passed"'))
    .map(([, attributes = "", body = ""]) => {
      const name = /\bname="([^"]*)"/.exec(attributes)?.[1] ?? "?";
      const status = /\bstatus="([^"]*)"/.exec(attributes)?.[1] ?? "?";
      const said =
        /<system-out>([\s\S]*?)<\/system-out>/.exec(body)?.[1] ??
        /<failure\b[^>]*?\bmessage="([^"]*)"/.exec(body)?.[1] ??
        "";
      return `${status}: ${name}${said === "" ? "" : `: ${plain(said)}`}`;
    });
}

/** The text of an element or attribute, on one line. */
function plain(text: string): string {
  const entities: Readonly<Record<string, string>> = {
    lt: "<",
    gt: ">",
    quot: '"',
    amp: "&",
    "#34": '"',
    "#39": "'",
    "#xA": "\n",
  };
  return text
    .replace(/&([a-z]+|#\w+);/g, (entity, name: string) => entities[name] ?? entity)
    .replace(/\s+/g, " ")
    .trim();
}

/**
 * The verdicts in `results.yaml` that are no pass, those on the APIs before those on the data, and
 * sorted: `apis.Blob mount: FAIL`. The settings beside them hold the same words and are no verdicts.
 *
 * @throws when one of the two lists is not there.
 */
export function verdictsNotPassed(results: unknown): string[] {
  return ["apis", "data"].flatMap((list) => {
    const verdicts = Object.entries(member(results, list));
    if (verdicts.length === 0) throw new Error(`results.yaml has no verdicts in ${list}`);
    return verdicts
      .filter(([, verdict]) => verdict !== "Pass")
      .map(([row, verdict]) => `${list}.${row}: ${String(verdict)}`)
      .toSorted();
  });
}

function member(value: unknown, name: string): object {
  const found: unknown =
    typeof value === "object" && value !== null ? Reflect.get(value, name) : undefined;
  return typeof found === "object" && found !== null ? found : {};
}

/** The versions of the specification that the runner of its main branch is asked for. */
export type RunnerVersion = "1.1" | "dev";

export interface RunnerReport {
  readonly version: RunnerVersion;
  /** Whether manifests of what was never pushed were to be accepted. */
  readonly isSparseAsked: boolean;
  readonly junit: string;
  /** `results.yaml`, parsed. */
  readonly results: unknown;
}

/** Fewer than any version counts when all is well: the sum of every answer that was judged. */
const runnerTestsMin = 800;

/** What a version leaves out by itself, because it is newer than that version. */
const leftOutBy: Readonly<Record<RunnerVersion, readonly string[]>> = {
  "1.1": [
    ...["sha256", "sha512"].map(
      (it) => `skipped: OCI Conformance Test/${it} blobs/post cancel/blob-post-cancel`,
    ),
    "apis.Blob upload cancel: Disabled",
    "apis.Manifest put with tag params: Disabled",
    "data.Tag Param: Disabled",
    "data.Tag Param sha512: Disabled",
  ],
  dev: [],
};

/**
 * All that keeps a run of the runner from being one without fault, a line each. Nothing may fail,
 * break or be skipped, and nothing be disabled but what the version does not know and, where they
 * were not asked for, sparse manifests.
 */
export function shortfallsOf(report: RunnerReport): string[] {
  const counts = junitCounts(report.junit);
  const sparse = report.isSparseAsked ? [] : ["data.Sparse Manifests: Disabled"];
  const leftOut = new Set([...leftOutBy[report.version], ...sparse]);
  // junit.xml calls a disabled test skipped, and counts it as disabled.
  const disabled = [...leftOut].filter((line) => line.startsWith("skipped: ")).length;
  const lines = [...notPassed(report.junit), ...verdictsNotPassed(report.results)];
  return [
    ...lines.filter((line) => !leftOut.has(line)),
    ...(counts.failures === 0 ? [] : [`${counts.failures} failures, not 0`]),
    ...(counts.errors === 0 ? [] : [`${counts.errors} errors, not 0`]),
    ...(counts.skipped === 0 ? [] : [`${counts.skipped} tests skipped, not 0`]),
    ...(counts.disabled === disabled ? [] : [`${counts.disabled} tests disabled, not ${disabled}`]),
    ...(counts.tests >= runnerTestsMin ? [] : [`only ${counts.tests} tests were counted`]),
  ];
}
