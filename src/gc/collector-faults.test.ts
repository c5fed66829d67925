/** What collection does when something fails, or changes, in the middle of a round. */
import { expect, test } from "bun:test";
import { recordingLogger } from "../auth/test-support.ts";
import { type Digest, digestOf } from "../oci/digest.ts";
import { RegistryError } from "../oci/problems.ts";
import {
  hourMs,
  nameOf,
  openTestRegistry,
  type TestRegistryOptions,
} from "../registry/test-support.ts";
import { Collector, type CollectorOptions, type RoundOptions } from "./collector.ts";
import { takeInventory } from "./inventory.ts";

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
  const inventory = () => takeInventory(context, { ...round, clock, folders: 512 });
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
  objects.moveVolatile = async (from, to) => {
    // After collection has looked whether anybody was told of it.
    expect(await context.lookup.findBlob(app, digest)).toBeDefined();
    return move(from, to);
  };
  expect(await collect()).toMatchObject({ trashedBlobs: 1 });
  await context.leases.flush();
  clock.pass(4 * hourMs);
  expect(await collect()).toMatchObject({ removedBlobs: 0 });
  expect(await context.blobs.sizeOf(digest)).toBeDefined();
});

test("bytes that went to the trash without a mark have their second grace all the same", async () => {
  const { orphan, collect, context, clock } = await rig();
  const digest = await orphan("not marked");
  const { collection } = context.metadata;
  const mark = collection.markTrashed.bind(collection);
  collection.markTrashed = async () => full();
  await expect(collect()).rejects.toThrow();
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
