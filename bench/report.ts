/** From raw measurements to medians, ratios, verdicts, and the table that shows them. */
import type { Machine } from "./machine.ts";
import type { Target } from "./targets.ts";
import type { Measurement, Work } from "./work.ts";

export interface Result {
  readonly work: Pick<Work, "id" | "title" | "unit" | "isHigherBetter" | "checked">;
  /** By contestant, in the order of the rounds. */
  readonly measurements: Readonly<Record<string, readonly Measurement[]>>;
  /** By contestant: why it has no figure in this row. */
  readonly failures: Readonly<Record<string, string>>;
}

export interface Run {
  readonly startedAt: string;
  readonly commit: string;
  readonly machine: Machine;
  readonly versions: Readonly<Record<string, string>>;
  readonly notes: readonly string[];
  readonly results: readonly Result[];
}

export interface Verdict {
  readonly target: Target;
  /** A ratio, or the value itself where the target names nobody to compare with. */
  readonly figure: number;
  readonly isReached: boolean;
}

/** The middle value; of an even number of values, the mean of the two middle ones. */
export function median(values: readonly number[]): number {
  const sorted = [...values].sort((left, right) => left - right);
  const middle = sorted.length / 2;
  const upper = sorted[Math.floor(middle)] ?? Number.NaN;
  const lower = sorted[Math.ceil(middle) - 1] ?? Number.NaN;
  return (lower + upper) / 2;
}

/** How Berth stands to a target, or undefined when one of the two has no figure. */
export function judge(target: Target, result: Result): Verdict | undefined {
  const own = medianOf(result, "berth", target.of);
  const other = target.against === undefined ? 1 : reference(target, result);
  if (own === undefined || other === undefined) return undefined;
  const figure = own / other;
  const isReached = target.bound === "atLeast" ? figure >= target.figure : figure <= target.figure;
  return { target, figure, isReached };
}

export function renderReport(run: Run, targets: readonly Target[]): string {
  const { machine } = run;
  const names = [...new Set(run.results.flatMap(({ measurements }) => Object.keys(measurements)))];
  const lines = [
    `# Benchmark, ${run.startedAt.slice(0, 10)}, commit ${run.commit}`,
    "",
    `${machine.cores} cores (${machine.processor}), ${machine.memoryGb} GB, Linux ${machine.kernel}, ` +
      `data on ${machine.dataFilesystem}, memory rows on ${machine.memoryFilesystem}, ` +
      `load average before the run ${machine.loadAverage.toFixed(2)}. ${machine.tools.join(", ")}.`,
    "",
    ...Object.entries(run.versions).map(([name, version]) => `- ${name}: ${version}`),
    ...run.notes.map((note) => `- ${note}`),
    "",
    "## Medians",
    "",
    `| work | ${names.join(" | ")} | Berth's target |`,
    `|---|${names.map(() => "---:|").join("")}---|`,
    ...run.results.map((result) => valueRow(result, names, targets)),
    "",
    "## What it cost",
    "",
    "Server CPU (ms per 1,000 requests or images, or ticks of 10 ms for one large transfer) · peak memory " +
      "(MB) · load generator's CPU over server's CPU · the machine's CPU that went elsewhere (the " +
      "kernel's own threads, and other programs: noise) · spread of the values (half the distance " +
      "from lowest to highest, % of the median).",
    "",
    `| work | ${names.join(" | ")} |`,
    `|---|${names.map(() => "---:|").join("")}`,
    ...run.results.map((result) => costRow(result, names)),
    "",
    "## What was checked",
    "",
    ...run.results.map(({ work }) => `- ${work.title}: ${work.checked}.`),
    ...run.results.flatMap(({ work, failures }) =>
      Object.entries(failures).map(([name, reason]) => `- **${work.title}, ${name}: ${reason}**`),
    ),
    "",
  ];
  return lines.join("\n");
}

