import { afterEach, expect, test } from "bun:test";
import { FakeClock, recordingLogger } from "../../auth/test-support.ts";
import type { Clock } from "../../base/clock.ts";
import { systemRandom } from "../../base/random.ts";
import { loadConfig } from "../../config/load.ts";
import { type Digest, digestOf } from "../../oci/digest.ts";
import { mediaTypes } from "../../oci/media-type.ts";
import { parseRepositoryName } from "../../oci/repository-name.ts";
import { immutablePattern } from "../../registry/policy.ts";
import { type OpenRegistry, openRegistry } from "../../server/open-registry.ts";
import { registryPolicy } from "../../server/settings.ts";
import { ClockGuard } from "./clock-guard.ts";
import { dayMs, ruleOf, tagOf } from "./plan-samples.ts";
import { Retention, type RetentionParts } from "./retention.ts";
import type { RetentionRule } from "./rule.ts";
import { hasUnreadable } from "./unreadable.ts";

const app = parseRepositoryName("team/app") ?? expect.unreachable();
const idle = new AbortController().signal;
const go = { signal: idle, halt: () => undefined };

const opened: OpenRegistry[] = [];
afterEach(async () => {
  for (const registry of opened.splice(0)) await registry.close();
});

async function rig(rules: readonly RetentionRule[], more: Partial<RetentionParts> = {}) {
  const { config } = loadConfig({
    text: "{version: 0.1, storage: inmemory, immutabletags: [{repositories: '**', tags: fixed}]}",
    environment: {},
  });
  const clock = new FakeClock();
  const logger = recordingLogger();
  const policy = registryPolicy(config);
  const memory = { kind: "sqlite", path: ":memory:" } as const;
  const registry = await openRegistry({
    storage: { kind: "memory" },
    metadata: memory,
    records: memory,
    policy,
    clock,
    random: systemRandom,
    logger,
  });
  opened.push(registry);
  await registry.registry.adoption.run(idle);
  const { context } = registry;
  const retention = new Retention({
    ...context,
    manifests: registry.registry.manifests,
    rules,
    deletionsPerSecond: 50,
    isImmutable: (name, tag) => immutablePattern(name, tag, policy) !== undefined,
    isFrozen: (name) => hasUnreadable(name, context),
    isLeased: async () => false,
    pause: async () => undefined,
    onDeleted: () => undefined,
    ...more,
  });
  const push = async (note: string, ...tags: string[]): Promise<Digest> => {
    const bytes = bytesOf({ note });
    const digest = digestOf(bytes);
    await registry.registry.manifests.push({
      name: app,
      reference: { kind: "digest", digest },
      tags: tags.map((tag) => tagOf(tag)),
      bytes,
      contentType: undefined,
      actor: {},
    });
    return digest;
  };
  const tags = () => registry.metadata.listTags(app, { limit: 100 });
  return { ...registry, clock, logger, retention, push, tags };
}

function bytesOf(annotations: Record<string, string>, children: readonly Digest[] = []) {
  const manifests = children.map((digest) => ({
    mediaType: mediaTypes.ociIndex,
    digest,
    size: 1,
  }));
  const value = { schemaVersion: 2, mediaType: mediaTypes.ociIndex, manifests, annotations };
  return new TextEncoder().encode(JSON.stringify(value));
}

test("deletes the tags of a plan, tells their history who did it, and then what is untagged", async () => {
  const { retention, push, tags, clock, activity, metadata } = await rig([
    ruleOf({ keep: { lastPushed: 1 }, days: 7 }),
  ]);
  const old = await push("old", "v1", "fixed");
  clock.pass(dayMs);
  const gone = await push("gone", "v2");
  clock.pass(dayMs);
  await push("new", "v3");
  expect(await retention.run(go)).toMatchObject({ deletedTags: 2, deletedManifests: 0 });
  expect(await tags()).toEqual(["fixed", "v3"]);
  const [event] = await activity.listTagEvents(app, { tag: tagOf("v2"), limit: 1 });
  expect(event).toMatchObject({ before: gone, by: { client: "retention rule 1" } });
  expect(event?.after).toBeUndefined();

  clock.pass(7 * dayMs);
  expect(await retention.run(go)).toMatchObject({ deletedTags: 0, deletedManifests: 0 });
  clock.pass(1);
  expect(await retention.run(go)).toMatchObject({ deletedTags: 0, deletedManifests: 1 });
  expect(await metadata.findManifest(app, gone)).toBeUndefined();
  expect(await metadata.findManifest(app, old)).toBeDefined();
  const [entry] = await activity.listAudit({ limit: 1 });
  expect(entry).toMatchObject({ action: "delete manifest", target: `${app}@${gone}` });
});

