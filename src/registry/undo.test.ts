import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { systemClock } from "../base/clock.ts";
import { digestOf } from "../oci/digest.ts";
import { RegistryError } from "../oci/problems.ts";
import { nameOf, tagOf } from "../oci/test-support.ts";
import { moveTag } from "./move-tag.ts";
import { hourMs, openTestRegistry, type TestRegistry } from "./test-support.ts";

const app = nameOf("team/app");
const other = nameOf("other/app");
const v1 = tagOf("v1");
const anna = { name: "anna", client: "berth rm" };
const gently = { actor: anna, isForced: false };
const forced = { actor: anna, isForced: true };

async function opened(settings: Readonly<Record<string, string>> = {}): Promise<TestRegistry> {
  const registry = await openTestRegistry({ settings });
  await registry.adopt();
  return registry;
}

const inTrash = async ({ registry }: TestRegistry) => {
  const found = await Array.fromAsync(registry.undo.entries({}));
  return found.map((it) => `${it.kind === "tag" ? it.tag : "manifest"} ${it.digest}`).sort();
};

/** Collects until every grace is over. */
async function collectAll({ collect, clock }: TestRegistry): Promise<void> {
  for (let round = 0; round < 3; round += 1) {
    clock.pass(26 * hourMs);
    await collect();
  }
}

describe("a tag that was deleted", () => {
  test("comes back to the digest that it had, and the other tag of it was never touched", async () => {
    const rig = await opened();
    const digest = await rig.image(app, "one", { tag: "v1" });
    await rig.image(app, "one", { tag: "latest" });
    await rig.registry.manifests.remove(app, { kind: "tag", tag: v1 }, anna);
    expect([await rig.pulled(app, "v1"), await rig.pulled(app, "latest")]).toEqual([
      undefined,
      digest,
    ]);
    expect(await inTrash(rig)).toEqual([`v1 ${digest}`]);
    const restored = await rig.registry.undo.restoreTag(
      app,
      { tag: v1, digest: undefined },
      gently,
    );
    expect(restored).toEqual({
      ...{ name: app, tag: v1, digest },
      outcome: { kind: "restored", before: undefined },
    });
    expect(await rig.pulled(app, "v1")).toBe(digest);
    expect(await inTrash(rig)).toEqual([]);
    const [newest, deletion] = await rig.activity.listTagEvents(app, { tag: v1, limit: 2 });
    expect(newest).toMatchObject({ after: digest, by: anna });
    expect(deletion).toMatchObject({ before: digest, by: anna });
  });

  test("keeps its bytes from collection until it expires, also without its manifest", async () => {
    const rig = await opened();
    const digest = await rig.image(app, "one", { tag: "v1" });
    // Another repository needs the layer too: so the link of this one goes without its bytes.
    await rig.image(other, "one", { tag: "v1" });
    await rig.registry.manifests.remove(app, { kind: "tag", tag: v1 }, anna);
    await rig.registry.manifests.remove(app, { kind: "digest", digest }, anna);
    await collectAll(rig);
    expect(await rig.context.lookup.holdsBlob(app, digestOf("one"))).toBe(false);
    await rig.registry.undo.restoreTag(app, { tag: v1, digest: undefined }, gently);
    expect(await rig.pulled(app, "v1")).toBe(digest);
  });

  test("is told as gone when its bytes are, and nothing is half restored", async () => {
    const rig = await opened();
    const digest = await rig.image(app, "one", { tag: "v1" });
    await rig.registry.manifests.remove(app, { kind: "digest", digest }, anna);
    await rig.context.blobs.remove(digestOf("one"));
    const { outcome } = await rig.registry.undo.restoreTag(
      app,
      { tag: v1, digest: undefined },
      gently,
    );
    expect(outcome).toEqual({ kind: "gone", missing: [digestOf("one")] });
    expect(await rig.context.lookup.findManifest(app, digest)).toBeUndefined();
  });

  test("is collected once it was purged, and then nothing is known of it", async () => {
    const rig = await opened();
    const digest = await rig.image(app, "one", { tag: "v1" });
    await rig.registry.manifests.remove(app, { kind: "digest", digest }, anna);
    const { undo } = rig.registry;
    await undo.purge(await Array.fromAsync(undo.entries({})), anna);
    await collectAll(rig);
    expect(await rig.context.blobs.sizeOf(digest)).toBeUndefined();
    const wanted = { tag: v1, digest: undefined };
    expect((await undo.restoreTag(app, wanted, gently)).outcome).toEqual({ kind: "unknown" });
    expect((await rig.activity.listAudit({ limit: 2 })).map((it) => it.action)).toEqual([
      "purge trash",
      "purge trash",
    ]);
  });
});

