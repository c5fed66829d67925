import { expect, test } from "bun:test";
import type { Clock } from "../base/clock.ts";
import { silentLogger } from "../base/logger.ts";
import { systemRandom } from "../base/random.ts";
import { loadConfig } from "../config/load.ts";
import { type Digest, digestOf } from "../oci/digest.ts";
import { mediaTypes } from "../oci/media-type.ts";
import { parseRepositoryName } from "../oci/repository-name.ts";
import { parseTag } from "../oci/tag.ts";
import { openRegistry } from "../server/open-registry.ts";
import { registryPolicy } from "../server/settings.ts";
import { MemoryStore } from "../storage/drivers/memory.ts";
import { Collector } from "./collector.ts";
import { takeInventory } from "./inventory.ts";

const hourMs = 3_600_000;
const app = parseRepositoryName("team/app") ?? expect.unreachable();
const other = parseRepositoryName("other/app") ?? expect.unreachable();
const tag = parseTag("v1") ?? expect.unreachable();

/** A clock that a test moves; both hands go together unless it says otherwise. */
class TestClock implements Clock {
  wallMs = 1_800_000_000_000;
  elapsedMs = 0;
  nowMs(): number {
    return this.wallMs;
  }
  monotonicMs(): number {
    return this.elapsedMs;
  }
  pass(ms: number): void {
    this.wallMs += ms;
    this.elapsedMs += ms;
  }
}

async function rig() {
  const clock = new TestClock();
  const objects = new MemoryStore(clock);
  const opened = await openRegistry({
    storage: { kind: "opened", objects },
    metadata: { kind: "sqlite", path: ":memory:" },
    records: { kind: "sqlite", path: ":memory:" },
    policy: registryPolicy(
      loadConfig({ text: "version: 0.1\nstorage: inmemory\n", environment: {} }).config,
    ),
    clock,
    random: systemRandom,
    logger: silentLogger,
  });
  const { registry, context } = opened;
  await registry.adoption.run(new AbortController().signal);
  const kept = new Set<Digest>();
  const parts = {
    ...context,
    undo: { keeps: async (digest: Digest) => kept.has(digest) },
  };
  const collector = new Collector(parts, { graceMs: 24 * hourMs, trashGraceMs: 24 * hourMs });
  const pace = async (): Promise<void> => undefined;
  const signal = new AbortController().signal;
  const collect = () => collector.run({ signal, pace });
  const inventory = () => takeInventory(context, { folders: 512, pace, clock, signal });

  async function blob(name: typeof app, text: string): Promise<Digest> {
    const digest = digestOf(text);
    const session = await registry.uploads.begin(name, { owner: "", algorithm: "sha256" });
    const source = new Blob([text]).stream();
    await registry.uploads.finish({ name, id: session.id, owner: "" }, digest, { source });
    // The timer that does it is of the real time, and the test's goes by days.
    await context.leases.flush();
    return digest;
  }
  async function image(name: typeof app, layer: string): Promise<Digest> {
    const descriptor = async (text: string) => ({
      mediaType: "application/octet-stream",
      digest: await blob(name, text),
      size: text.length,
    });
    const value = {
      schemaVersion: 2,
      mediaType: mediaTypes.ociManifest,
      config: await descriptor("{}"),
      layers: [await descriptor(layer)],
    };
    return push(name, JSON.stringify(value));
  }
  async function push(name: typeof app, text: string): Promise<Digest> {
    const bytes = new TextEncoder().encode(text);
    const reference = { kind: "tag", tag } as const;
    const contentType = mediaTypes.ociManifest;
    return (
      await registry.manifests.push({ name, reference, tags: [], bytes, contentType, actor: {} })
    ).digest;
  }
  const has = async (name: typeof app, digest: Digest): Promise<boolean> =>
    (await context.lookup.findBlob(name, digest)) !== undefined;
  return { ...opened, clock, objects, kept, collect, inventory, blob, image, push, has, parts };
}

