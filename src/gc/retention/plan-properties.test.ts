/** What holds for every repository and every rule. A failure prints its seed. */
import { expect, test } from "bun:test";
import * as fc from "fast-check";
import { digestOf } from "../../oci/digest.ts";
import type { RetentionFacts } from "./facts.ts";
import { planRetention } from "./plan.ts";
import { dayMs, factsOf, globsOf, nowMs, ruleOf, signatureTag } from "./plan-samples.ts";
import { hasGeneralCondition, type NumberedRule } from "./rule.ts";

const names = Array.from({ length: 12 }, (_, index) => `m${index}`);
const tagNames = ["latest", "main", "v1.0.0", "v1.0.1", "v1.0.2-rc.1", "v1.1.0", "pr-1", "pr-2"];
const patterns = ["latest", "v*", "pr-*", "v1.0.*", "*"];

const days = fc.integer({ min: 0, max: 100 });

/** Manifests that lead only to earlier ones: a digest cannot be known before its content. */
const repository = fc
  .array(
    fc.record({
      links: fc.array(fc.nat({ max: 11 }), { maxLength: 3 }),
      subject: fc.option(fc.nat({ max: 11 }), { nil: undefined, freq: 4 }),
      pushed: days,
      pulled: fc.option(days, { nil: undefined, freq: 3 }),
      untagged: fc.option(days, { nil: undefined, freq: 3 }),
      isLeased: fc.integer({ min: 0, max: 5 }).map((chance) => chance === 0),
      signs: fc.option(fc.nat({ max: 11 }), { nil: undefined, freq: 4 }),
    }),
    { minLength: 1, maxLength: names.length },
  )
  .chain((manifests) =>
    fc.record({
      manifests: fc.constant(manifests),
      tags: fc.dictionary(
        fc.constantFrom(...tagNames),
        fc.record({ at: fc.nat({ max: manifests.length - 1 }), tagged: days }),
      ),
      immutable: fc.option(fc.constantFrom(...patterns), { nil: undefined, freq: 4 }),
    }),
  )
  .map(({ manifests, tags, immutable }): RetentionFacts => {
    const said = Object.fromEntries(
      manifests.map(({ links, subject, pushed, signs }, index) => {
        const earlier = (at: number | undefined) =>
          at === undefined || at >= index ? undefined : at;
        const children = links.filter((at) => at < index).map((at) => `m${at}`);
        const of = earlier(subject);
        const signed = earlier(signs);
        const own = Object.entries(tags).flatMap(([tag, { at }]) => (at === index ? [tag] : []));
        return [
          `m${index}`,
          {
            tags: [
              ...own,
              ...(signed === undefined
                ? []
                : [signatureTag(`m${signed}`, `.s${"abcdefghijkl"[index]}`)]),
            ],
            ...(children.length > 0 && { children }),
            ...(of !== undefined && { subject: `m${of}` }),
            pushed,
          },
        ];
      }),
    );
    const glob = immutable === undefined ? [] : globsOf(immutable);
    return factsOf(said, {
      lastPulls: manifests.flatMap(({ pulled }, index) =>
        pulled === undefined
          ? []
          : [{ digest: digestOf(`m${index}`), lastAtMs: nowMs - pulled * dayMs }],
      ),
      lastUntagged: new Map(
        manifests.flatMap(({ untagged }, index) =>
          untagged === undefined ? [] : [[digestOf(`m${index}`), nowMs - untagged * dayMs]],
        ),
      ),
      leased: new Set(
        manifests.flatMap(({ isLeased }, index) => (isLeased ? [digestOf(`m${index}`)] : [])),
      ),
      isImmutable: (tag) => glob.some(({ matches }) => matches(tag)),
    });
  });

const count = fc.option(fc.integer({ min: 1, max: 4 }), { nil: undefined });

const rule = fc
  .record({
    lastPushed: count,
    lastPerSemverMinor: count,
    pulledDays: fc.option(days, { nil: undefined }),
    tags: fc.subarray(patterns.slice(0, 4)),
    protect: fc.subarray(patterns.slice(0, 4), { maxLength: 2 }),
    days: fc.option(fc.integer({ min: 1, max: 60 }), { nil: undefined }),
  })
  .map(({ lastPushed, lastPerSemverMinor, pulledDays, tags, ...rest }): NumberedRule => {
    const { days: untaggedDays, protect } = rest;
    return ruleOf({
      keep: {
        tags,
        ...(lastPushed !== undefined && { lastPushed }),
        ...(lastPerSemverMinor !== undefined && { lastPerSemverMinor }),
        ...(pulledDays !== undefined && { pulledWithinMs: pulledDays * dayMs }),
      },
      protect,
      ...(untaggedDays !== undefined && { days: untaggedDays }),
    });
  });

function deletedBy(facts: RetentionFacts, by: NumberedRule) {
  const { tags, manifests } = planRetention(facts, by, nowMs);
  return {
    tags: tags.filter(({ isKept }) => !isKept).map(({ tag }) => tag),
    manifests: manifests.filter(({ isKept }) => !isKept).map(({ digest }) => digest),
  };
}