describe("a tag that was moved", () => {
  test("goes back by its last move, and forth again", async () => {
    const rig = await opened();
    const first = await rig.image(app, "one", { tag: "v1" });
    const second = await rig.image(app, "two", { tag: "v1" });
    await rig.image(app, "two", { tag: "v1" });
    const wanted = { tag: v1, digest: undefined };
    expect(await rig.registry.undo.restoreTag(app, wanted, gently)).toMatchObject({
      digest: first,
      outcome: { kind: "restored", before: second },
    });
    expect(await rig.pulled(app, "v1")).toBe(first);
    await rig.registry.undo.restoreTag(app, wanted, gently);
    expect(await rig.pulled(app, "v1")).toBe(second);
  });

  test("is not moved to a digest that is named, or from a newer push, without force", async () => {
    const rig = await opened();
    const first = await rig.image(app, "one", { tag: "v1" });
    await rig.registry.manifests.remove(app, { kind: "tag", tag: v1 }, anna);
    const second = await rig.image(app, "two", { tag: "v1" });
    const { undo } = rig.registry;
    for (const digest of [undefined, first]) {
      expect(await undo.restoreTag(app, { tag: v1, digest }, gently)).toEqual({
        ...{ name: app, tag: v1, digest: first },
        outcome: { kind: "moved", current: second },
      });
    }
    expect(await rig.pulled(app, "v1")).toBe(second);
    await undo.restoreTag(app, { tag: v1, digest: first }, forced);
    expect(await rig.pulled(app, "v1")).toBe(first);
  });

  test("stays where a push has set it between the look and the lock", async () => {
    const rig = await opened();
    const first = await rig.image(app, "one", { tag: "v1" });
    await rig.registry.manifests.remove(app, { kind: "tag", tag: v1 }, anna);
    const { trash } = rig.activity;
    const ofManifest = trash.ofManifest.bind(trash);
    let pushed: Promise<string> | undefined;
    trash.ofManifest = async (...asked) => {
      await (pushed ??= rig.image(app, "two", { tag: "v1" }));
      return ofManifest(...asked);
    };
    const { outcome } = await rig.registry.undo.restoreTag(app, { tag: v1, digest: first }, gently);
    expect(outcome).toEqual({ kind: "moved", current: (await pushed) as never });
    expect(await rig.pulled(app, "v1")).toBe((await pushed) as never);
  });

  test("stays where a push has moved it while its old manifest is deleted", async () => {
    const rig = await opened();
    const first = await rig.image(app, "one", { tag: "v1" });
    const tagsOfManifest = rig.metadata.tagsOfManifest.bind(rig.metadata);
    let pushed: Promise<string> | undefined;
    rig.metadata.tagsOfManifest = async (...asked) => {
      const tags = await tagsOfManifest(...asked);
      await (pushed ??= rig.image(app, "two", { tag: "v1" }));
      return tags;
    };
    await rig.registry.manifests.remove(app, { kind: "digest", digest: first }, anna);
    expect(await rig.pulled(app, "v1")).toBe((await pushed) as never);
    expect(await inTrash(rig)).toEqual([`manifest ${first}`]);
  });
});

