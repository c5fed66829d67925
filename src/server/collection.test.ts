import { expect, test } from "bun:test";
import { silentLogger } from "../base/logger.ts";
import { RegistryError } from "../oci/problems.ts";
import { hourMs, nameOf, openTestRegistry } from "../registry/test-support.ts";
import { Collection } from "./collection.ts";

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
