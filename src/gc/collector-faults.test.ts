/** What collection does when something fails, or changes, in the middle of a round. */
import { expect, test } from "bun:test";
import { recordingLogger } from "../base/test-support.ts";
import { type Digest, digestOf } from "../oci/digest.ts";
import { RegistryError } from "../oci/problems.ts";
import { nameOf } from "../oci/test-support.ts";
import { hourMs, openTestRegistry, type TestRegistryOptions } from "../registry/test-support.ts";
import { Collector, type CollectorOptions, type RoundOptions } from "./collector.ts";
import { type InventoryOptions, takeInventory } from "./inventory.ts";

const app = nameOf("team/app");
const other = nameOf("other/app");
const blobPath = (digest: Digest) =>
  `docker/registry/v2/blobs/sha256/${digest.slice(7, 9)}/${digest.slice(7)}/data`;
const layerPath = (name: string, digest: Digest) =>
  `docker/registry/v2/repositories/${name}/_layers/sha256/${digest.slice(7)}/link`;
const day = 24 * hourMs;
const full = (): never => {
  throw new RegistryError("storageFull");
};

async function rig(graces: Partial<CollectorOptions> = {}, options: TestRegistryOptions = {}) {
  const opened = await openTestRegistry(options);
  await opened.adopt();
  const { context, clock } = opened;
  const logger = recordingLogger();
  const undo = context.activity.trash;
  const all = { graceMs: day, trashGraceMs: day, ...graces };
  const collector = new Collector({ ...context, undo, logger }, all);
  const round: RoundOptions = {
    signal: new AbortController().signal,
    pace: async () => undefined,
  };
  const collect = (with_: Partial<RoundOptions> = {}) => collector.run({ ...round, ...with_ });
  const inventory = (with_: Partial<InventoryOptions> = {}) =>
    takeInventory(context, { ...round, clock, folders: "all", ...with_ });
  /** A blob that nothing references, out of its lease. */
  async function orphan(text: string): Promise<Digest> {
    const digest = await opened.blob(app, text);
    await context.leases.flush();
    clock.pass(26 * hourMs);
    return digest;
  }
  return { ...opened, collect, inventory, orphan, logger };
}

test("an answer that came while a blob went to the trash keeps it for the whole grace", async () => {
  const { orphan, collect, context, clock, objects } = await rig({ trashGraceMs: hourMs });
  const digest = await orphan("asked for at the last moment");
  const move = objects.moveVolatile.bind(objects);
  let asked: ReturnType<typeof context.lookup.findBlob> | undefined;
  objects.moveVolatile = async (from, to) => {
    // After collection has looked whether anybody was told of it. Who asks now waits for its lock.
    asked ??= context.lookup.findBlob(app, digest);
    return move(from, to);
  };
  expect(await collect()).toMatchObject({ trashedBlobs: 1 });
  expect(await asked).toBeDefined();
  await context.leases.flush();
  clock.pass(4 * hourMs);
  expect(await collect()).toMatchObject({ removedBlobs: 0 });
  expect(await context.blobs.sizeOf(digest)).toBeDefined();
});

test("while a link that nothing needs goes, nobody is told that the repository has the blob", async () => {
  const { image, blob, collect, context, clock } = await rig();
  await image(other, "shared layer", { tag: "v1" });
  const digest = await blob(app, "shared layer");
  await context.leases.flush();
  clock.pass(26 * hourMs);
  const { links, lookup } = context;
  const remove = links.removeLayers.bind(links);
  const answers: (boolean | undefined)[] = [];
  const ask = async (): Promise<void> => {
    answers.push((await lookup.findBlob(app, digest)) !== undefined);
  };
  const asked: Promise<void>[] = [];
  links.removeLayers = async (name, digests) => {
    // After collection has looked whether anybody was told of it, before its row is gone.
    asked.push(ask());
    await remove(name, digests);
    asked.push(ask());
  };
  expect(await collect()).toMatchObject({ removedLinks: 1 });
  await Promise.all(asked);
  // Without its link a manifest that names it is refused: its client has to push it.
  expect(answers).toEqual([false, false]);
  expect(await lookup.findBlob(other, digest)).toBeDefined();
});

