import { describe, expect, test } from "bun:test";
import { createHasher, digestOf, parseDigest } from "./digest.ts";

const sha256Empty = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

describe("parseDigest", () => {
  test.each([[sha256Empty], [`sha512:${"a".repeat(128)}`]])("takes %s", (text) =>
    expect(String(parseDigest(text))).toBe(text),
  );

  test.each([
    [""],
    ["sha256:"],
    ["sha256:asd"],
    [sha256Empty.toUpperCase()],
    [`${sha256Empty}0`],
    [`${sha256Empty}\n`],
    [`sha256:../${"a".repeat(61)}`],
    [`sha512:${"a".repeat(64)}`],
    [`md5:${"a".repeat(32)}`],
  ])("refuses %j", (text) => expect(parseDigest(text)).toBeUndefined());
});

test("a hasher goes on after its digest was asked for", () => {
  const hasher = createHasher("sha256");
  expect(String(hasher.digest())).toBe(sha256Empty);
  hasher.update(new TextEncoder().encode("berth"));
  expect(hasher.digest()).toBe(digestOf("berth"));
});
