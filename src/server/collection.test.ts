import { expect, test } from "bun:test";
import { silentLogger } from "../base/logger.ts";
import { digestOf } from "../oci/digest.ts";
import { RegistryError } from "../oci/problems.ts";
import { nameOf } from "../oci/test-support.ts";
import { hourMs, openTestRegistry } from "../registry/test-support.ts";
import { createPrometheus } from "../telemetry/prometheus.ts";
import { Collection } from "./collection.ts";

test("a clock that may be wrong changes no mark and no lease", async () => {
  const { context, clock, config, adopt, blob } = await openTestRegistry();
  await adopt();
  const collection = new Collection({ context, config: config.gc, clock, logger: silentLogger });
  const round = () => collection.round({ signal: new AbortController().signal, isFull: true });
  const [kept, trashed] = [
    await blob(nameOf("team/app"), "kept"),
    await blob(nameOf("team/app"), "trashed"),
  ];
  await context.leases.flush();
  await context.blobs.trash([trashed]);
  await context.metadata.collection.markTrashed([trashed], clock.nowMs());
  const states = () =>
    Promise.all([kept, trashed].map((digest) => context.metadata.collection.stateOf(digest)));
  const before = await states();
  expect((await round()).problem).toBeUndefined();
  clock.step(-10 * 365 * 24 * hourMs);
  expect((await round()).problem).toContain("the last run was at");
  expect(await states()).toEqual(before);
  clock.pass(25 * hourMs);
  expect((await round()).problem).toBeUndefined();
  expect(await states()).toMatchObject([
    { touchedAtMs: clock.nowMs() },
    { trashedAtMs: clock.nowMs() },
  ]);
});

test("a round empties the trash on a disk that has no room for a row", async () => {
  const { context, clock, config, adopt, blob, metadata } = await openTestRegistry();
  await adopt();
  const parts = { context, config: config.gc, clock, logger: silentLogger };
  const collection = new Collection(parts);
  const round = () =>
    collection.round({ signal: new AbortController().signal, isFull: true, say: () => undefined });
  const digest = await blob(nameOf("team/app"), "garbage");
  await context.leases.flush();
  clock.pass(26 * hourMs);
  expect(await round()).toMatchObject({ trashedBlobs: 1 });
  clock.pass(25 * hourMs);
  const write = metadata.writeState.bind(metadata);
  metadata.writeState = async (key, value) => {
    const isFull = (await context.blobs.sizeInTrash(digest)) !== undefined;
    if (isFull) throw new RegistryError("storageFull");
    return write(key, value);
  };
  expect(await round()).toMatchObject({ removedBlobs: 1 });
});

test("the metrics of a server that has just started have what an earlier one left in the trash", async () => {
  const { context, clock, config, adopt, blob } = await openTestRegistry();
  await adopt();
  const digest = await blob(nameOf("team/app"), "garbage");
  await context.blobs.trash([digest]);
  await context.metadata.collection.markTrashed([digest], clock.nowMs());
  const metrics = createPrometheus();
  const parts = { context, config: config.gc, clock, logger: silentLogger };
  await new Collection({ ...parts, metrics }).measure();
  const lines = (await metrics.render()).split("\n");
  expect(lines).toContain("berth_gc_trash_blobs 1");
  expect(lines).toContain("berth_gc_trash_bytes 7");
  expect(lines).toContain("berth_gc_frozen_repositories 0");
});

test("a round on a disk that takes no row says what it did", async () => {
  const { context, clock, config, adopt, metadata } = await openTestRegistry();
  await adopt();
  const parts = { context, config: config.gc, clock, logger: silentLogger };
  const collection = new Collection(parts);
  const full = async (): Promise<never> => {
    throw new RegistryError("storageFull");
  };
  // A link without its row, which cannot be written now either.
  await context.links.writeLayer(nameOf("team/app"), digestOf("pushed on a full disk"));
  context.adoption.distrust(nameOf("team/app"));
  metadata.replaceRepository = full;
  metadata.writeState = full;
  const round = collection.round({ signal: new AbortController().signal, isFull: true });
  expect(await round).toMatchObject({ removedBlobs: 0, problem: expect.any(String) });
});
