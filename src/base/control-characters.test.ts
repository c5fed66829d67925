import { expect, test } from "bun:test";
import { escapeControls, replaceControls } from "./control-characters.ts";

const text = "a\u0000b\u001b[2Jc\nd\u007fe\u009ff\u2028g\u2029h é\u00a0i";

test("replaces each control character and leaves the rest", () => {
  expect(replaceControls(text)).toBe(
    "a\uFFFDb\uFFFD[2Jc\uFFFDd\uFFFDe\uFFFDf\uFFFDg\uFFFDh é\u00a0i",
  );
});

test("escapes control characters as JSON does, so that a reader of JSON gets them back", () => {
  const escaped = escapeControls(JSON.stringify({ text }));
  expect(escaped).toMatch(/^[\u0020-\u007e\u00a0-\u00ff]+$/);
  expect(JSON.parse(escaped)).toEqual({ text });
});
