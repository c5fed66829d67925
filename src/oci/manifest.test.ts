import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { digestOf } from "./digest.ts";
import { parseManifest } from "./manifest.ts";
import { mediaTypes } from "./media-type.ts";
import { RegistryError } from "./problems.ts";

const config = { mediaType: mediaTypes.ociConfig, digest: digestOf("{}"), size: 2 };
const layer = {
  mediaType: "application/vnd.oci.image.layer.v1.tar",
  digest: digestOf("a"),
  size: 1,
};
const image = { schemaVersion: 2, mediaType: mediaTypes.ociManifest, config, layers: [layer] };
const index = { schemaVersion: 2, mediaType: mediaTypes.ociIndex, manifests: [layer] };

const bytesOf = (value: unknown) =>
  new TextEncoder().encode(typeof value === "string" ? value : JSON.stringify(value));

function reasonOf(value: unknown): string {
  try {
    parseManifest(bytesOf(value));
  } catch (error) {
    if (error instanceof RegistryError) return error.reason;
    throw error;
  }
  return "accepted";
}

describe("parseManifest", () => {
  test("reads config, layers, subject and annotations of an image", () => {
    const manifest = parseManifest(
      bytesOf({ ...image, subject: layer, annotations: { a: "b" }, other: { Layers: 1 } }),
    );
    expect(manifest.kind).toBe("image");
    expect(manifest.artifactType).toBe(mediaTypes.ociConfig);
    expect(manifest.layers[0]?.digest).toBe(layer.digest);
    expect(manifest.subject?.digest).toBe(layer.digest);
    expect(manifest.annotations).toEqual({ a: "b" });
  });

  test.each<[string, object, string | undefined]>([
    ["an image's own", { ...image, artifactType: "text/x-own" }, "text/x-own"],
    ["an image's config, where its own is absent", image, mediaTypes.ociConfig],
    ["an image's config, where its own is empty", { ...image, artifactType: "" }, config.mediaType],
    [
      "an index's own",
      { schemaVersion: 2, manifests: [], artifactType: "text/x-own" },
      "text/x-own",
    ],
    [
      "none of an index, where its own is empty",
      { schemaVersion: 2, manifests: [], artifactType: "" },
      undefined,
    ],
  ])("the artifact type is %s", (_, manifest, expected) => {
    expect(parseManifest(bytesOf(manifest)).artifactType).toBe(expected);
  });

  test("tells an index without mediaType by its manifests", () => {
    const manifest = parseManifest(bytesOf({ schemaVersion: 2, manifests: [] }));
    expect(manifest.mediaType).toBe(mediaTypes.ociIndex);
  });

  test("an annotation may be called __proto__ or Digest", () => {
    const text = JSON.stringify(image).replace(
      /}$/,
      ',"annotations":{"__proto__":"x","Digest":"y"}}',
    );
    const { annotations } = parseManifest(bytesOf(text));
    expect(Object.keys(annotations)).toEqual(["__proto__", "Digest"]);
  });

  const long = JSON.stringify(image);
  test.each<[string, unknown, string]>([
    ["no JSON", "hello", "manifestInvalid"],
    ["two documents", `${long}${long}`, "manifestInvalid"],
    ["a byte order mark", `\uFEFF${long}`, "manifestInvalid"],
    ["a list", [], "manifestInvalid"],
    ["schema 1", { schemaVersion: 1, name: "a", tag: "b" }, "manifestSchema1"],
    [
      "schema 1 by type",
      { schemaVersion: 2, mediaType: mediaTypes.dockerSchema1 },
      "manifestSchema1",
    ],
    ["a foreign media type", { ...image, mediaType: "text/html" }, "manifestMediaTypeInvalid"],
    ["both layers and manifests", { ...image, manifests: [] }, "manifestInvalid"],
    ["an index with layers", { ...index, layers: [] }, "manifestInvalid"],
    ["an index with a config", { ...index, config }, "manifestInvalid"],
    [
      "both, without a media type",
      { schemaVersion: 2, config, layers: [], manifests: [] },
      "manifestInvalid",
    ],
    ["a case variant", long.replace('"layers"', '"Layers"'), "manifestInvalid"],
    ["a case variant beside", long.replace(/}$/, ',"LAYERS":[]}'), "manifestInvalid"],
    ["a case variant in Unicode", long.replace('"layers"', '"layer\u017F"'), "manifestInvalid"],
    ["an escaped case variant", long.replace('"layers"', '"\\u004cayers"'), "manifestInvalid"],
    ["a duplicate key", long.replace(/}$/, ',"layers":[]}'), "manifestInvalid"],
    ["an escaped duplicate", long.replace(/}$/, ',"\\u006cayers":[]}'), "manifestInvalid"],
    [
      "a duplicate in a descriptor",
      long.replace('"size":1', '"size":1,"size":2'),
      "manifestInvalid",
    ],
    ["a rounding size", long.replace('"size":1', '"size":9007199254740993'), "manifestInvalid"],
    ["an infinite size", long.replace('"size":1', '"size":1e400'), "manifestInvalid"],
    ["a negative size", { ...image, layers: [{ ...layer, size: -1 }] }, "manifestInvalid"],
    ["a size in text", { ...image, layers: [{ ...layer, size: "1" }] }, "manifestInvalid"],
    [
      "a bad digest",
      { ...image, layers: [{ ...layer, digest: "sha256:../x" }] },
      "manifestInvalid",
    ],
    ["a bad subject", { ...image, subject: { ...layer, digest: "sha256:x" } }, "manifestInvalid"],
    ["no config", { schemaVersion: 2, layers: [] }, "manifestInvalid"],
    ["33 levels", { ...image, x: JSON.parse("[".repeat(33) + "]".repeat(33)) }, "manifestInvalid"],
    ["too many values", `{"a":[${"{},".repeat(100_000)}{}]}`, "manifestInvalid"],
    ["unfinished", long.slice(0, -1), "manifestInvalid"],
    ["an open string", '{"a":"', "manifestInvalid"],
  ])("refuses %s", (_, value, reason) => expect(reasonOf(value)).toBe(reason));

  test("refuses what is not UTF-8", () => {
    const bytes = bytesOf({ ...image, annotations: { a: "zz" } });
    bytes[bytes.indexOf(0x7a)] = 0xff;
    expect(() => parseManifest(bytes)).toThrow("UTF-8");
  });

  test("answers every text with a manifest or a refusal", () => {
    fc.assert(
      fc.property(fc.oneof(fc.json(), fc.string(), fc.uint8Array()), (input) => {
        const bytes = typeof input === "string" ? bytesOf(input) : input;
        try {
          parseManifest(bytes);
        } catch (error) {
          expect(error).toBeInstanceOf(RegistryError);
        }
      }),
    );
  });
});
