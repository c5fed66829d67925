import { expect, test } from "bun:test";
import { digestOf } from "../../oci/digest.ts";
import { tagOf } from "../../oci/test-support.ts";
import type { RetentionFacts } from "./facts.ts";
import { planRetention, type RetentionPlan } from "./plan.ts";
import { dayMs, factsOf, nowMs, ruleOf, signatureTag } from "./plan-samples.ts";
import { describeManifestReason, describeTagReason } from "./reason.ts";
import type { NumberedRule } from "./rule.ts";

function plan(facts: RetentionFacts, rule: NumberedRule | undefined): RetentionPlan {
  const made = planRetention(facts, rule, nowMs);
  // Every reason has words, and no decision is without its tag.
  for (const { reason } of made.tags) expect(describeTagReason(reason)).not.toBe("");
  for (const { reason } of made.manifests) expect(describeManifestReason(reason)).not.toBe("");
  expect(made.tags.map(({ tag }) => tag)).toEqual(facts.view.tags.map(({ tag }) => tag));
  return made;
}

/** Each tag with the kind of its reason; `-` before what goes. */
function tagsOf({ tags }: RetentionPlan): Record<string, string> {
  return Object.fromEntries(
    tags.map(({ tag, isKept, reason }) => [tag, `${isKept ? "" : "-"}${reason.kind}`]),
  );
}

function manifestsOf(made: RetentionPlan, ...names: string[]): Record<string, string | undefined> {
  const byDigest = new Map(made.manifests.map((manifest) => [manifest.digest, manifest]));
  return Object.fromEntries(
    names.map((name) => {
      const found = byDigest.get(digestOf(name));
      return [name, found && `${found.isKept ? "" : "-"}${found.reason.kind}`];
    }),
  );
}

const builds = factsOf({
  b1: { tags: ["build-1"], pushed: 9 },
  b2: { tags: ["build-2"], pushed: 8 },
  b3: { tags: ["build-3", "latest"], pushed: 7 },
  old: { tags: ["v1.0.0"], pushed: 50 },
});

test("without a rule everything stays", () => {
  const made = plan(builds, undefined);
  expect(new Set(Object.values(tagsOf(made)))).toEqual(new Set(["noRule"]));
});

test("a rule without a keep condition deletes no tag", () => {
  const made = plan(builds, ruleOf({ days: 1 }));
  expect(new Set(Object.values(tagsOf(made)))).toEqual(new Set(["noCondition"]));
});

test("the last pushed stay; equal times are told apart by the number in the name", () => {
  expect(tagsOf(plan(builds, ruleOf({ keep: { lastPushed: 3 } })))).toEqual({
    "build-1": "-noneHolds",
    "build-2": "lastPushed",
    "build-3": "lastPushed",
    latest: "lastPushed",
    "v1.0.0": "-noneHolds",
  });
  const copied = factsOf({ a: { tags: ["b-9", "b-10"] }, b: { tags: ["b-8"] } });
  expect(tagsOf(plan(copied, ruleOf({ keep: { lastPushed: 1 } })))).toEqual({
    "b-9": "-noneHolds",
    "b-10": "lastPushed",
    "b-8": "-noneHolds",
  });
});

test("one condition that holds is enough, and protected tags take nobody's place", () => {
  const rule = ruleOf({ keep: { lastPushed: 1, tags: ["v*"] }, protect: ["latest"] });
  expect(tagsOf(plan(builds, rule))).toEqual({
    "build-1": "-noneHolds",
    "build-2": "-noneHolds",
    "build-3": "lastPushed",
    latest: "protected",
    "v1.0.0": "tags",
  });
});

test("an immutable tag stays, whatever a rule says", () => {
  const facts = { ...builds, isImmutable: (tag: string) => tag.startsWith("v") };
  expect(tagsOf(plan(facts, ruleOf({ keep: { lastPushed: 1 } })))).toMatchObject({
    "v1.0.0": "immutable",
  });
});

test("the newest versions of each minor version stay; a rule of versions alone leaves the rest", () => {
  const facts = factsOf({
    a: { tags: ["v1.2.0", "v1.2.1", "v1.2.10", "v1.3.0"] },
    b: { tags: ["latest", "1.2"] },
  });
  expect(tagsOf(plan(facts, ruleOf({ keep: { lastPerSemverMinor: 2 } })))).toEqual({
    "v1.2.0": "-noneHolds",
    "v1.2.1": "lastPerSemverMinor",
    "v1.2.10": "lastPerSemverMinor",
    "v1.3.0": "lastPerSemverMinor",
    latest: "notCovered",
    "1.2": "notCovered",
  });
  const both = ruleOf({ keep: { lastPerSemverMinor: 2, tags: ["latest"] } });
  expect(tagsOf(plan(facts, both))).toMatchObject({ latest: "tags", "1.2": "-noneHolds" });
});