test("only the repositories of a rule, and only the one that is asked for", async () => {
  const rules = [{ ...ruleOf({ keep: { lastPushed: 1 } }), repositories: [] }];
  const { retention, push, tags } = await rig(rules);
  await push("a", "v1", "v2");
  expect(await retention.run(go)).toMatchObject({ repositories: 0, deletedTags: 0 });
  const both = await rig([ruleOf({ keep: { lastPushed: 1 } })]);
  await both.push("a", "v1", "v2");
  const other = parseRepositoryName("other") ?? expect.unreachable();
  expect(await both.retention.run({ ...go, only: other })).toMatchObject({ deletedTags: 0 });
  expect(await tags()).toEqual(["v1", "v2"]);
});

test("a tag that is moved or pushed again after the plan stays", async () => {
  const waiting: (() => Promise<unknown>)[] = [];
  const { retention, push, tags, clock } = await rig([ruleOf({ keep: { tags: ["keep"] } })], {
    pause: async () => void (await waiting.shift()?.()),
  });
  const digest = await push("a", "a", "b", "c");
  clock.pass(dayMs);
  // While `a` goes, somebody moves `b` and pushes `c` once more.
  waiting.push(async () => {
    await push("other", "b");
    await push("a", "c");
  });
  const result = await retention.run(go);
  expect(result).toMatchObject({ deletedTags: 1, changed: 2 });
  expect(await tags()).toEqual(["b", "c"]);
  expect(digest).toBeDefined();
});

test("a manifest that is tagged, listed, pushed again or leased after the plan stays", async () => {
  const waiting: (() => Promise<unknown>)[] = [];
  const leased = new Set<Digest>();
  const parts = await rig([ruleOf({ days: 1 })], {
    pause: async () => void (await waiting.shift()?.()),
    isLeased: async (digest) => leased.has(digest),
  });
  const { retention, push, clock, metadata, registry } = parts;
  const digests: Record<string, Digest> = {};
  for (const note of ["a", "b", "c", "d", "e"]) digests[note] = await push(note);
  clock.pass(2 * dayMs);
  const planned = await retention.plan(app);
  if (planned === "frozen") expect.unreachable();
  const order = planned.manifests.filter(({ isKept }) => !isKept).map(({ digest }) => digest);
  const noteOf = (at: number) =>
    Object.entries(digests).find(([, digest]) => digest === order[at])?.[0] ?? "";
  expect(order).toHaveLength(5);
  waiting.push(async () => {
    await push(noteOf(1), "tag");
    await push(noteOf(2));
    leased.add(order[3] ?? expect.unreachable());
    const bytes = bytesOf({ note: "parent" }, [order[4] ?? expect.unreachable()]);
    const reference = { kind: "tag", tag: tagOf("parent") } as const;
    const push4 = { name: app, reference, tags: [], bytes, contentType: undefined, actor: {} };
    await registry.manifests.push(push4);
  });
  expect(await retention.run(go)).toMatchObject({ deletedManifests: 1, changed: 4 });
  for (const [at, digest] of order.entries()) {
    expect((await metadata.findManifest(app, digest)) === undefined).toBe(at === 0);
  }
});

test("a signature stays when its subject gets a tag after the plan", async () => {
  const waiting: (() => Promise<unknown>)[] = [];
  const { retention, push, tags, clock, metadata } = await rig(
    [ruleOf({ keep: { tags: ["keep"] }, days: 1 })],
    { pause: async () => void (await waiting.shift()?.()) },
  );
  const subject = await push("subject");
  const tag = `${subject.replace(":", "-")}.sig`;
  const signature = await push("signature", tag);
  await push("another", "a");
  clock.pass(2 * dayMs);
  // `a` comes before the signature's tag.
  waiting.push(() => push("subject", "back"));
  expect(await retention.run(go)).toMatchObject({
    deletedTags: 1,
    deletedManifests: 0,
    changed: 3,
  });
  expect(await tags()).toEqual(["back", tag]);
  expect(await metadata.findManifest(app, subject)).toBeDefined();
  expect(await metadata.findManifest(app, signature)).toBeDefined();
});

test("a repository with something unreadable is left alone, with one warning", async () => {
  const { retention, push, tags, logger, objects, clock } = await rig([
    ruleOf({ keep: { lastPushed: 1 }, days: 1 }),
  ]);
  await push("a", "v1", "v2");
  clock.pass(2 * dayMs);
  const key = "docker/registry/v2/repositories/team/app/_manifests/tags/scar/current/link";
  await objects.put(key, new Uint8Array());
  expect(await retention.plan(app)).toBe("frozen");
  expect(await retention.run(go)).toMatchObject({ frozen: 1, deletedTags: 0 });
  expect(await tags()).toEqual(["v1", "v2"]);
  const warnings = logger.lines.filter(({ message }) => message.includes("leaves a repository"));
  expect(warnings).toHaveLength(1);
  await objects.remove(key);
  await objects.put(
    `docker/registry/v2/repositories/team/app/_manifests/revisions/sha256/${"0".repeat(64)}/link`,
    new TextEncoder().encode(`sha256:${"0".repeat(64)}`),
  );
  expect(await retention.plan(app)).toBe("frozen");
});

