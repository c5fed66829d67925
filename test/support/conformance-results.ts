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

/** Every verdict in `results.yaml` that is not a pass: `path.to.feature: FAIL`, sorted. */
export function verdictsNotPassed(results: unknown): string[] {
  const found: string[] = [];
  const visit = (value: unknown, path: readonly string[]): void => {
    if (typeof value === "string" && /^(skip|disabled|fail|error|unknown)$/i.test(value)) {
      found.push(`${path.join(".")}: ${value}`);
    } else if (typeof value === "object" && value !== null) {
      for (const [key, child] of Object.entries(value)) visit(child, [...path, key]);
    }
  };
  visit(results, []);
  return found.toSorted();
}
