/** Documents lead somewhere: every relative link to a file that is there, every anchor to a heading. */
import { expect, test } from "bun:test";
import { existsSync, readFileSync } from "node:fs";
import { dirname, join, normalize } from "node:path";
import { Glob } from "bun";

const root = join(import.meta.dir, "../..");
const documents = ["*.md", "docs/**/*.md", "bench/*.md"].flatMap((pattern) => [
  ...new Glob(pattern).scanSync(root),
]);

test.each(documents.toSorted())("the links of %s lead to what is there", (path) => {
  expect(brokenLinks(path)).toEqual([]);
});

test("a link to nowhere, and one to a heading that is not there, are broken", () => {
  const text = "[a](nowhere.md) [b](README.md#no-such-heading) [c](#mine) [d](https://x.example)";
  expect(brokenLinksIn(text, "CHANGELOG.md")).toEqual([
    "nowhere.md",
    "README.md#no-such-heading",
    "#mine",
  ]);
});

function brokenLinks(path: string): readonly string[] {
  return brokenLinksIn(readFileSync(join(root, path), "utf8"), path);
}

function brokenLinksIn(text: string, path: string): readonly string[] {
  const targets = [...text.matchAll(/\]\(([^)\s]+)\)/g)].map(([, target = ""]) => target);
  return targets.filter((target) => {
    if (/^[a-z]+:/.test(target)) return false;
    const [file = "", anchor] = target.split("#");
    const linked = file === "" ? path : normalize(join(dirname(path), file));
    if (!existsSync(join(root, linked))) return true;
    return anchor !== undefined && !anchorsOf(linked).includes(anchor);
  });
}

/** The names that GitHub gives to the headings of a document. */
function anchorsOf(path: string): readonly string[] {
  const text = readFileSync(join(root, path), "utf8");
  return [...text.matchAll(/^#+ (.+)$/gm)].map(([, heading = ""]) =>
    heading
      .toLowerCase()
      .replace(/[^\p{L}\p{N}_\- ]/gu, "")
      .replaceAll(" ", "-"),
  );
}
