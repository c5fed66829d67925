import { expect, test } from "bun:test";
import { type Digest, digestOf } from "../oci/digest.ts";
import { type ManifestLinks, reachable } from "./reachable.ts";

const d = digestOf;

function manifests(
  links: Readonly<Record<string, { children?: string[]; subject?: string }>>,
): ReadonlyMap<Digest, ManifestLinks> {
  return new Map(
    Object.entries(links).map(([name, { children = [], subject }]) => [
      d(name),
      {
        children: children.map((child) => d(child)),
        subject: subject === undefined ? undefined : d(subject),
      },
    ]),
  );
}

const digests = (...names: string[]) => new Set(names.map((name) => d(name)));

test("nested indexes, and children that are blobs", () => {
  const all = manifests({
    outer: { children: ["inner"] },
    inner: { children: ["image", "cache layer"] },
    image: {},
    alone: {},
  });
  expect(reachable(all, [d("outer")])).toEqual(digests("outer", "inner", "image", "cache layer"));
  expect(reachable(all, [d("image")])).toEqual(digests("image"));
});

test("what has a kept manifest as subject, and its own referrers", () => {
  const all = manifests({
    image: {},
    signature: { subject: "image" },
    countersignature: { subject: "signature" },
    stranger: { subject: "not here" },
  });
  expect(reachable(all, [d("image")])).toEqual(digests("image", "signature", "countersignature"));
});

test("the subject of what is kept", () => {
  const all = manifests({ image: {}, sbom: { subject: "image" }, other: { subject: "image" } });
  expect(reachable(all, [d("sbom")])).toEqual(digests("sbom", "image", "other"));
});

test("followers, and what follows those", () => {
  const all = manifests({ image: {}, signature: { children: ["part"] }, part: {} });
  const followers = new Map([[d("image"), [d("signature")]]]);
  expect(reachable(all, [d("image")], followers)).toEqual(digests("image", "signature", "part"));
  expect(reachable(all, [d("signature")], followers)).toEqual(digests("signature", "part"));
});

test("links that go round end", () => {
  const all = manifests({ a: { children: ["b"] }, b: { children: ["a"], subject: "a" } });
  expect(reachable(all, [d("b")])).toEqual(digests("a", "b"));
});