test("a blob that nothing needs goes to the trash after its grace, and away after a second one", async () => {
  const { blob, collect, clock, context } = await rig();
  const orphan = await blob(app, "orphan");
  expect(await collect()).toMatchObject({ trashedBlobs: 0 });
  clock.pass(26 * hourMs);
  expect(await collect()).toMatchObject({ trashedBlobs: 1, trashedBytes: 6, removedBlobs: 0 });
  expect(await context.blobs.sizeOf(orphan)).toBeUndefined();
  expect(await context.blobs.sizeInTrash(orphan)).toBe(6);
  clock.pass(25 * hourMs);
  expect(await collect()).toMatchObject({ removedBlobs: 1, removedBytes: 6 });
  expect(await context.blobs.sizeInTrash(orphan)).toBeUndefined();
  expect(await context.links.readLayer(app, orphan)).toBeUndefined();
  expect(await context.metadata.collection.stateOf(orphan)).toBeUndefined();
});

test("a blob in the trash comes back when somebody asks for it, with a new lease", async () => {
  const { blob, collect, clock, has, context } = await rig();
  const digest = await blob(app, "asked for");
  clock.pass(26 * hourMs);
  expect(await collect()).toMatchObject({ trashedBlobs: 1 });
  expect(await has(app, digest)).toBe(true);
  clock.pass(23 * hourMs);
  expect(await collect()).toMatchObject({ trashedBlobs: 0, removedBlobs: 0 });
  expect(await context.blobs.sizeOf(digest)).toBe(9);
});

test("what was asked for lately stays, although no row says so yet", async () => {
  const { blob, collect, clock, has } = await rig();
  const digest = await blob(app, "leased");
  clock.pass(26 * hourMs);
  expect(await has(app, digest)).toBe(true);
  expect(await collect()).toMatchObject({ trashedBlobs: 0 });
});

test("a referenced blob stays for ever, and goes after its manifest does", async () => {
  const { image, collect, clock, registry, has, context } = await rig();
  const manifest = await image(app, "layer");
  clock.pass(1_000 * hourMs);
  expect(await collect()).toMatchObject({ trashedBlobs: 0 });
  await registry.manifests.remove(app, { kind: "digest", digest: manifest }, {});
  await context.leases.flush();
  clock.pass(26 * hourMs);
  expect(await collect()).toMatchObject({ trashedBlobs: 3 });
  clock.pass(25 * hourMs);
  expect(await collect()).toMatchObject({ removedBlobs: 3, removedRepositories: 1 });
  expect(await has(app, digestOf("layer"))).toBe(false);
  expect(await registry.catalog.list({ limit: 10 })).toMatchObject({ items: [] });
});

test("what can still be taken back keeps its bytes", async () => {
  const { blob, collect, clock, kept } = await rig();
  kept.add(await blob(app, "deleted yesterday"));
  clock.pass(100 * hourMs);
  expect(await collect()).toMatchObject({ trashedBlobs: 0 });
});

test("a manifest that cannot be read freezes what it may need, until it is mended", async () => {
  const { blob, image, clock, context, objects } = await rig();
  const manifest = await image(app, "layer");
  const orphan = await blob(app, "orphan");
  const elsewhere = await blob(other, "elsewhere");
  const { hex, bytes } = { hex: manifest.slice(7), bytes: await context.reader.bytes(manifest) };
  const key = `docker/registry/v2/blobs/sha256/${hex.slice(0, 2)}/${hex}/data`;
  await objects.put(key, new TextEncoder().encode("not a manifest"));
  const fresh = await reopened(objects, clock);
  clock.pass(26 * hourMs);
  expect(await fresh.collect()).toMatchObject({ trashedBlobs: 1 });
  expect(await context.blobs.sizeOf(orphan)).toBeDefined();
  expect(await context.blobs.sizeOf(elsewhere)).toBeUndefined();
  await objects.put(key, bytes ?? expect.unreachable());
  const again = await reopened(objects, clock);
  clock.pass(26 * hourMs);
  expect(await again.collect()).toMatchObject({ trashedBlobs: 1 });
  expect(await context.blobs.sizeOf(orphan)).toBeUndefined();
  expect(await context.blobs.sizeOf(digestOf("layer"))).toBeDefined();
});