const numRuns = 2_000;

test("what is protected or immutable is never deleted, nor what it points to", () => {
  fc.assert(
    fc.property(repository, rule, (facts, by) => {
      const { tags, manifests } = deletedBy(facts, by);
      for (const { tag, digest } of facts.view.tags) {
        if (!facts.isImmutable(tag) && !by.protect.some((glob) => glob.matches(tag))) continue;
        expect(tags).not.toContain(tag);
        expect(manifests).not.toContain(digest);
      }
    }),
    { numRuns },
  );
});

test("nothing that stays leads to something that goes, at no moment of the run", () => {
  fc.assert(
    fc.property(repository, rule, (facts, by) => {
      const { tags, manifests } = deletedBy(facts, by);
      const gone = new Set(tags);
      const left = new Set(facts.view.manifests.map(({ digest }) => digest));
      for (const next of [undefined, ...manifests]) {
        if (next !== undefined) expect(left.delete(next)).toBe(true);
        for (const { digest, children } of facts.view.manifests) {
          if (!left.has(digest)) continue;
          for (const child of children) expect(left).toContain(child);
        }
        for (const { tag, digest } of facts.view.tags) {
          if (!gone.has(tag)) expect(left).toContain(digest);
        }
      }
    }),
    { numRuns },
  );
});

test("referrers go no later than their subject", () => {
  fc.assert(
    fc.property(repository, rule, (facts, by) => {
      const { manifests } = deletedBy(facts, by);
      for (const { digest, subject } of facts.view.manifests) {
        if (subject === undefined || !manifests.includes(subject)) continue;
        expect(manifests).toContain(digest);
        expect(manifests.indexOf(digest)).toBeLessThan(manifests.indexOf(subject));
      }
    }),
    { numRuns },
  );
});

test("what is young or leased is never deleted, unless it follows a subject", () => {
  fc.assert(
    fc.property(repository, rule, (facts, by) => {
      const { manifests } = deletedBy(facts, by);
      const after = by.untaggedAfterMs;
      if (after === undefined) return expect(manifests).toEqual([]);
      const following = new Set(
        facts.view.tags.filter(({ tag }) => tag.startsWith("sha256-")).map(({ digest }) => digest),
      );
      for (const { digest, pushedAtMs, subject } of facts.view.manifests) {
        if (!manifests.includes(digest) || following.has(digest)) continue;
        expect(facts.leased).not.toContain(digest);
        if (subject === undefined) expect(nowMs - pushedAtMs).toBeGreaterThan(after);
      }
    }),
    { numRuns },
  );
});

test("keeping the last N keeps exactly N", () => {
  const counts = fc.integer({ min: 1, max: 9 });
  fc.assert(
    fc.property(repository, counts, (facts, lastPushed) => {
      const { tags } = planRetention(facts, ruleOf({ keep: { lastPushed } }), nowMs);
      const judged = tags.filter(({ reason }) => ["lastPushed", "noneHolds"].includes(reason.kind));
      const kept = judged.filter(({ isKept }) => isKept);
      expect(kept.length).toBe(Math.min(lastPushed, judged.length));
      const oldest = Math.min(...kept.map(({ pushedAtMs }) => pushedAtMs));
      for (const { isKept, pushedAtMs } of judged) {
        if (!isKept) expect(pushedAtMs).toBeLessThanOrEqual(oldest);
      }
    }),
    { numRuns },
  );
});

test("one more condition, or a looser one, never deletes more", () => {
  const looser = fc.constantFrom<((by: NumberedRule) => NumberedRule)[]>(
    (by) => ({ ...by, keep: { ...by.keep, lastPushed: (by.keep.lastPushed ?? 0) + 1 } }),
    (by) => ({
      ...by,
      keep: { ...by.keep, pulledWithinMs: (by.keep.pulledWithinMs ?? 0) + dayMs },
    }),
    (by) => ({ ...by, keep: { ...by.keep, tags: [...by.keep.tags, ...globsOf("pr-*")] } }),
    (by) => ({
      ...by,
      keep: { ...by.keep, lastPerSemverMinor: (by.keep.lastPerSemverMinor ?? 0) + 1 },
    }),
    (by) => ({ ...by, protect: [...by.protect, ...globsOf("v1.0.*")] }),
    (by) => ({
      ...by,
      ...(by.untaggedAfterMs !== undefined && { untaggedAfterMs: by.untaggedAfterMs + dayMs }),
    }),
  );
  fc.assert(
    fc.property(repository, rule, looser, (facts, by, loosen) => {
      // The first general condition is what brings all tags under the rule.
      fc.pre(hasGeneralCondition(by.keep));
      const before = deletedBy(facts, by);
      const after = deletedBy(facts, loosen(by));
      expect(before.tags).toEqual(expect.arrayContaining(after.tags));
      expect(before.manifests).toEqual(expect.arrayContaining(after.manifests));
    }),
    { numRuns },
  );
});
