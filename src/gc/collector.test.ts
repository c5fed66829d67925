import { expect, test } from "bun:test";
import { type Digest, digestOf } from "../oci/digest.ts";
import type { RepositoryName } from "../oci/repository-name.ts";
import { nameOf } from "../oci/test-support.ts";
import { hourMs, openTestRegistry, type TestRegistryOptions } from "../registry/test-support.ts";
import { Collector } from "./collector.ts";
import { takeInventory } from "./inventory.ts";

const app = nameOf("team/app");
const other = nameOf("other/app");
const blobKey = (digest: Digest) =>
  `docker/registry/v2/blobs/sha256/${digest.slice(7, 9)}/${digest.slice(7)}/data`;

/** `left` opens a second registry on the same bytes, as after a restart that lost the metadata. */
async function rig(left?: TestRegistryOptions["left"]) {
  const opened = await openTestRegistry(left && { left });
  await opened.adopt();
  const { context, clock } = opened;
  const kept = new Set<Digest>();
  const undo = {
    keptAmong: async (digests: readonly Digest[]) =>
      new Set(digests.filter((digest) => kept.has(digest))),
  };
  const parts = { ...context, undo };
  const collector = new Collector(parts, { graceMs: 24 * hourMs, trashGraceMs: 24 * hourMs });
  const pace = async (): Promise<void> => undefined;
  const signal = new AbortController().signal;
  const collect = () => collector.run({ signal, pace });
  const inventory = () => takeInventory(context, { folders: 512, pace, clock, signal });
  // The timer that writes leases down is of the real time, and the test's goes by days.
  const blob = async (name: RepositoryName, text: string): Promise<Digest> => {
    const digest = await opened.blob(name, text);
    await context.leases.flush();
    return digest;
  };
  const image = async (name: RepositoryName, layer: string): Promise<Digest> => {
    const digest = await opened.image(name, layer, { tag: "v1" });
    await context.leases.flush();
    return digest;
  };
  const has = async (name: RepositoryName, digest: Digest): Promise<boolean> =>
    (await context.lookup.findBlob(name, digest)) !== undefined;
  return { ...opened, kept, collect, inventory, blob, image, has, parts };
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

test("a repository whose rows are in doubt is compared first, and holds nothing up", async () => {
  const { blob, collect, clock, context } = await rig();
  await blob(app, "orphan");
  clock.pass(26 * hourMs);
  context.adoption.distrust(app);
  const round = await collect();
  expect(round).toMatchObject({ trashedBlobs: 1 });
  expect(round.problem).toBeUndefined();
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

const flipped = (text: string): string => text.replace(digestOf("layer"), digestOf("others"));

test.each([
  ["is no manifest", () => "not a manifest"],
  ["names other blobs since a bit flipped", flipped],
])("a manifest that %s freezes what it may need, until it is mended", async (_, damage) => {
  const { blob, image, clock, context, objects } = await rig();
  const manifest = await image(app, "layer");
  const orphan = await blob(app, "orphan");
  const elsewhere = await blob(other, "elsewhere");
  const bytes = (await context.reader.bytes(manifest)) ?? expect.unreachable();
  const key = blobKey(manifest);
  await objects.put(key, new TextEncoder().encode(damage(new TextDecoder().decode(bytes))));
  const fresh = await rig({ objects, clock });
  clock.pass(26 * hourMs);
  expect(await fresh.collect()).toMatchObject({ trashedBlobs: 1 });
  expect(await context.blobs.sizeOf(orphan)).toBeDefined();
  expect(await context.blobs.sizeOf(elsewhere)).toBeUndefined();
  expect(await context.blobs.sizeOf(digestOf("layer"))).toBeDefined();
  const refused = fresh.registry.manifests.pull(app, { kind: "digest", digest: manifest });
  expect(await refused.catch((error: unknown) => error)).toMatchObject({
    reason: "manifestUnknown",
  });
  await objects.put(key, bytes);
  const again = await rig({ objects, clock });
  clock.pass(26 * hourMs);
  expect(await again.collect()).toMatchObject({ trashedBlobs: 1 });
  expect(await context.blobs.sizeOf(orphan)).toBeUndefined();
  expect(await context.blobs.sizeOf(digestOf("layer"))).toBeDefined();
});

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
  const fresh = await rig({ objects, clock });
  expect(await fresh.collect()).toMatchObject({ removedRepositories: 1 });
  expect(await context.links.readLayer(other, lost)).toBeUndefined();
  expect(await context.links.readLayer(app, digestOf("needed"))).toBeDefined();
});

test("a clock that jumps ends no grace: nothing goes before it has passed for certain", async () => {
  const { blob, collect, clock, context } = await rig();
  const digest = await blob(app, "pushed a moment ago");
  await collect();
  clock.step(10 * 365 * 24 * hourMs);
  expect((await collect()).problem).toContain("the clock was set");
  clock.step(-10 * 365 * 24 * hourMs - hourMs);
  expect((await collect()).problem).toBeDefined();
  expect(await context.blobs.sizeOf(digest)).toBeDefined();
  clock.pass(27 * hourMs);
  expect(await collect()).toMatchObject({ trashedBlobs: 1 });
});

test("a clock behind the last run of an earlier process stops collection", async () => {
  const { blob, collect, clock, parts } = await rig();
  await blob(app, "orphan");
  await collect();
  clock.step(-2 * hourMs);
  const next = new Collector(parts, { graceMs: hourMs, trashGraceMs: hourMs });
  const result = await next.run({
    signal: new AbortController().signal,
    pace: async () => undefined,
  });
  expect(result.problem).toContain("the last run was at");
});

test("a process that begins months after the last run may have a wrong clock: it waits a grace", async () => {
  const { blob, clock, parts } = await rig();
  const digest = await blob(app, "pushed a moment ago");
  const begin = () => {
    const next = new Collector(parts, { graceMs: 24 * hourMs, trashGraceMs: hourMs });
    const { signal } = new AbortController();
    return () => next.run({ signal, pace: async () => undefined });
  };
  const first = begin();
  expect((await first()).problem).toBeUndefined();
  // While it runs nothing happens for long: no round is asked for.
  clock.pass(40 * 24 * hourMs);
  await parts.lookup.findBlob(app, digest);
  expect((await first()).problem).toBeUndefined();
  clock.step(10 * 365 * 24 * hourMs);
  const collect = begin();
  clock.pass(hourMs);
  expect((await collect()).problem).toContain("and the last run was at");
  expect(await parts.blobs.sizeOf(digest)).toBeDefined();
  // Nobody asked for it for the whole grace, by a clock that nobody can set.
  clock.pass(23 * hourMs);
  expect(await collect()).toMatchObject({ trashedBlobs: 1 });
});

test("a lease from the future counts from now, when the clock is right again", async () => {
  const { blob, clock, context, collect, inventory } = await rig();
  clock.step(10 * 365 * 24 * hourMs);
  const digest = await blob(app, "pushed by a clock that is years ahead");
  clock.step(-10 * 365 * 24 * hourMs);
  expect(await inventory()).toBe(0);
  expect((await context.metadata.collection.stateOf(digest))?.touchedAtMs).toBe(clock.nowMs());
  clock.pass(26 * hourMs);
  expect(await collect()).toMatchObject({ trashedBlobs: 1 });
});

test("a manifest that cannot be read can be deleted by its digest, and freezes nothing then", async () => {
  const { blob, image, clock, objects, context } = await rig();
  const manifest = await image(app, "layer");
  await blob(app, "orphan");
  await objects.put(blobKey(manifest), new TextEncoder().encode("not a manifest"));
  const fresh = await rig({ objects, clock });
  clock.pass(26 * hourMs);
  expect(await fresh.collect()).toMatchObject({ trashedBlobs: 0 });
  await fresh.registry.manifests.remove(app, { kind: "digest", digest: manifest }, {});
  expect(await context.links.listTags(app)).toEqual([]);
  await fresh.context.leases.flush();
  clock.pass(26 * hourMs);
  expect((await fresh.collect()).trashedBlobs).toBeGreaterThan(2);
});

test("many links to bytes that are gone go together, and a round that is to end leaves the rest", async () => {
  const { context, parts, registry } = await rig();
  const { links, adoption } = context;
  const digests = Array.from({ length: 1_050 }, (_, it) => digestOf(`lost ${it}`));
  for (const digest of digests) await links.writeLayer(other, digest);
  await adoption.refresh(other);
  const removeLayers = links.removeLayers.bind(links);
  const ends = new AbortController();
  const sizes: number[] = [];
  links.removeLayers = async (...asked) => {
    sizes.push(asked[1].length);
    ends.abort();
    return removeLayers(...asked);
  };
  const collector = new Collector(parts, { graceMs: 24 * hourMs, trashGraceMs: 24 * hourMs });
  const pace = async (): Promise<void> => undefined;
  await collector.run({ signal: ends.signal, pace });
  expect(sizes[0]).toBe(100);
  const left = (await links.listLayers(other)).length;
  expect(left).toBeGreaterThan(0);
  expect(left).toBeLessThan(digests.length);
  await collector.run({ signal: new AbortController().signal, pace });
  expect(sizes).toHaveLength(11);
  expect((await registry.catalog.list({ limit: 10 })).items).toEqual([]);
  expect(await links.listLayers(other)).toEqual([]);
});
