import { expect, test } from "bun:test";
import { renderExample } from "./example.ts";
import { renderReference } from "./reference.ts";

test.each([
  ["http.limits.manifestbytes", "From `64KiB` to `64MiB`."],
  ["http.limits.urlbytes", "From `1KiB` to `1MiB`."],
  ["http.limits.uploadsperrepository", "At least 1."],
  ["gc.rate", "From 1 to 100,000."],
  ["gc.grace", "At least `1h`."],
  ["storage.filesystem.reserve", "At most `1GiB`."],
  ["auth.htpasswd.cachettl", "At most `1h`."],
  ["scrub.interval", "At least `1m`."],
  ["health.http[].statuscode", "From 100 to 599."],
])("the reference says which numbers %s takes", (path, limits) => {
  const row = renderReference()
    .split("\n")
    .find((line) => line.startsWith(`| \`${path}\` |`));
  expect(row).toEndWith(` ${limits} |`);
});

test("a key that takes every number from 0 on has no such sentence, and the example has them too", () => {
  const example = renderExample().replace(/\n *#? *# /g, " ");
  expect(example).toContain("From `64KiB` to `64MiB`.");
  expect(renderReference()).not.toMatch(/At least `?0|undefined/);
});
