import { expect, test } from "bun:test";
import { tagOf } from "../oci/test-support.ts";
import { compareRepository } from "./compare.ts";
import { fingerprintOf } from "./manifest-rows.ts";
import { digestOfText, imageRecord, tagRecord } from "./metadata-samples.ts";
import type { RepositoryContent, RepositorySnapshot } from "./metadata-store.ts";

const image = imageRecord("image");
const other = imageRecord("other");
const blob = { digest: digestOfText("blob"), sizeBytes: 5 };
const content: RepositoryContent = {
  tags: [tagRecord("latest", image)],
  manifests: [image],
  blobs: [blob],
};
const same: RepositorySnapshot = {
  revision: "1.1",
  tags: new Map([[tagOf("latest"), { digest: image.digest, stamp: "stamp of latest" }]]),
  manifests: new Map([[image.digest, fingerprintOf(image)]]),
  blobs: new Map([[blob.digest, 5]]),
};
const nothing: RepositoryContent = { tags: [], manifests: [], blobs: [] };

const cases: readonly [string, RepositorySnapshot, RepositoryContent, readonly RegExp[]][] = [
  ["nothing differs", same, content, []],
  [
    "nothing is in the layout",
    same,
    nothing,
    [
      /^tag latest is recorded \(sha256:\w+\) but not in the layout$/,
      /^manifest sha256:\w+ is recorded but not in the layout$/,
      /^blob sha256:\w+ is recorded but not in the layout$/,
    ],
  ],
  [
    "nothing is recorded",
    { revision: "0", tags: new Map(), manifests: new Map(), blobs: new Map() },
    content,
    [/^tag latest is in the layout/, /^manifest .* not recorded$/, /^blob .* not recorded$/],
  ],
  [
    "a tag was moved behind the registry's back",
    same,
    { ...content, tags: [tagRecord("latest", other)] },
    [/^tag latest is sha256:\w+ in the layout but recorded as sha256:\w+$/],
  ],
  [
    "a tag was written again",
    same,
    { ...content, tags: [{ ...tagRecord("latest", image), stamp: "another" }] },
    [/^tag latest was written again/],
  ],
  [
    "a manifest was recorded without its config",
    same,
    {
      ...content,
      manifests: [{ ...image, config: { labels: {}, diffIds: ["x"], instructions: [] } }],
    },
    [/^manifest .* other facts/],
  ],
  [
    "a blob has another size",
    same,
    { ...content, blobs: [{ ...blob, sizeBytes: 6 }] },
    [/^blob .* has 6 bytes in the layout but is recorded with 5$/],
  ],
];

for (const [name, snapshot, layout, expected] of cases) {
  test(`compared: ${name}`, () => {
    const differences = compareRepository(snapshot, layout);
    expect(differences).toHaveLength(expected.length);
    for (const [index, pattern] of expected.entries()) {
      expect(differences[index]).toMatch(pattern);
    }
  });
}

test("a time is not a difference", () => {
  const later = { ...image, pushedAtMs: image.pushedAtMs + 1 };
  expect(compareRepository(same, { ...content, manifests: [later] })).toEqual([]);
});
