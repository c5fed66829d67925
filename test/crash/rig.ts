/**
 * What every rig of this folder is: one kind of fault, put to a registry again and again, and the
 * figures that come out of it.
 *
 *   test/crash/<rig>.ts              the rig: exports a `Rig`
 *   test/crash/short/<rig>.test.ts   its short form, in `npm test`
 *   test/crash/long/…/<rig>.test.ts  its long form, in `npm run test:system`
 *   test/crash/report.ts             all long forms, one table: `npm run test:crash -- --report`
 */
export interface RigOptions {
  /** The same seed puts the same faults. Printed with every failure. */
  readonly seed: number;
  /** `short` takes seconds and runs with every change; `long` reaches the promised figures. */
  readonly form: "short" | "long";
  /** Told of progress; for people. */
  readonly say: (line: string) => void;
}

export interface Figure {
  /** What was counted: `acknowledged pushes lost`. */
  readonly name: string;
  readonly value: number;
  /** What the long form promises, for people: `0`, `≥ 20,000`, `< 1 s`. */
  readonly target: string;
  /** Whether the value is what this form must reach. */
  readonly holds: boolean;
  /** What went wrong, one line each, with what repeats it. At most a few. */
  readonly evidence?: readonly string[];
}

export interface Rig {
  readonly name: string;
  /** The fault in a few words, as in the table of the report. */
  readonly fault: string;
  /** Why it cannot run on this machine, or undefined when it can. */
  readonly unavailable?: () => Promise<string | undefined>;
  run(options: RigOptions): Promise<readonly Figure[]>;
}

/** What a test says of figures that do not hold; empty when all do. */
export function failuresOf(figures: readonly Figure[], { seed }: Pick<RigOptions, "seed">): string {
  return figures
    .filter((figure) => !figure.holds)
    .map(({ name, value, target, evidence = [] }) =>
      [`${name}: ${value}, promised ${target} (seed ${seed})`, ...evidence].join("\n  "),
    )
    .join("\n");
}

const evidenceMax = 8;

/** A figure that counts what must not be, with the first of it. */
export function none(name: string, found: readonly string[]): Figure {
  const evidence = [...new Set(found)].slice(0, evidenceMax);
  return { name, value: found.length, target: "0", holds: found.length === 0, evidence };
}

/** A figure of at least `min`. */
export function atLeast(name: string, value: number, min: number): Figure {
  return { name, value, target: `≥ ${min.toLocaleString("en")}`, holds: value >= min };
}
