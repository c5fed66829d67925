import { expect, test } from "bun:test";
import { renderExample } from "./example.ts";
import { loadConfig } from "./load.ts";
import { redactedLines } from "./redact.ts";

function load(text: string): string[] {
  const loaded = loadConfig({ text, environment: {} });
  expect([...loaded.warnings, ...loaded.notices]).toEqual([]);
  return redactedLines(loaded).map((line) => line.replace(/ {2}# .*/, ""));
}

test("the example as it is means the defaults", () => {
  expect(load(renderExample())).toEqual(load("version: 0.1\nstorage: filesystem"));
});

test.each([
  ["htpasswd and SQLite", ["storage.inmemory", "auth.none", "auth.token", "database.url"]],
  [
    "tokens and PostgreSQL",
    ["storage.inmemory", "auth.none", "auth.htpasswd", "metadata.database"],
  ],
])("the example with every key switched on is right: %s", (_, inactive) => {
  const isActive = (path: string): boolean => !inactive.some((off) => path.startsWith(off));
  const text = renderExample({ isActive });
  const lines = load(text);
  const keys = text.split("\n").filter((line) => /^ *(?:- )?[\w-]+: \S/.test(line));
  expect(keys.length).toBeGreaterThan(60);
  expect(lines.length).toBeGreaterThanOrEqual(keys.length);
});

test("taking the # away before every key gives the same keys", () => {
  const on = renderExample({ isActive: () => true });
  // A sentence has a space after its #, and then a word; everything else is a key.
  const uncommented = renderExample().replace(/^( *)#(?! \S)/gm, "$1");
  const withoutSentences = (text: string): string => text.replace(/^ *#.*\n/gm, "");
  expect(withoutSentences(uncommented)).toBe(withoutSentences(on));
});