test("whose look began before a link went, and ended after it, is not told of the blob", async () => {
  const { image, blob, collect, context, clock, metadata } = await rig();
  await image(other, "shared layer", { tag: "v1" });
  const digest = await blob(app, "shared layer");
  await context.leases.flush();
  clock.pass(26 * hourMs);
  const find = metadata.findBlob.bind(metadata);
  metadata.findBlob = async (name, it) => {
    metadata.findBlob = find;
    const found = await find(name, it);
    // A database that is slow to say what it has seen.
    expect(await collect()).toMatchObject({ removedLinks: 1 });
    return found;
  };
  expect(await context.lookup.findBlob(app, digest)).toBeUndefined();
});

test("a link that nothing needs stays when somebody is told of its blob during the round", async () => {
  const { image, blob, collect, context, clock } = await rig();
  await image(other, "shared layer", { tag: "v1" });
  const digest = await blob(app, "shared layer");
  await context.leases.flush();
  clock.pass(26 * hourMs);
  let isAsked = false;
  const pace = async (): Promise<void> => {
    // The links have been looked for by now, and the lease is in memory alone.
    if (!isAsked) expect(await context.lookup.findBlob(app, digest)).toBeDefined();
    isAsked = true;
  };
  expect(await collect({ pace })).toMatchObject({ removedLinks: 0 });
  expect(isAsked).toBe(true);
  expect(await context.links.readLayer(app, digest)).toBeDefined();
});

test("after a crash, links that nothing needs stay for a grace: their leases may be lost", async () => {
  const { image, blob, collect, context, clock } = await rig();
  const { leases, links } = context;
  await image(other, "a layer", { tag: "v1" });
  const digest = await blob(app, "a layer");
  await leases.flush();
  clock.pass(26 * hourMs);
  // A registry begins, and has heard of no end of another.
  await leases.begin();
  expect(await leases.isLeased(digest)).toBe(true);
  expect(await collect()).toMatchObject({ removedLinks: 0 });
  clock.pass(26 * hourMs);
  expect(await collect()).toMatchObject({ removedLinks: 1 });
  expect(await links.readLayer(app, digest)).toBeUndefined();
  // It ends well: what begins then has nothing to wait for; and one that follows a crash has.
  await leases.end();
  await leases.begin();
  expect(leases.mayBeLost).toBe(false);
  await leases.begin();
  expect(leases.mayBeLost).toBe(true);
});

test("bytes that went to the trash without a mark have their second grace all the same", async () => {
  const { orphan, collect, context, clock } = await rig();
  const digest = await orphan("not marked");
  const { collection } = context.metadata;
  const mark = collection.markTrashed.bind(collection);
  collection.markTrashed = async () => full();
  expect(collect()).rejects.toThrow();
  collection.markTrashed = mark;
  expect(await collect()).toMatchObject({ removedBlobs: 0 });
  expect(await context.blobs.sizeInTrash(digest)).toBeDefined();
  clock.pass(25 * hourMs);
  expect(await collect()).toMatchObject({ removedBlobs: 1 });
});

test("on a full disk, where deletions cannot be recorded, the trash is emptied", async () => {
  const { orphan, collect, context, clock, registry, image, metadata } = await rig();
  const manifest = await image(app, "layer", { tag: "v1" });
  const digest = await orphan("in the trash");
  await collect();
  clock.pass(25 * hourMs);
  const record = metadata.removeManifest.bind(metadata);
  metadata.removeManifest = async () => full();
  await registry.manifests.remove(app, { kind: "digest", digest: manifest }, {});
  metadata.removeManifest = record;
  metadata.replaceRepository = async () => full();
  const result = await collect();
  expect(result).toMatchObject({ removedBlobs: 1, trashedBlobs: 0 });
  expect(result.problem).toContain("does not agree");
  expect(await context.blobs.sizeInTrash(digest)).toBeUndefined();
});

