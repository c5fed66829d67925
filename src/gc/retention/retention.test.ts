import { afterEach, expect, test } from "bun:test";
import { systemRandom } from "../../base/random.ts";
import { FakeClock, recordingLogger } from "../../base/test-support.ts";
import { loadConfig } from "../../config/load.ts";
import { type Digest, digestOf } from "../../oci/digest.ts";
import { mediaTypes } from "../../oci/media-type.ts";
import { nameOf, tagOf } from "../../oci/test-support.ts";
import { immutablePattern } from "../../registry/policy.ts";
import { type OpenRegistry, openRegistry } from "../../server/open-registry.ts";
import { registryPolicy } from "../../server/settings.ts";
import { dayMs, ruleOf } from "./plan-samples.ts";
import { Retention, type RetentionRun } from "./retention.ts";
import type { RetentionRule } from "./rule.ts";
import { RunClock } from "./run-clock.ts";

const app = nameOf("team/app");
const idle = new AbortController().signal;
const go: RetentionRun = {
  signal: idle,
  halt: () => undefined,
  pace: async () => undefined,
  onDeleted: () => undefined,
};

/** A run during which `works` happen, each after one more deletion. */
function during(...works: readonly (() => unknown)[]): RetentionRun {
  let count = 0;
  return {
    ...go,
    pace: async () => {
      await works[count - 1]?.();
      count += 1;
    },
  };
}

const opened: OpenRegistry[] = [];
afterEach(async () => {
  for (const registry of opened.splice(0)) await registry.close();
});

async function rig(rules: readonly RetentionRule[]) {
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
    removals: registry.registry.removals,
    rules,
    isImmutable: (name, tag) => immutablePattern(name, tag, policy) !== undefined,
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
  const other = nameOf("other");
  expect(await both.retention.run({ ...go, only: other })).toMatchObject({ deletedTags: 0 });
  expect(await tags()).toEqual(["v1", "v2"]);
});

test("a tag that is moved or pushed again after the plan stays", async () => {
  const { retention, push, tags, clock } = await rig([ruleOf({ keep: { tags: ["keep"] } })]);
  await push("a", "a", "b", "c");
  clock.pass(dayMs);
  const work = async () => {
    await push("other", "b");
    await push("a", "c");
  };
  expect(await retention.run(during(work))).toMatchObject({ deletedTags: 1, changed: 2 });
  expect(await tags()).toEqual(["b", "c"]);
});

test("a manifest that is tagged, listed, pushed again or asked for after the plan stays", async () => {
  const { retention, push, clock, metadata, registry } = await rig([ruleOf({ days: 1 })]);
  const notes = new Map<Digest, string>();
  for (const note of ["a", "b", "c", "d", "e"]) notes.set(await push(note), note);
  clock.pass(2 * dayMs);
  const planned = await retention.plan(app);
  if (planned === "frozen") expect.unreachable();
  const order = planned.manifests.filter(({ isKept }) => !isKept).map(({ digest }) => digest);
  const [gone, tagged, again, asked, listed] = order;
  if (!(gone && tagged && again && asked && listed)) expect.unreachable();
  const work = async () => {
    await push(notes.get(tagged) ?? "", "tag");
    await push(notes.get(again) ?? "");
    await registry.manifests.stat(app, { kind: "digest", digest: asked });
    await registry.manifests.push({
      ...{ name: app, reference: { kind: "tag", tag: tagOf("parent") }, tags: [] },
      ...{ bytes: bytesOf({ note: "parent" }, [listed]), contentType: undefined, actor: {} },
    });
  };
  expect(await retention.run(during(work))).toMatchObject({ deletedManifests: 1, changed: 4 });
  for (const digest of order) {
    expect((await metadata.findManifest(app, digest)) === undefined).toBe(digest === gone);
  }
});

test("after a crash a plan knows that leases may be lost, as the run does", async () => {
  const { retention, push, clock, metadata, context } = await rig([ruleOf({ days: 7 })]);
  const untagged = await push("untagged");
  clock.pass(8 * dayMs);
  await context.leases.begin();
  const stays = { digest: untagged, isKept: true, reason: { kind: "leased" } };
  expect(await retention.plan(app)).toMatchObject({ manifests: [stays] });
  expect(await retention.run(go)).toMatchObject({ deletedManifests: 0, changed: 0 });
  clock.pass(2 * dayMs);
  expect(await retention.plan(app)).toMatchObject({ manifests: [{ isKept: false }] });
  expect(await retention.run(go)).toMatchObject({ deletedManifests: 1, changed: 0 });
  expect(await metadata.findManifest(app, untagged)).toBeUndefined();
});

test("a signature stays when its subject gets a tag after the plan", async () => {
  const rules = [ruleOf({ keep: { tags: ["keep"] }, days: 1 })];
  const { retention, push, tags, clock, metadata } = await rig(rules);
  const subject = await push("subject");
  const tag = `${subject.replace(":", "-")}.sig`;
  const signature = await push("signature", tag);
  await push("another", "a");
  clock.pass(2 * dayMs);
  // `a` comes before the signature's tag.
  const result = await retention.run(during(() => push("subject", "back")));
  expect(result).toMatchObject({ deletedTags: 1, deletedManifests: 0, changed: 3 });
  expect(await tags()).toEqual(["back", tag]);
  expect(await metadata.findManifest(app, subject)).toBeDefined();
  expect(await metadata.findManifest(app, signature)).toBeDefined();
});