function valueRow(result: Result, names: readonly string[], targets: readonly Target[]): string {
  const cells = names.map((name) => {
    const value = medianOf(result, name, "value");
    return value === undefined ? "–" : number(value);
  });
  const verdicts = targets
    .filter((target) => target.work === result.work.id)
    .map((target) => describeVerdict(target, judge(target, result), result.work.unit));
  return `| ${result.work.title}, ${result.work.unit} | ${cells.join(" | ")} | ${verdicts.join("; ")} |`;
}

function costRow(result: Result, names: readonly string[]): string {
  const isRate = result.work.unit === "requests/s" || result.work.unit === "images/s";
  const cells = names.map((name) => {
    const measurements = result.measurements[name] ?? [];
    const ticks = medianOf(result, name, "serverTicks");
    if (ticks === undefined) return measurements.length === 0 ? "–" : `· ${spread(measurements)}`;
    const requests = median(
      measurements.map(({ facts }) => Number(facts["requests"] ?? facts["images"] ?? 1)),
    );
    const time = isRate ? `${number((ticks * 10_000) / requests)} ms` : `${number(ticks)} ticks`;
    const peak = medianOf(result, name, "peakMemoryBytes");
    const client = medianOf(result, name, "clientTicks");
    return [
      time,
      peak === undefined ? "" : `${number(peak / 1e6)} MB`,
      client === undefined ? "" : `${number(client / Math.max(ticks, 1))}×`,
      elsewhere(measurements),
      spread(measurements),
    ]
      .filter((part) => part !== "")
      .join(" · ");
  });
  return `| ${result.work.title} | ${cells.join(" | ")} |`;
}

export function describeVerdict(
  target: Target,
  verdict: Verdict | undefined,
  unit: string,
): string {
  const bound = target.bound === "atLeast" ? "≥" : "≤";
  const whom = target.against === undefined ? unit : `× ${target.against}`;
  const what = target.of === "serverTicks" ? " CPU" : "";
  const wanted = `${bound} ${target.figure} ${whom}${what}`;
  if (verdict === undefined) return `${wanted}: not measured`;
  return `${wanted}: **${number(verdict.figure)}** ${verdict.isReached ? "✓" : "✗ missed"}`;
}

function reference(target: Target, result: Result): number | undefined {
  if (target.against !== "best") return medianOf(result, target.against ?? "", target.of);
  const values = Object.keys(result.measurements)
    .filter((name) => name !== "berth")
    .map((name) => medianOf(result, name, target.of))
    .filter((value) => value !== undefined);
  if (values.length === 0) return undefined;
  return result.work.isHigherBetter ? Math.max(...values) : Math.min(...values);
}

type Figure = "value" | "serverTicks" | "peakMemoryBytes" | "clientTicks";

function medianOf(result: Result, name: string, figure: Figure): number | undefined {
  const values = (result.measurements[name] ?? [])
    .map((measurement) => measurement[figure])
    .filter((value) => value !== undefined);
  return values.length === 0 ? undefined : median(values);
}

/** The median share of the machine's busy time that neither the server nor the client used. */
function elsewhere(measurements: readonly Measurement[]): string {
  const shares = measurements.flatMap(({ machineTicks, serverTicks = 0, clientTicks = 0 }) =>
    machineTicks === undefined || machineTicks === 0
      ? []
      : [Math.max(0, machineTicks - serverTicks - clientTicks) / machineTicks],
  );
  return shares.length === 0 ? "" : `${Math.round(median(shares) * 100)} % elsewhere`;
}

function spread(measurements: readonly Measurement[]): string {
  const values = measurements.map(({ value }) => value);
  const part = ((Math.max(...values) - Math.min(...values)) / median(values)) * 100;
  return `±${Math.round(part / 2)} %`;
}

/** Three digits that mean something, and thousands with a separator. */
function number(value: number): string {
  if (value >= 100) return Math.round(value).toLocaleString("en-US");
  return String(Number(value.toPrecision(3)));
}