test("what was pulled lately stays: by the tag, by the digest, or else it counts from its push", () => {
  const facts = factsOf(
    {
      byTag: { tags: ["by-tag"], pushed: 90 },
      byDigest: { tags: ["by-digest"], pushed: 90 },
      never: { tags: ["never"], pushed: 90 },
      young: { tags: ["young"], pushed: 5 },
      other: { tags: ["other", "alias"], pushed: 90 },
      future: { tags: ["future"], pushed: -5 },
    },
    {
      lastPulls: [
        { digest: digestOf("byTag"), tag: tagOf("by-tag"), lastAtMs: nowMs - 3 * dayMs },
        { digest: digestOf("byDigest"), lastAtMs: nowMs - 3 * dayMs },
        { digest: digestOf("never"), lastAtMs: nowMs - 40 * dayMs },
        { digest: digestOf("other"), tag: tagOf("alias"), lastAtMs: nowMs - 3 * dayMs },
      ],
    },
  );
  expect(tagsOf(plan(facts, ruleOf({ keep: { pulledWithinMs: 30 * dayMs } })))).toEqual({
    "by-tag": "pulledWithin",
    "by-digest": "pulledWithin",
    never: "-noneHolds",
    young: "pulledWithin",
    other: "-noneHolds",
    alias: "pulledWithin",
    future: "pulledWithin",
  });
});

test("a tag whose manifest is not there stays", () => {
  const { view, ...rest } = builds;
  const facts = { ...rest, view: { ...view, manifests: view.manifests.slice(1) } };
  expect(tagsOf(plan(facts, ruleOf({ keep: { lastPushed: 1 } })))["build-1"]).toBe("unreadable");
});

test("untagged manifests go after a time; what an index or a subject leads to does not", () => {
  const facts = factsOf({
    index: { tags: ["v1"], children: ["inner"], pushed: 90 },
    inner: { children: ["image", "cache layer"], pushed: 90 },
    image: { pushed: 90 },
    signature: { subject: "image", pushed: 90 },
    old: { pushed: 90 },
    young: { pushed: 3 },
  });
  const names = ["index", "inner", "image", "signature", "old", "young"];
  expect(manifestsOf(plan(facts, ruleOf({ days: 7 })), ...names)).toEqual({
    index: undefined,
    inner: "reached",
    image: "reached",
    signature: "reached",
    old: "-untagged",
    young: "recent",
  });
  const made = plan(facts, ruleOf({ keep: { lastPushed: 5 } }));
  expect(manifestsOf(made, "old", "inner")).toEqual({ old: "untaggedStay", inner: "untaggedStay" });
});

test("an untagged manifest counts from its push, its last pull and the time its tag left", () => {
  const facts = factsOf(
    { a: { pushed: 90 }, b: { pushed: 90 }, c: { pushed: 90 }, d: { pushed: 90 } },
    {
      lastPulls: [{ digest: digestOf("a"), tag: tagOf("gone"), lastAtMs: nowMs - dayMs }],
      lastUntagged: new Map([[digestOf("b"), nowMs - dayMs]]),
      leased: new Set([digestOf("c")]),
    },
  );
  expect(manifestsOf(plan(facts, ruleOf({ days: 7 })), "a", "b", "c", "d")).toEqual({
    a: "recent",
    b: "recent",
    c: "leased",
    d: "-untagged",
  });
});

test("an untagged index goes with its children, parents first", () => {
  const facts = factsOf({
    image: { pushed: 90 },
    nested: { children: ["image"], pushed: 90 },
    index: { children: ["nested", "shared"], pushed: 90 },
    shared: { pushed: 90 },
    attestation: { subject: "index", pushed: 90 },
    other: { tags: ["other"], children: ["shared"], pushed: 90 },
  });
  const made = plan(facts, ruleOf({ days: 7 }));
  const goes = made.manifests.filter(({ isKept }) => !isKept).map(({ digest }) => digest);
  expect(goes).toEqual(["attestation", "index", "nested", "image"].map((name) => digestOf(name)));
  expect(manifestsOf(made, "shared")).toEqual({ shared: "reached" });
});

test("the young index keeps its old children", () => {
  const facts = factsOf({ image: { pushed: 90 }, index: { children: ["image"], pushed: 1 } });
  expect(manifestsOf(plan(facts, ruleOf({ days: 7 })), "image", "index")).toEqual({
    image: "reached",
    index: "recent",
  });
});