test("a repository with something unreadable is left alone, with one warning", async () => {
  const parts = await rig([ruleOf({ keep: { lastPushed: 1 }, days: 1 })]);
  const { retention, push, tags, logger, objects, clock, context } = parts;
  await push("a", "v1", "v2");
  clock.pass(2 * dayMs);
  const key = "docker/registry/v2/repositories/team/app/_manifests/tags/scar/current/link";
  await objects.put(key, new Uint8Array());
  await context.adoption.refresh(app);
  expect(await retention.plan(app)).toBe("frozen");
  expect(await retention.run(go)).toMatchObject({ frozen: 1, deletedTags: 0 });
  expect(await tags()).toEqual(["v1", "v2"]);
  const warnings = logger.lines.filter(({ message }) => message.includes("leaves a repository"));
  expect(warnings).toHaveLength(1);
});

test("a run is stopped between two deletions, and goes on where it was", async () => {
  const ends = new AbortController();
  const { retention, push, tags } = await rig([ruleOf({ keep: { lastPushed: 1 } })]);
  await push("a", "v1", "v2", "v3", "v4", "v5");
  const stopping = {
    ...during(
      () => undefined,
      () => ends.abort(),
    ),
    signal: ends.signal,
  };
  const stopped = await retention.run(stopping);
  expect(stopped).toMatchObject({ deletedTags: 2, halted: "it was stopped" });
  expect(await tags()).toHaveLength(3);
  expect(await retention.run(go)).toMatchObject({ deletedTags: 2 });
  expect(await tags()).toEqual(["v5"]);
});

test("every deletion waits for the pace, and a plan that is a minute old is made anew", async () => {
  const { retention, push, tags, clock } = await rig([ruleOf({ keep: { lastPushed: 1 } })]);
  await push("a", "v1", "v2", "v3", "v4", "v5");
  const deleted: string[] = [];
  let paces = 0;
  const result = await retention.run({
    ...go,
    pace: async (count) => {
      paces += count;
      clock.pass(40_000);
      // After the second deletion; by the new plan `v5` is not the newest any more.
      if (deleted.length === 2) await push("z", "v9");
    },
    onDeleted: ({ reference }) => deleted.push(reference),
  });
  expect(result).toMatchObject({ deletedTags: 5, changed: 0 });
  expect(deleted).toEqual(["v1", "v2", "v3", "v4", "v5"]);
  expect(paces).toBeGreaterThanOrEqual(5);
  expect(await tags()).toEqual(["v9"]);
});

test("a failure in one repository leaves the others their turn", async () => {
  const second = nameOf("team/b");
  const { retention, push, metadata, registry } = await rig([ruleOf({ keep: { lastPushed: 1 } })]);
  await push("a", "v1", "v2");
  const bytes = bytesOf({ note: "b" });
  await registry.manifests.push({
    ...{ name: second, reference: { kind: "digest", digest: digestOf(bytes) }, bytes },
    ...{ contentType: undefined, actor: {}, tags: [tagOf("v1"), tagOf("v2")] },
  });
  let isFirst = true;
  const result = await retention.run({
    ...go,
    pace: async () => {
      if (isFirst) {
        isFirst = false;
        throw new Error("the disk is sad");
      }
    },
  });
  expect(result).toMatchObject({ failed: 1, deletedTags: 1 });
  expect(await metadata.listTags(second, { limit: 10 })).toEqual(["v2"]);
});

test("no run goes after a step of the clock; the one after it does", async () => {
  const { metadata } = await rig([]);
  const clock = new FakeClock();
  const runs = new RunClock(clock, metadata, dayMs);
  expect(await runs.begin()).toBeUndefined();
  clock.pass(dayMs);
  expect(await runs.begin()).toBeUndefined();
  for (const stepMs of [3_600_000, -3_600_000]) {
    clock.step(stepMs);
    clock.pass(dayMs);
    expect(await runs.begin()).toContain("the clock was set");
    clock.pass(dayMs);
    expect(await runs.begin()).toBeUndefined();
  }
});

test("the last run is remembered over restarts", async () => {
  const { metadata } = await rig([]);
  const clock = new FakeClock();
  const restarted = () => new RunClock(clock, metadata, dayMs);
  expect(await restarted().begin()).toBeUndefined();
  expect(await restarted().lastRunMs()).toBe(clock.nowMs());
  clock.step(-dayMs);
  expect(await restarted().begin()).toContain("and the last run was at");
  expect(await restarted().begin()).toBeUndefined();
  clock.step(3_650 * dayMs);
  expect(await restarted().begin()).toContain("and the last run was at");
  expect(await restarted().begin()).toBeUndefined();
});

test("a clock that is set during a run ends it", async () => {
  const clock = new FakeClock();
  const { retention, push, metadata } = await rig([ruleOf({ keep: { lastPushed: 1 } })]);
  await push("a", "v1", "v2", "v3");
  const runs = new RunClock(clock, metadata, dayMs);
  expect(await runs.begin()).toBeUndefined();
  const result = await retention.run({
    ...go,
    halt: () => runs.problem(),
    onDeleted: () => {
      clock.step(3_650 * dayMs);
    },
  });
  expect(result.deletedTags).toBe(1);
  expect(result.halted).toContain("the clock was set");
});
