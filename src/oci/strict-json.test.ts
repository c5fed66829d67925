import { afterAll, afterEach, describe, expect, spyOn, test } from "bun:test";
import { parseStrictJson } from "./strict-json.ts";

const sizeBytes = 4 << 20;

/** As many of `unit` as a manifest has room for. */
function filled(unit: string, head = "", tail = ""): string {
  return head + unit.repeat((sizeBytes - head.length - tail.length) / unit.length) + tail;
}

function members(count: number): string {
  return `{${Array.from({ length: count }, (_, index) => `"k${index}":1`).join(",")}}`;
}

const parse = spyOn(JSON, "parse");
afterEach(() => parse.mockClear());
afterAll(() => parse.mockRestore());

describe("what would cost a parser seconds or hundreds of megabytes is refused before it", () => {
  const bombs: Readonly<Record<string, string>> = {
    "arrays in arrays": "[".repeat(sizeBytes),
    "objects in objects": filled('{"a":'),
    "objects side by side": filled("{},", "[", "{}]"),
    "arrays side by side": filled("[],", "[", "[]]"),
    "members without end": members(300_000),
    "the same member without end": filled('"a":1,', "{", '"a":1}'),
    "numbers without end": filled("1,", "[", "1]"),
    "one number without end": "1".repeat(sizeBytes),
    "one fraction without end": `0.${"1".repeat(sizeBytes)}`,
    "a string without an end": `{"a":"${"x".repeat(sizeBytes)}`,
  };

  for (const [name, text] of Object.entries(bombs)) {
    test(name, () => {
      const bytes = new TextEncoder().encode(text);
      expect(() => parseStrictJson(bytes)).toThrow("the manifest is not valid");
      // Keys are read one by one; the document never is.
      for (const [argument] of parse.mock.calls) expect(argument.length).toBeLessThan(200);
    });
  }

  test("members are not parsed one by one while they are counted", () => {
    const bytes = new TextEncoder().encode(members(300_000));
    expect(() => parseStrictJson(bytes)).toThrow("members");
    expect(parse.mock.calls.length).toBe(0);
  });
});

describe("what real manifests have is taken", () => {
  test("an index of ten thousand children with platforms and annotations", () => {
    const child = {
      mediaType: "application/vnd.oci.image.manifest.v1+json",
      digest: `sha256:${"0".repeat(64)}`,
      size: 1234,
      platform: { architecture: "arm64", os: "linux", variant: "v8" },
      annotations: { "org.opencontainers.image.ref.name": "a" },
    };
    const index = { schemaVersion: 2, manifests: Array.from({ length: 10_000 }, () => child) };
    const bytes = new TextEncoder().encode(JSON.stringify(index));
    expect(parseStrictJson(bytes)).toEqual(index);
  });

  test("keys in other scripts, with escapes, and longer than any that is known", () => {
    const value = {
      é: 1,
      'a"b\\c\n': 2,
      ["x".repeat(500)]: 3,
      "\u{1F6A2}": 4,
      aVeryLongKeyOfNobody: 5,
    };
    const bytes = new TextEncoder().encode(JSON.stringify(value));
    expect(parseStrictJson(bytes)).toEqual(value);
  });
});

describe("a known key in another spelling is refused, however it is written", () => {
  for (const key of [
    "Layers",
    "LAYERS",
    "layer\u017f",
    "\\u004cayers",
    "layer\\u017f",
    "o\u017f",
  ]) {
    test(key, () => {
      const bytes = new TextEncoder().encode(`{"${key}":[]}`);
      expect(() => parseStrictJson(bytes)).toThrow("differs from");
    });
  }
});

test("a document that is not UTF-8 is refused", () => {
  expect(() => parseStrictJson(Buffer.from('{"a":"\xff"}', "latin1"))).toThrow("UTF-8");
});
