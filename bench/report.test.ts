import { describe, expect, test } from "bun:test";
import type { Result } from "./report.ts";
import { describeVerdict, judge, median } from "./report.ts";
import type { Target } from "./targets.ts";

describe("median", () => {
  test.each([
    [[3], 3],
    [[3, 1, 2], 2],
    [[4, 1, 3, 2], 2.5],
    [[10, 9, 100], 10],
  ])("of %p is %p", (values, expected) => expect(median(values)).toBe(expected));

  test("of nothing is not a number", () => expect(median([])).toBeNaN());
});

describe("judge", () => {
  const target: Target = {
    work: "w",
    of: "value",
    against: "distribution-3",
    bound: "atLeast",
    figure: 6,
  };

  test("compares medians, so that one bad round decides nothing", () => {
    const result = resultOf({ berth: [60, 61, 1], "distribution-3": [10, 10, 30] });
    expect(judge(target, result)).toEqual({ target, figure: 6, isReached: true });
  });

  test("a target that is just missed is missed", () => {
    const verdict = judge(target, resultOf({ berth: [59.9], "distribution-3": [10] }));
    expect(verdict?.isReached).toBe(false);
    expect(describeVerdict(target, verdict, "requests/s")).toBe(
      "≥ 6 × distribution-3: **5.99** ✗ missed",
    );
  });

  test("the best of the others is never Berth itself", () => {
    const best: Target = { ...target, against: "best", figure: 1 };
    const result = resultOf({ berth: [9], "distribution-3": [2], nginx: [4.5] });
    expect(judge(best, result)?.figure).toBe(2);
  });

  test("a bound without a contestant is a plain figure", () => {
    const memory: Target = { work: "w", of: "value", bound: "atMost", figure: 120 };
    expect(judge(memory, resultOf({ berth: [119, 120, 500] }))?.isReached).toBe(true);
    expect(judge(memory, resultOf({ berth: [121] }))?.isReached).toBe(false);
  });

  test("says nothing when one of the two was not measured", () => {
    expect(judge(target, resultOf({ berth: [1] }))).toBeUndefined();
    expect(judge(target, resultOf({ "distribution-3": [1], berth: [] }))).toBeUndefined();
    expect(describeVerdict(target, undefined, "requests/s")).toBe(
      "≥ 6 × distribution-3: not measured",
    );
  });
});

function resultOf(values: Readonly<Record<string, readonly number[]>>): Result {
  const measurements = Object.fromEntries(
    Object.entries(values).map(([name, each]) => [
      name,
      each.map((value) => ({ value, facts: {} })),
    ]),
  );
  const work = {
    id: "w",
    title: "w",
    unit: "requests/s",
    isHigherBetter: true,
    checked: "nothing",
  } as const;
  return { work, measurements, failures: {} };
}