describe("a manifest that was deleted", () => {
  test("comes back with the tags that went with it", async () => {
    const rig = await opened();
    const digest = await rig.image(app, "one", { tag: "v1" });
    await rig.image(app, "one", { tag: "latest" });
    await rig.registry.manifests.remove(app, { kind: "digest", digest }, anna);
    expect(await inTrash(rig)).toEqual([`latest ${digest}`, `manifest ${digest}`, `v1 ${digest}`]);
    await collectAll(rig);
    const moved = await rig.image(app, "two", { tag: "latest" });
    const restored = await rig.registry.undo.restoreManifest(app, digest, gently);
    expect(restored.map((it) => [it.tag, it.outcome.kind])).toEqual([
      [undefined, "restored"],
      [v1, "restored"],
      [tagOf("latest"), "moved"],
    ]);
    expect([await rig.pulled(app, "v1"), await rig.pulled(app, "latest")]).toEqual([digest, moved]);
    // What could not be brought back waits in the trash.
    await rig.registry.manifests.remove(app, { kind: "tag", tag: tagOf("latest") }, anna);
    const rest = await rig.registry.undo.restoreManifest(app, digest, gently);
    expect(rest.map((it) => [it.tag, it.outcome.kind])).toEqual([[tagOf("latest"), "restored"]]);
    expect(await rig.registry.undo.restoreManifest(app, digest, gently)).toMatchObject([
      { outcome: { kind: "unchanged" } },
    ]);
  });

  test("comes back with all its tags, however many they were", async () => {
    const rig = await opened();
    const digest = await rig.image(app, "one");
    const tags = Array.from({ length: 1_100 }, (_, it) => tagOf(`v${it}`));
    const actor = {};
    for (const tag of tags) await moveTag({ name: app, tag, digest, actor }, rig.context);
    await rig.registry.manifests.remove(app, { kind: "digest", digest }, anna);
    expect(await rig.metadata.listTags(app, { limit: 1 })).toEqual([]);
    const restored = await rig.registry.undo.restoreManifest(app, digest, gently);
    expect(restored).toHaveLength(tags.length + 1);
    expect(await rig.metadata.listTags(app, { limit: 2_000 })).toEqual(tags.toSorted());
    expect(await rig.activity.trash.list({ limit: 1 })).toEqual([]);
  });

  test("an index brings its manifests back before itself", async () => {
    const rig = await opened();
    const child = await rig.image(app, "one");
    const index = await rig.index(app, [child], "v1");
    for (const digest of [index, child]) {
      await rig.registry.manifests.remove(app, { kind: "digest", digest }, anna);
    }
    await collectAll(rig);
    await rig.registry.undo.restoreManifest(app, index, gently);
    expect(await rig.pulled(app, "v1")).toBe(index);
  });

  test("gets no blob of another repository that it only named", async () => {
    const rig = await opened({ VALIDATION_DISABLED: "true" });
    const secret = await rig.blob(other, "secret");
    const digest = await rig.image(app, "one", { tag: "v1" });
    const spy = await rig.index(app, [secret, digest], "spy");
    await rig.registry.manifests.remove(app, { kind: "digest", digest: spy }, anna);
    await rig.registry.undo.restoreManifest(app, spy, gently);
    expect(await rig.context.lookup.findManifest(app, spy)).toBeDefined();
    expect(await rig.context.lookup.findBlob(app, secret)).toBeUndefined();
  });
});

describe("a repository that was deleted", () => {
  test("is gone at once and comes back whole, from the last time that it was deleted", async () => {
    const rig = await opened();
    await rig.image(app, "older", { tag: "v0" });
    await rig.registry.removals.remove([{ kind: "repository", name: app }], anna);
    await rig.registry.undo.restoreRepository(app, gently);
    const one = await rig.image(app, "one", { tag: "v1" });
    const index = await rig.index(app, [one], "multi");
    await rig.image(other, "one", { tag: "v1" });
    const { operation, removed } = await rig.registry.removals.remove(
      [{ kind: "repository", name: app }],
      anna,
    );
    expect(removed).toHaveLength(6);
    const { items } = await rig.registry.catalog.list({ limit: 10 });
    expect(items).toEqual([other]);
    expect(await rig.context.lookup.hasRepository(app)).toBe(false);
    await collectAll(rig);
    const restored = await rig.registry.undo.restoreRepository(app, gently);
    expect(restored.map((it) => it.outcome.kind).filter((kind) => kind !== "restored")).toEqual([]);
    expect(await rig.pulled(app, "v1")).toBe(one);
    expect(await rig.pulled(app, "multi")).toBe(index);
    expect(await rig.pulled(app, "v0")).toBeDefined();
    expect(await inTrash(rig)).toEqual([]);
    expect(await rig.registry.undo.restoreOperation(operation, gently)).toEqual([]);
    expect(await rig.registry.undo.restoreRepository(nameOf("never"), gently)).toEqual([]);
  });

  test("has its tags in the order of their pushes again: retention goes by which is newer", async () => {
    const rig = await opened();
    const pushed = ["c", "a", "e", "b", "d"];
    for (const tag of pushed) {
      await rig.image(app, `layer ${tag}`, { tag });
      rig.clock.pass(1_000);
    }
    await rig.registry.removals.remove([{ kind: "repository", name: app }], anna);
    const restored = await rig.registry.undo.restoreRepository(app, gently);
    expect(restored.flatMap((it) => it.tag ?? [])).toEqual(pushed.map((tag) => tagOf(tag)));
  });

  test("leaves whole what is pushed while it goes", async () => {
    const rig = await opened();
    await rig.image(app, "one", { tag: "v1" });
    const listTags = rig.links.listTags.bind(rig.links);
    let pushed: Promise<string> | undefined;
    // Its manifests are gone by then, and its layers are not yet.
    rig.links.listTags = async (name) => {
      const areManifestsGone = (await rig.links.listRevisions(name)).length === 0;
      if (areManifestsGone) await (pushed ??= rig.image(app, "one", { tag: "v2" }));
      return listTags(name);
    };
    await rig.registry.removals.remove([{ kind: "repository", name: app }], anna);
    expect(await rig.pulled(app, "v1")).toBeUndefined();
    expect(await rig.pulled(app, "v2")).toBe((await pushed) as never);
  });
});