test("what a tag leaves in this run stays until the next", () => {
  const rule = ruleOf({ keep: { lastPushed: 1 }, days: 1 });
  const made = plan(builds, rule);
  expect(tagsOf(made)["v1.0.0"]).toBe("-noneHolds");
  expect(made.manifests).toEqual([]);
});

test("signatures, attestations and the referrers tag stay with their subject", () => {
  const said = {
    image: { tags: ["v1"], pushed: 90 },
    sig: { tags: [signatureTag("image")], pushed: 90 },
    att: { tags: [signatureTag("image", ".att")], pushed: 90 },
    list: { tags: [signatureTag("image", "")], children: ["bundle"], pushed: 90 },
    bundle: { subject: "image", pushed: 90 },
    sigOfSig: { tags: [signatureTag("sig")], pushed: 90 },
    sbom: { tags: ["v1-sbom"], subject: "image", pushed: 90 },
  };
  const keeps = ruleOf({ keep: { tags: ["v1"] }, days: 7 });
  const stays = tagsOf(plan(factsOf(said), keeps));
  for (const [tag, reason] of Object.entries(stays)) {
    expect([tag, reason]).toEqual([tag, tag === "v1" ? "tags" : "subjectKept"]);
  }
  // Neither do they take the places of images.
  expect(tagsOf(plan(factsOf(said), ruleOf({ keep: { lastPushed: 1 } })))).toMatchObject({
    v1: "lastPushed",
  });
});

test("they go with it, before it, even when they are young", () => {
  const facts = factsOf({
    image: { pushed: 90 },
    sig: { tags: [signatureTag("image")], pushed: 1 },
    bundle: { subject: "image", pushed: 1 },
    sigOfSig: { tags: [signatureTag("sig")], pushed: 1 },
    other: { tags: ["other"], pushed: 90 },
  });
  const made = plan(facts, ruleOf({ days: 7 }));
  expect(tagsOf(made)).toEqual({
    [signatureTag("image")]: "-subjectGoes",
    [signatureTag("sig")]: "-subjectGoes",
    other: "noCondition",
  });
  expect(manifestsOf(made, "image", "sig", "sigOfSig", "bundle")).toEqual({
    image: "-untagged",
    sig: "-withSubject",
    sigOfSig: "-withSubject",
    bundle: "-withSubject",
  });
});

test("a child of an index keeps its signature, and a protected signature its manifest", () => {
  const facts = factsOf({
    index: { tags: ["v1"], children: ["child"], pushed: 90 },
    child: { pushed: 90 },
    sig: { tags: [signatureTag("child")], pushed: 90 },
    gone: { pushed: 90 },
    sigOfGone: { tags: [signatureTag("gone", ".att")], pushed: 90 },
  });
  const made = plan(facts, ruleOf({ days: 7, protect: ["*.att"] }));
  expect(tagsOf(made)).toMatchObject({
    [signatureTag("child")]: "subjectKept",
    [signatureTag("gone", ".att")]: "protected",
  });
  expect(manifestsOf(made, "gone", "sigOfGone")).toEqual({
    gone: "-untagged",
    sigOfGone: undefined,
  });
});

test("a signature whose subject is in another repository stays; one of nothing goes in time", () => {
  const said = {
    a: { tags: [signatureTag("elsewhere")], pushed: 90 },
    b: { tags: [signatureTag("nowhere")], pushed: 90 },
    c: { tags: [signatureTag("nowhere either")], pushed: 1 },
  };
  const facts = factsOf(said, { elsewhere: new Set([digestOf("elsewhere")]) });
  expect(tagsOf(plan(facts, ruleOf({ days: 7 })))).toEqual({
    [signatureTag("elsewhere")]: "subjectElsewhere",
    [signatureTag("nowhere")]: "-subjectNowhere",
    [signatureTag("nowhere either")]: "subjectElsewhere",
  });
  const never = plan(facts, ruleOf({ keep: { lastPushed: 1 } }));
  expect(Object.values(tagsOf(never))).toEqual(Array(3).fill("subjectElsewhere"));
});

test("a tag that is named after its own digest stands for itself", () => {
  const facts = factsOf({ image: { tags: [signatureTag("image", "")], pushed: 90 } });
  expect(Object.values(tagsOf(plan(facts, ruleOf({ keep: { tags: ["v*"] }, days: 7 }))))).toEqual([
    "-noneHolds",
  ]);
});

test("a tagged SBOM that is protected keeps the image that it describes", () => {
  const facts = factsOf({
    image: { pushed: 90 },
    sbom: { tags: ["sbom"], subject: "image", pushed: 90 },
  });
  expect(manifestsOf(plan(facts, ruleOf({ days: 7, protect: ["sbom"] })), "image")).toEqual({
    image: "reached",
  });
});
