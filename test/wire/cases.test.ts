import { describe, expect, test } from "bun:test";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { routingCases } from "./cases-a-routing.ts";
import { forwardingCases } from "./cases-b-forwarding.ts";
import { blobPullCases } from "./cases-c-blob-pull.ts";
import { mountCases } from "./cases-d-mount.ts";
import { uploadCases } from "./cases-d-upload.ts";
import { manifestCases } from "./cases-e-manifests.ts";
import { refusedManifestCases } from "./cases-e-refused-manifests.ts";
import { casesElsewhere } from "./cases-elsewhere.ts";
import { listingCases } from "./cases-f-listings.ts";
import { referrerCases } from "./cases-f-referrers.ts";
import { deleteCases } from "./cases-g-delete.ts";
import { play } from "./wire-case.ts";

const root = join(import.meta.dir, "../..");

const cases = [
  ...routingCases,
  ...forwardingCases,
  ...blobPullCases,
  ...uploadCases,
  ...mountCases,
  ...manifestCases,
  ...refusedManifestCases,
  ...listingCases,
  ...referrerCases,
  ...deleteCases,
];

const places = [
  { name: "the memory driver", driver: "memory" },
  { name: "the filesystem driver", driver: "filesystem" },
  // Every answer comes from the layout itself then, and must be the same.
  {
    name: "a filesystem not yet compared with the metadata",
    driver: "filesystem",
    isAdopted: false,
  },
] as const;

for (const { name, ...where } of places) {
  describe(`the wire on ${name}`, () => {
    for (const wireCase of cases) {
      test(`${wireCase.number} ${wireCase.source} ${wireCase.name}`, () => play(wireCase, where));
    }
  });
}

test("each of the 132 cases is in one table, or says where it is", () => {
  const numbers = [...cases, ...casesElsewhere].map(({ number }) => number);
  expect(numbers.sort((a, b) => a - b)).toEqual(Array.from({ length: 132 }, (_, i) => i + 1));
});

test("a case that is elsewhere names a file that is there, or the reason", () => {
  for (const { where } of casesElsewhere) {
    if (!where.startsWith("not ")) expect(existsSync(join(root, where))).toBe(true);
  }
});