test("a repository that falls behind during a round ends what the rows decide", async () => {
  const { orphan, collect, context } = await rig();
  const digest = await orphan("spoken of by rows");
  const pace = async (): Promise<void> => context.adoption.distrust(other);
  const result = await collect({ pace });
  expect(result.trashedBlobs).toBe(0);
  expect(result.problem).toContain("does not agree");
  expect(await context.blobs.sizeOf(digest)).toBeDefined();
});

test("a round that was stopped says so", async () => {
  const { orphan, collect } = await rig();
  await orphan("waits");
  const ends = new AbortController();
  const pace = async (): Promise<void> => ends.abort();
  expect(await collect({ pace, signal: ends.signal })).toMatchObject({
    trashedBlobs: 0,
    problem: "it was stopped",
  });
});

test("a frozen repository that the disk refuses to read does not end the round of the others", async () => {
  const { orphan, collect, context, clock, objects, image, logger } = await rig();
  const manifest = await image(app, "layer", { tag: "v1" });
  const digest = await orphan("in the trash");
  await collect();
  clock.pass(25 * hourMs);
  await objects.put(blobPath(manifest), new TextEncoder().encode("not a manifest"));
  context.reader.forget(manifest);
  await context.adoption.refresh(app);
  const read = objects.read.bind(objects);
  objects.read = async (key, max) => {
    if (key === blobPath(manifest)) throw new Error("EIO");
    return read(key, max);
  };
  await collect();
  expect(logger.lines.some(({ message }) => message.includes("could not be read again"))).toBe(
    true,
  );
  expect(await context.metadata.collection.frozenRepositories(10)).toHaveLength(1);
  // What is in the trash may be what the broken manifest needs: it is back.
  expect(await context.blobs.sizeOf(digest)).toBeDefined();
});

test("a frozen repository keeps what only a damaged link of it tells of", async () => {
  const { collect, context, clock, objects, image, registry, blob } = await rig({});
  const manifest = await image(app, "layer", { tag: "v1" });
  const layer = digestOf("layer");
  // Another repository holds the blob too, and does not need it.
  const mayPull = async () => true;
  expect(await registry.blobs.mount(other, layer, { from: app, mayPull })).toBe(true);
  await blob(other, "its own");
  await objects.put(layerPath(app, layer), new Uint8Array());
  const bytes = (await context.reader.bytes(manifest)) ?? expect.unreachable();
  await objects.put(blobPath(manifest), new TextEncoder().encode("not a manifest"));
  context.reader.forget(manifest);
  await context.adoption.refresh(app);
  await context.leases.flush();
  clock.pass(26 * hourMs);
  await collect();
  clock.pass(26 * hourMs);
  await collect();
  expect(await context.blobs.sizeOf(layer)).toBeDefined();
  expect(await context.blobs.sizeOf(digestOf("its own"))).toBeUndefined();
  await objects.put(blobPath(manifest), bytes);
  await collect();
  expect(await context.metadata.collection.frozenRepositories(10)).toEqual([]);
});

test("a manifest that cannot be read keeps its bytes, also where another repository links them", async () => {
  const { collect, context, clock, objects, image, blob } = await rig();
  const manifest = await image(app, "layer", { tag: "v1" });
  const text = "an old schema, or somebody's mistake";
  const foreign = digestOf(text);
  await blob(other, text);
  const revision = `docker/registry/v2/repositories/${app}/_manifests/revisions/sha256/${foreign.slice(7)}/link`;
  await objects.put(revision, new TextEncoder().encode(foreign));
  await context.adoption.refresh(app);
  await context.leases.flush();
  clock.pass(26 * hourMs);
  await collect();
  clock.pass(26 * hourMs);
  await collect();
  expect(await context.blobs.sizeOf(foreign)).toBeDefined();
  expect(await context.blobs.sizeOf(manifest)).toBeDefined();
});

