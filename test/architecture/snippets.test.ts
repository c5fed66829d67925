/** What people copy from the documents is a configuration that the program takes. */
import { expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { Glob } from "bun";
import { loadConfig } from "../../src/config/load.ts";

const root = join(import.meta.dir, "../..");
const pages = ["README.md", ...new Glob("docs/**/*.md").scanSync(root)];

/** Blocks of YAML at the left margin; other programs' files are those with keys of their own. */
const snippets = pages.flatMap((page) => {
  const text = readFileSync(join(root, page), "utf8");
  return [...text.matchAll(/^```yaml\n([\s\S]*?)^```$/gm)].flatMap(([, snippet = ""], index) =>
    /^(?:services|apiVersion|entryPoints|scrape_configs):/m.test(snippet)
      ? []
      : [{ name: `${page}, snippet ${index + 1}`, snippet }],
  );
});

test("the documents have snippets, so that this is a test", () => {
  expect(snippets.length).toBeGreaterThan(15);
});

test.each(snippets)("$name is taken", ({ snippet }) => {
  const version = /^version:/m.test(snippet) ? "" : "version: 0.1\n";
  const driver = /^storage:\n(?: .*\n)*? {2}(?:filesystem|inmemory):/m.test(snippet);
  const storage = "storage:\n  filesystem: {rootdirectory: /var/lib/registry}\n";
  // A part of a section is completed where it stands.
  const text = driver
    ? version + snippet
    : /^storage:\n/m.test(snippet)
      ? version + snippet.replace(/^storage:\n/m, storage)
      : version + storage + snippet;
  const { warnings, notices } = loadConfig({ text, environment: {} });
  expect({ warnings, notices }).toEqual({ warnings: [], notices: [] });
});
