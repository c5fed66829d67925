import { expect, test } from "bun:test";
import { matchesAny, parseGlob } from "./glob.ts";

function matches(text: string, name: string): boolean {
  const glob = parseGlob(text);
  if ("wrong" in glob) throw new Error(glob.wrong);
  return glob.matches(name);
}

test.each([
  ["team/*", "team/app", true],
  ["team/*", "team/app/web", false],
  ["team/*", "steam/app", false],
  ["team/**", "team/app/web", true],
  ["team/**", "teams/app", false],
  ["**", "app", true],
  ["**", "team/app/web", true],
  ["*", "app", true],
  ["*", "team/app", false],
  ["**/app", "app", true],
  ["**/app", "team/deep/app", true],
  ["v1.*", "v1.2.3", true],
  ["v1.*", "v12", false],
  ["v1.*", "xv1.2", false],
  ["*", ".hidden", true],
  ["*", "_x", true],
  ["pr-?", "pr-1", true],
  ["pr-?", "pr-12", false],
  ["pr-[0-9]*", "pr-12", true],
  ["pr-[0-9]*", "pr-x", false],
  ["{main,release-*}", "main", true],
  ["{main,release-*}", "release-7", true],
  ["{main,release-*}", "mainly", false],
  ["v{1..3}", "v2", true],
  ["RC", "rc", false],
  ["latest", "latest", true],
  ["latest", "latest2", false],
  ["a+b", "aab", false],
  ["a|b", "a", false],
] as const)("%s on %s: %p", (text, name, isMatch) => {
  expect(matches(text, name)).toBe(isMatch);
});

test.each([
  ["", "it is empty"],
  ["!v*", "starts with !"],
  ["a".repeat(513), "longer than 512"],
  ["v[1", "]"],
])("%p is no pattern", (text, why) => {
  expect(parseGlob(text)).toEqual({ wrong: expect.stringContaining(why) });
});

test("one of several is enough, none of none", () => {
  const globs = ["a*", "b*"].map(parseGlob).flatMap((glob) => ("wrong" in glob ? [] : [glob]));
  expect(["a1", "b1", "c1"].map((name) => matchesAny(globs, name))).toEqual([true, true, false]);
  expect(matchesAny([], "a1")).toBe(false);
});