test("a run is stopped between two deletions, and goes on where it was", async () => {
  const ends = new AbortController();
  let count = 0;
  const { retention, push, tags } = await rig([ruleOf({ keep: { lastPushed: 1 } })], {
    onDeleted: () => {
      count += 1;
      if (count === 2) ends.abort();
    },
  });
  await push("a", "v1", "v2", "v3", "v4", "v5");
  const stopped = await retention.run({ ...go, signal: ends.signal });
  expect(stopped).toMatchObject({ deletedTags: 2, halted: "it was stopped" });
  expect(await tags()).toHaveLength(3);
  expect(await retention.run(go)).toMatchObject({ deletedTags: 2 });
  expect(await tags()).toEqual(["v5"]);
});

test("the limit of deletions in a second is kept by pauses, and an old plan is made anew", async () => {
  const pauses: number[] = [];
  const parts = await rig([ruleOf({ keep: { lastPushed: 1 } })], {
    deletionsPerSecond: 20,
    pause: async (ms) => {
      pauses.push(ms);
      parts.clock.pass(40_000);
      // The plan is a minute old by now, and what it said of this tag is no more so.
      if (pauses.length === 2) await parts.push("z", "v9");
    },
  });
  await parts.push("a", "v1", "v2", "v3", "v4", "v5");
  expect(await parts.retention.run(go)).toMatchObject({ deletedTags: 5, changed: 0 });
  expect(pauses).toEqual([50, 50, 50, 50, 50]);
  expect(await parts.tags()).toEqual(["v9"]);
});

test("a failure in one repository leaves the others their turn", async () => {
  const second = parseRepositoryName("team/b") ?? expect.unreachable();
  const parts = await rig([ruleOf({ keep: { lastPushed: 1 } })], {
    isFrozen: async (name) => {
      if (name === app) throw new Error("the disk is sad");
      return false;
    },
  });
  await parts.push("a", "v1", "v2");
  const bytes = bytesOf({ note: "b" });
  const reference = { kind: "digest", digest: digestOf(bytes) } as const;
  await parts.registry.manifests.push({
    ...{ name: second, reference, bytes, contentType: undefined, actor: {} },
    tags: [tagOf("v1"), tagOf("v2")],
  });
  expect(await parts.retention.run(go)).toMatchObject({ failed: 1, deletedTags: 1 });
  expect(await parts.metadata.listTags(second, { limit: 10 })).toEqual(["v2"]);
});

class TwoClocks implements Clock {
  wall = Date.UTC(2026, 0, 1);
  monotonic = 0;

  nowMs(): number {
    return this.wall;
  }

  monotonicMs(): number {
    return this.monotonic;
  }

  pass(ms: number): void {
    this.wall += ms;
    this.monotonic += ms;
  }
}

test("the guard lets no run go when the clock leapt, stood still or lies before the last run", async () => {
  const { metadata } = await rig([]);
  const clock = new TwoClocks();
  const guard = new ClockGuard(clock, metadata);
  expect(await guard.begin()).toBeUndefined();
  clock.pass(dayMs);
  expect(await guard.begin()).toBeUndefined();
  clock.wall += 3_600_000;
  clock.pass(dayMs);
  expect(guard.leap()).toBe("the clock went 60 minutes forward");
  expect(await guard.begin()).toBe("the clock went 60 minutes forward");
  expect(await guard.begin()).toBeUndefined();
  clock.wall -= 3_600_000;
  expect(await guard.begin()).toBe("the clock went 60 minutes back");
  // Small corrections are daily life.
  clock.wall += 2_000;
  clock.pass(dayMs);
  expect(await guard.begin()).toBeUndefined();
});

test("the guard remembers the last run over restarts", async () => {
  const { metadata } = await rig([]);
  const clock = new TwoClocks();
  expect(await new ClockGuard(clock, metadata).begin()).toBeUndefined();
  clock.wall -= dayMs;
  const restarted = new ClockGuard(clock, metadata);
  expect(await restarted.begin()).toContain("which is yet to come");
  expect(await restarted.begin()).toBeUndefined();
  clock.wall += 3_650 * dayMs;
  expect(await new ClockGuard(clock, metadata).begin()).toContain("more than 30 days ago");
  expect(await new ClockGuard(clock, metadata).begin()).toBeUndefined();
});

test("a clock that leaps during a run ends it", async () => {
  const clock = new TwoClocks();
  const parts = await rig([ruleOf({ keep: { lastPushed: 1 } })], {
    onDeleted: () => {
      clock.wall += 3_650 * dayMs;
    },
  });
  await parts.push("a", "v1", "v2", "v3");
  const guard = new ClockGuard(clock, parts.metadata);
  await guard.begin();
  const result = await parts.retention.run({ ...go, halt: () => guard.leap() });
  expect(result.deletedTags).toBe(1);
  expect(result.halted).toContain("forward");
});
