import { expect, test } from "bun:test";
import { load, problemLines, start } from "./load-fixture.ts";

test("without a word about it nothing is deleted and nothing is immutable", () => {
  const { config } = load(start);
  expect(config.retention).toEqual({ intervalMs: 86_400_000, deletionsPerSecond: 50, rules: [] });
  expect(config.immutableTags).toEqual([]);
});

test("a rule with everything is read, and one pattern stands for a list", () => {
  const { config, warnings } = load(`${start}
retention:
  interval: 6h
  rules:
    - repositories: ["team/*", other]
      keep: {lastpushed: 10, tags: latest, lastpersemverminor: 3, pulledwithin: 720h}
      protect: [v*]
      untaggedafter: 168h
immutabletags:
  - repositories: "**"
    tags: v*
    except: ["*-rc*"]
`);
  expect(warnings).toEqual([]);
  const texts = (globs: readonly { text: string }[] | undefined) => globs?.map(({ text }) => text);
  const [rule] = config.retention.rules;
  expect(config.retention.intervalMs).toBe(21_600_000);
  expect(texts(rule?.repositories)).toEqual(["team/*", "other"]);
  expect(rule?.keep).toMatchObject({
    lastPushed: 10,
    lastPerSemverMinor: 3,
    pulledWithinMs: 2_592_000_000,
  });
  expect(texts(rule?.keep.tags)).toEqual(["latest"]);
  expect(texts(rule?.protect)).toEqual(["v*"]);
  expect(rule?.untaggedAfterMs).toBe(604_800_000);
  const [immutable] = config.immutableTags;
  expect(texts(immutable?.repositories)).toEqual(["**"]);
  expect(texts(immutable?.tags)).toEqual(["v*"]);
  expect(texts(immutable?.except)).toEqual(["*-rc*"]);
});

test("a condition that is 0 or empty is not there", () => {
  const { config } = load(`${start}
retention: {rules: [{repositories: a, keep: {lastpushed: 0, pulledwithin: 0s}, untaggedafter: 1h}]}`);
  expect(config.retention.rules[0]?.keep).toEqual({ tags: [] });
});

test("a rule that can delete nothing is warned of", () => {
  const { warnings } = load(`${start}retention: {rules: [{repositories: a, protect: b}]}`);
  expect(warnings).toMatchObject([{ path: "retention.rules[0]" }]);
});

test("a rule for repositories that earlier rules have all taken is warned of", () => {
  const rules = (lists: readonly string[]) => {
    const items = lists.map((list) => `{repositories: ${list}, untaggedafter: 1h}`);
    const { warnings } = load(`${start}retention: {rules: [${items.join(", ")}]}`);
    return warnings.map(({ path, message }) => `${path}: ${message}`);
  };
  expect(rules(['"team/*"', '"team/*"'])).toEqual([
    'retention.rules[1]: the rule never applies: the first rule that names a repository decides, and rules before it name "team/*" too',
  ]);
  expect(rules(['["a/*", "b/*"]', "x", '["b/*", "a/*"]'])).toHaveLength(1);
  // Everything, and a name that an earlier pattern matches.
  expect(rules(['"**"', '"team/*"'])).toHaveLength(1);
  expect(rules(['"team/*"', "team/app"])).toHaveLength(1);
  expect(rules(['"team/*"', '["team/*", "other"]'])).toEqual([]);
  expect(rules(["team/app", '"team/*"', '"**"'])).toEqual([]);
  expect(rules(['"team/*"', "team/app/web"])).toEqual([]);
});

test("what is wrong is said with its place", () => {
  const text = `${start}
retention:
  rules:
    - repositories: ["!team/*"]
      untaggedafter: 30m
      keep:
        lastpushed: -1
        tag: [latest]
    - keep: {lastpushed: 5}
immutabletags:
  - repositories: ["**"]
    tags: ["v[1"]
`;
  const lines = problemLines(text);
  for (const expected of [
    /config.yml:6:21: retention.rules\[0\].repositories: .*starts with !/,
    /config.yml:7:22: retention.rules\[0\].untaggedafter: this is less than 1h/,
    /config.yml:9:21: retention.rules\[0\].keep.lastpushed: .*less than 0/,
    /config.yml:10:9: retention.rules\[0\].keep.tag: there is no such key; did you mean .*keep.tags/,
    /config.yml:11:7: retention.rules\[1\].repositories: this must be set/,
    /config.yml:14:11: immutabletags\[0\].tags: .*is not a pattern/,
  ]) {
    expect(lines).toContainEqual(expect.stringMatching(expected));
  }
});
