import { describe, expect, test } from "bun:test";
import * as fc from "fast-check";
import { ConfigError } from "./config-error.ts";
import { loadConfig } from "./load.ts";
import type { RawNode } from "./raw.ts";
import { parseYaml } from "./yaml.ts";

/** The tree as plain values, without places. */
function plain(node: RawNode | undefined): unknown {
  if (node?.kind === "scalar") return node.text;
  if (node?.kind === "list") return node.items.map(plain);
  if (node?.kind !== "map") return null;
  return Object.fromEntries([...node.entries].map(([name, { value }]) => [name, plain(value)]));
}

function messages(text: string): string[] {
  return parseYaml(text).problems.map((problem) => problem.message);
}

describe("what is read", () => {
  test.each([
    [
      "scalars stay text",
      "{a: yes, b: 010, c: 1e3, d: '~', e: ~}",
      { a: "yes", b: "010", c: "1e3", d: "~", e: null },
    ],
    ["an alias stands for its anchor", "a: &x {b: c}\nd: *x", { a: { b: "c" }, d: { b: "c" } }],
    [
      "a map merges another one",
      "a: &x {b: 1, c: 2}\nd: {<<: *x, c: 3}",
      { a: { b: "1", c: "2" }, d: { b: "1", c: "3" } },
    ],
    [
      "of several merged maps the first wins",
      "a: {<<: [{b: 1}, {b: 2, c: 3}]}",
      { a: { b: "1", c: "3" } },
    ],
    ["nothing is null", "", null],
    ["a byte order mark is not content", "\uFEFFa: 1", { a: "1" }],
    ["the end of a line may be Windows's", "a: 1\r\nb: 2\r\n", { a: "1", b: "2" }],
    [
      "names of the language are names",
      "{constructor: 1, toString: 2}",
      { constructor: "1", toString: "2" },
    ],
  ])("%s", (_, text, value) => {
    expect(plain(parseYaml(text).node)).toEqual(value);
  });

  test("each key and value knows its line and column", () => {
    const { node } = parseYaml("a:\n  b: c\n");
    const a = node?.kind === "map" ? node.entries.get("a") : undefined;
    const b = a?.value.kind === "map" ? a.value.entries.get("b") : undefined;
    expect(a?.keyOrigin).toEqual({ kind: "file", line: 1, column: 1 });
    expect(b?.keyOrigin).toEqual({ kind: "file", line: 2, column: 3 });
    expect(b?.value.origin).toEqual({ kind: "file", line: 2, column: 6 });
  });
});

describe("what is hostile is refused", () => {
  const bomb = Array.from(
    { length: 12 },
    (_, level) =>
      `a${level}: &a${level} [${Array(10)
        .fill(level === 0 ? "x" : `*a${level - 1}`)
        .join(", ")}]`,
  ).join("\n");

  test.each([
    ["aliases of aliases of aliases", bomb, "more than 100000 values"],
    ["an alias of what contains it", "a: &a [*a]", "contains it"],
    ["an alias of nothing", "a: *secret", "stands for nothing"],
    ["deep nesting", `${"[".repeat(40)}${"]".repeat(40)}`, "deeper than 32"],
    ["nesting that ends the stack", "[".repeat(200_000), ""],
    ["keys of keys", "? ".repeat(50_000), ""],
    ["a huge text", `a: ${"x".repeat(1_048_576)}`, "longer than 1048576"],
    ["a key that is there twice", "a: 1\nb: 2\na: 3", 'the key "a" is there twice'],
    ["a key that is a map", "{{a: b}: c}", "a key must be a word"],
    ["a merge of a word", "<<: a", "<< takes a map"],
    ["two documents", "a: 1\n---\nb: 2", "a second document begins here; a configuration is one"],
    ["tabs", "a:\n\tb: c", "not YAML"],
  ])("%s", (_, text, message) => {
    const found = messages(text);
    expect(found.length).toBeGreaterThan(0);
    expect(found.length).toBeLessThanOrEqual(10);
    expect(found.join("\n")).toContain(message);
  });

  test("many different keys are not compared with each other", () => {
    const text = Array.from({ length: 20_000 }, (_, index) => `k${index}: 1`).join("\n");
    expect(messages(text)).toEqual([]);
  });

  test("an alias that may be a password is not repeated", () => {
    expect(JSON.stringify(messages("*hunter2"))).not.toContain("hunter2");
  });
});

describe("no text makes loading fail in another way than with a ConfigError", () => {
  const load = (text: string): void => {
    try {
      loadConfig({ text, environment: {} });
    } catch (cause) {
      expect(cause).toBeInstanceOf(ConfigError);
      expect(cause instanceof ConfigError && cause.problems.length).toBeGreaterThan(0);
    }
  };

  test("any text", () => {
    fc.assert(fc.property(fc.string({ unit: "binary", maxLength: 300 }), load));
  });

  test("text of the characters that YAML gives a meaning", () => {
    const unit = fc.constantFrom(...Array.from("abc:-?[]{},&*!|>'\"%@`#~<= \n\t01."));
    fc.assert(fc.property(fc.string({ unit, maxLength: 200 }), load), { numRuns: 500 });
  });

  test("any value under any key that is known", () => {
    const names = [
      "http",
      "storage",
      "auth",
      "log",
      "health",
      "tls",
      "addr",
      "headers",
      "file",
      "filesystem",
      "fields",
      "proxy",
      "redis",
      "hooks",
    ];
    const value = fc.letrec((tie) => ({
      node: fc.oneof(
        { maxDepth: 5 },
        fc.constantFrom(null, true, 0, -1, "", "x", "10s", "[", "__proto__"),
        fc.array(tie("node"), { maxLength: 3 }),
        fc.dictionary(fc.constantFrom(...names), tie("node"), { maxKeys: 4 }),
      ),
    })).node;
    fc.assert(
      fc.property(fc.dictionary(fc.constantFrom(...names), value, { maxKeys: 6 }), (root) => {
        load(JSON.stringify({ version: 0.1, ...root }));
      }),
      { numRuns: 500 },
    );
  });
});