test("a lease that could not be written down counts for as long as that lasts", async () => {
  const { blob, context, clock } = await rig();
  const digest = await blob(app, "told of");
  const { collection } = context.metadata;
  const touch = collection.touch.bind(collection);
  collection.touch = async () => full();
  for (let hours = 0; hours < 5; hours += 1) {
    await context.leases.flush();
    clock.pass(hourMs);
    expect(context.leases.isFresh(digest)).toBe(true);
  }
  collection.touch = touch;
  await context.leases.flush();
  expect(await context.leases.isLeased(digest)).toBe(true);
});

test("what can be taken back takes no time of a round, however much it is", async () => {
  const { orphan, collect, blob, context, clock } = await rig();
  const { trash } = context.activity;
  const kept = await Promise.all(
    Array.from({ length: 250 }, (_, index) => blob(app, `kept ${index}`)),
  );
  trash.keptAmong = async (digests) => new Set(digests.filter((digest) => kept.includes(digest)));
  await orphan("goes");
  clock.pass(day);
  let paid = 0;
  const pace = async (count: number): Promise<void> => void (paid += count);
  expect(await collect({ pace })).toMatchObject({ trashedBlobs: 1 });
  expect(paid).toBeLessThan(20);
});

test("a full inventory begins with the first folder, and one that is stopped keeps its place", async () => {
  const { inventory, context } = await rig();
  const put = async (text: string): Promise<void> =>
    context.blobs.put(digestOf(text), new TextEncoder().encode(text));
  for (let index = 0; index < 20; index += 1) await put(`first ${index}`);
  expect(await inventory({ folders: 10 })).toBeGreaterThan(9);
  const place = await context.metadata.readState("gc.inventory-cursor");
  await inventory({ folders: 10, signal: AbortSignal.abort() });
  expect(await context.metadata.readState("gc.inventory-cursor")).toBe(place);
  await inventory();
  await inventory({ folders: 10 });
  for (let index = 0; index < 20; index += 1) await put(`second ${index}`);
  expect(await inventory()).toBe(20);
});

test("an inventory of a trash that is known lets others run now and then", async () => {
  const { inventory, context, clock } = await rig();
  const texts = Array.from({ length: 350 }, (_, index) => `trashed ${index}`);
  for (const text of texts) await context.blobs.put(digestOf(text), new TextEncoder().encode(text));
  await context.blobs.trash(texts.map((text) => digestOf(text)));
  expect(await inventory()).toBe(350);
  let turns = 0;
  expect(await inventory({ pace: async () => void (turns += 1) })).toBe(0);
  expect(turns).toBeGreaterThanOrEqual(4);
  // Marked while the clock was ten years ahead: it waits for the usual time, from now on.
  const digest = digestOf("trashed 0");
  await context.metadata.collection.markTrashed([digest], clock.nowMs() + 3_650 * day);
  expect(await inventory()).toBe(1);
});

test("after a round under a clock that was years ahead, collection goes on one grace later", async () => {
  const { orphan, collect, clock, context } = await rig();
  await orphan("goes");
  await context.metadata.writeState("gc.last-run-ms", String(clock.nowMs() + 3_650 * day));
  expect((await collect()).problem).toMatch(
    /the last run was at .*; ages are believed again after the grace time$/,
  );
  clock.pass(23 * hourMs);
  expect((await collect()).problem).toContain("the last run was at");
  clock.pass(2 * hourMs);
  expect(await collect()).toMatchObject({ trashedBlobs: 1 });
  expect(Number(await context.metadata.readState("gc.last-run-ms"))).toBe(clock.nowMs());
});

test("a pull of a blob in the trash needs no room on a full disk, and collection sees it is back", async () => {
  const { orphan, collect, context, clock } = await rig();
  const digest = await orphan("asked for again");
  await collect();
  const { collection } = context.metadata;
  const mark = collection.markRestored.bind(collection);
  collection.markRestored = async () => full();
  expect(await context.lookup.findBlob(app, digest)).toBeDefined();
  collection.markRestored = mark;
  clock.pass(25 * hourMs);
  expect(await collect()).toMatchObject({ removedBlobs: 0 });
  expect((await collection.stateOf(digest))?.trashedAtMs).toBeUndefined();
  expect(await context.blobs.sizeOf(digest)).toBeDefined();
});