/** A second registry on the same bytes, as after a restart that lost the metadata. */
async function reopened(objects: MemoryStore, clock: TestClock) {
  const opened = await openRegistry({
    storage: { kind: "opened", objects },
    metadata: { kind: "sqlite", path: ":memory:" },
    records: { kind: "sqlite", path: ":memory:" },
    policy: registryPolicy(
      loadConfig({ text: "version: 0.1\nstorage: inmemory\n", environment: {} }).config,
    ),
    clock,
    random: systemRandom,
    logger: silentLogger,
  });
  const signal = new AbortController().signal;
  await opened.registry.adoption.run(signal);
  const parts = { ...opened.context, undo: { keeps: async () => false } };
  const collector = new Collector(parts, { graceMs: 24 * hourMs, trashGraceMs: 24 * hourMs });
  return { ...opened, collect: () => collector.run({ signal, pace: async () => undefined }) };
}

test("bytes that no link leads to are found, and go in their time", async () => {
  const { collect, clock, inventory, context } = await rig();
  const lost = digestOf("published, never linked");
  await context.blobs.put(lost, new TextEncoder().encode("published, never linked"));
  expect(await inventory()).toBe(1);
  expect(await collect()).toMatchObject({ trashedBlobs: 0 });
  clock.pass(26 * hourMs);
  expect(await collect()).toMatchObject({ trashedBlobs: 1 });
  clock.pass(25 * hourMs);
  expect(await collect()).toMatchObject({ removedBlobs: 1 });
});

test("the link of a blob that others need goes, and the blob stays", async () => {
  const { image, blob, collect, clock, context } = await rig();
  await image(app, "shared");
  await blob(other, "shared");
  clock.pass(26 * hourMs);
  expect(await collect()).toMatchObject({ removedLinks: 1, removedRepositories: 1 });
  expect(await context.links.readLayer(other, digestOf("shared"))).toBeUndefined();
  expect(await context.links.readLayer(app, digestOf("shared"))).toBeDefined();
});

test("a link to bytes that are gone goes, unless a manifest needs it", async () => {
  const { image, blob, clock, context, objects } = await rig();
  await image(app, "needed");
  const lost = await blob(other, "lost");
  await context.blobs.remove(lost);
  await context.blobs.remove(digestOf("needed"));
  const fresh = await reopened(objects, clock);
  expect(await fresh.collect()).toMatchObject({ removedRepositories: 1 });
  expect(await context.links.readLayer(other, lost)).toBeUndefined();
  expect(await context.links.readLayer(app, digestOf("needed"))).toBeDefined();
});

test("a clock that jumps ends no grace: nothing goes before it has passed for certain", async () => {
  const { blob, collect, clock, context } = await rig();
  const digest = await blob(app, "pushed a moment ago");
  await collect();
  clock.wallMs += 10 * 365 * 24 * hourMs;
  expect((await collect()).problem).toContain("the clock was set");
  clock.wallMs -= 10 * 365 * 24 * hourMs + hourMs;
  expect((await collect()).problem).toBeDefined();
  expect(await context.blobs.sizeOf(digest)).toBeDefined();
  clock.pass(27 * hourMs);
  expect(await collect()).toMatchObject({ trashedBlobs: 1 });
});

test("a clock behind the last run of an earlier process stops collection", async () => {
  const { blob, collect, clock, parts } = await rig();
  await blob(app, "orphan");
  await collect();
  clock.wallMs -= 2 * hourMs;
  const next = new Collector(parts, { graceMs: hourMs, trashGraceMs: hourMs });
  const result = await next.run({
    signal: new AbortController().signal,
    pace: async () => undefined,
  });
  expect(result.problem).toContain("the last run was at");
});

test("a manifest that cannot be read can be deleted by its digest, and freezes nothing then", async () => {
  const { blob, image, clock, objects, context } = await rig();
  const manifest = await image(app, "layer");
  await blob(app, "orphan");
  const hex = manifest.slice(7);
  const key = `docker/registry/v2/blobs/sha256/${hex.slice(0, 2)}/${hex}/data`;
  await objects.put(key, new TextEncoder().encode("not a manifest"));
  const fresh = await reopened(objects, clock);
  clock.pass(26 * hourMs);
  expect(await fresh.collect()).toMatchObject({ trashedBlobs: 0 });
  await fresh.registry.manifests.remove(app, { kind: "digest", digest: manifest }, {});
  expect(await context.links.listTags(app)).toEqual([]);
  await fresh.context.leases.flush();
  clock.pass(26 * hourMs);
  expect((await fresh.collect()).trashedBlobs).toBeGreaterThan(2);
});