test("with undo switched off nothing is recorded, and the bytes go", async () => {
  const rig = await opened({ TRASH_RETENTION: "0s" });
  const digest = await rig.image(app, "one", { tag: "v1" });
  await rig.registry.manifests.remove(app, { kind: "digest", digest }, anna);
  expect(await inTrash(rig)).toEqual([]);
  await collectAll(rig);
  expect(await rig.context.blobs.sizeOf(digest)).toBeUndefined();
});

describe("a crash between the trash and the layout", () => {
  test("leaves an entry that nobody sees, and restoring it changes nothing", async () => {
    const rig = await opened();
    const digest = await rig.image(app, "one", { tag: "v1" });
    const entry = {
      ...{ operation: "o", repository: app, digest, mediaType: "m", sizeBytes: 1, by: anna },
      ...{ atMs: rig.clock.nowMs(), expiresAtMs: rig.clock.nowMs(), keeps: [digest] },
    };
    await rig.activity.trash.add([
      { ...entry, kind: "tag", tag: v1, action: "delete tag" },
      { ...entry, kind: "manifest", action: "delete manifest" },
    ]);
    expect(await inTrash(rig)).toEqual([]);
    const restored = await rig.registry.undo.restoreOperation("o", gently);
    expect(restored.map((it) => it.outcome)).toEqual([
      { kind: "unchanged" },
      { kind: "unchanged" },
    ]);
    expect(await rig.activity.trash.list({ limit: 5 })).toEqual([]);
    expect(await rig.pulled(app, "v1")).toBe(digest);
  });
});

test("a disk without room for the trash does not keep a deletion from making room", async () => {
  const rig = await opened();
  const digest = await rig.image(app, "one", { tag: "v1" });
  rig.activity.trash.add = () => Promise.reject(new RegistryError("storageFull"));
  await rig.registry.manifests.remove(app, { kind: "digest", digest }, anna);
  expect(await rig.pulled(app, "v1")).toBeUndefined();
  const lines = rig.logger.lines.filter((line) => line.message.startsWith("a deletion is final"));
  expect(lines.map((line) => line.fields["tag"])).toEqual([undefined, v1]);
  rig.activity.trash.add = () => Promise.reject(new Error("the database is gone"));
  const again = await rig.image(app, "one", { tag: "v1" });
  const removing = rig.registry.manifests.remove(app, { kind: "digest", digest: again }, anna);
  expect(removing).rejects.toThrow("the database is gone");
  expect(await rig.pulled(app, "v1")).toBe(digest);
});

test("pushes, deletions and restores at once leave whole images and a true history", async () => {
  const seed = Math.floor(systemClock.nowMs());
  await fc.assert(
    fc.asyncProperty(fc.array(fc.nat(5), { minLength: 20, maxLength: 60 }), async (works) => {
      const rig = await opened();
      const digests = [
        await rig.image(app, "one", { tag: "v1" }),
        await rig.image(app, "two", { tag: "v1" }),
      ] as const;
      const { manifests, removals, undo } = rig.registry;
      const run = [
        () => rig.image(app, "one", { tag: "v1" }),
        () => rig.image(app, "two", { tag: "v1" }),
        () => manifests.remove(app, { kind: "tag", tag: v1 }, anna),
        () => manifests.remove(app, { kind: "digest", digest: digests[0] }, anna),
        () => undo.restoreTag(app, { tag: v1, digest: undefined }, forced),
        () => removals.remove([{ kind: "repository", name: app }], anna),
      ] as const;
      // A push may be refused for what a deletion took, a deletion for what is not there.
      const isRefusal = (error: unknown): void => {
        if (!(error instanceof RegistryError)) throw error;
      };
      await Promise.all(works.map(async (work) => run[work]?.().then(() => undefined, isRefusal)));
      const now = await rig.pulled(app, "v1");
      expect((await rig.links.readTag(app, v1))?.digest).toBe(now as never);
      const [newest] = await rig.activity.listTagEvents(app, { tag: v1, limit: 1 });
      expect(newest?.after).toBe(now as never);
      for (const digest of digests) {
        const isThere = (await rig.context.lookup.findManifest(app, digest)) !== undefined;
        if (isThere) await rig.expectWhole(app, digest);
        // What is gone can be taken back.
        else expect((await rig.activity.trash.keptAmong([digest])).has(digest)).toBe(true);
      }
      await rig.close();
    }),
    { numRuns: 30, seed },
  );
}, 60_000);
