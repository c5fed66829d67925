/**
 * What was deleted, and is taken back, for the search of power cuts. Wherever it is cut, and
 * whatever had been answered: until the time for undo is over, all of it can be had again.
 */
import { nameOf, tagOf } from "../../src/oci/test-support.ts";
import { graceOf, retentionOf } from "./collecting.ts";
import { beside, type DiskScenario, type NamedScenario } from "./disk-scenarios.ts";
import { blobKeyOf, type Key, manifestKey, tagKey } from "./model-oracle.ts";
import { keysOf, type NotedClient, NotTakenBack, there, unlessUnknown } from "./noted-client.ts";
import { blobSample, type ImageSample, imageOf, imageSample } from "./samples.ts";
import type { SeededRandom } from "./seeded-random.ts";

const team = "team/app";
const other = "other/app";
const tags = ["v1", "v2"];

export const undoScenarios: readonly NamedScenario[] = [
  { name: "undo of a deletion", isSlow: true, make: undoDeletion },
  { name: "undo of a deletion, after collection", isSlow: true, make: undoAfterCollection },
  { name: "undo of a tag's deletion", isSlow: true, make: undoTagDeletion },
  { name: "undo of a move", isSlow: true, make: undoMove },
  { name: "undo of a repository's deletion", isSlow: true, make: undoRepository },
  { name: "undo beside collection", isConcurrent: true, isSlow: true, make: undoBesideCollection },
];

const options = { actor: {}, isForced: true } as const;

function undoDeletion(random: SeededRandom): DiskScenario {
  const image = imageSample(random, [300]);
  return {
    hasRecords: true,
    prepare: (client) => pushAs(client, image, tags),
    run: async (client) => {
      await client.deleteManifest(team, image.digest, tags);
      await takeManifestBack(client, image, tags);
    },
    recover: (client) => takeManifestBack(client, image, tags),
  };
}

/** Of what can be taken back nothing goes, however long nobody has asked for it; also without a tag. */
function undoAfterCollection(random: SeededRandom): DiskScenario {
  const image = imageSample(random, [300]);
  const unneeded = image.blobs.map(({ digest }) => blobKeyOf(team, digest));
  return {
    hasRecords: true,
    prepare: (client) => pushAs(client, image, []),
    run: async (client) => {
      await client.deleteManifest(team, image.digest, []);
      for (let round = 0; round < 2; round += 1) {
        await client.pass(graceOf(client.opened));
        await client.collect(unneeded);
      }
      await takeManifestBack(client, image, []);
      await client.pass(graceOf(client.opened));
      await client.collect();
    },
    recover: async (client) => {
      await takeManifestBack(client, image, []);
      await client.collect();
    },
  };
}

function undoTagDeletion(random: SeededRandom): DiskScenario {
  const image = imageSample(random, [300]);
  return {
    hasRecords: true,
    prepare: (client) => pushAs(client, image, tags),
    run: async (client) => {
      await client.deleteTag(team, "v1");
      await takeTagBack(client, "v1", image);
      await client.deleteTag(team, "v2");
      await client.deleteTag(team, "v1");
    },
    recover: async (client) => {
      for (const tag of tags) await takeTagBack(client, tag, image);
    },
  };
}

function undoMove(random: SeededRandom): DiskScenario {
  const [before, after] = [imageSample(random, [300]), imageSample(random, [200])];
  return {
    hasRecords: true,
    prepare: async (client) => {
      await client.pushImage(team, "v2", after);
      await client.pushImage(team, "v1", before);
    },
    run: async (client) => {
      await client.pushManifest(team, { tags: ["v1"], manifest: after });
      await takeTagBack(client, "v1", before);
    },
    recover: (client) => takeTagBack(client, "v1", before),
  };
}

/** Another repository has one of its layers, and loses it to nobody. */
function undoRepository(random: SeededRandom): DiskScenario {
  const image = imageSample(random, [300]);
  const [, layer = image] = image.blobs;
  const stays = imageOf(blobSample(random, 60), [layer]);
  const takeBack = (client: NotedClient): Promise<void> =>
    client.takeBack(allOf(image, tags), (undo) => undo.restoreRepository(nameOf(team), options));
  return {
    hasRecords: true,
    prepare: async (client) => {
      await pushAs(client, image, tags);
      await client.pushImage(other, "v1", stays);
    },
    run: async (client) => {
      await client.removeWhole(team, keysOf(team, image, tags));
      await takeBack(client);
    },
    recover: takeBack,
  };
}

/** The time for it ends just then: either it comes back whole, or nothing of it. */
function undoBesideCollection(random: SeededRandom): DiskScenario {
  const image = imageSample(random, [300]);
  const unneeded = image.blobs.map(({ digest }) => blobKeyOf(team, digest));
  return {
    hasRecords: true,
    prepare: async (client) => {
      await pushAs(client, image, tags);
      await client.deleteManifest(team, image.digest, tags);
    },
    run: async (client) => {
      await client.pass(retentionOf(client.opened));
      await beside(random, [
        () => client.collect(unneeded),
        () => takeManifestBack(client, image, tags).catch(unlessTooLate),
      ]);
    },
    recover: async (client) => {
      await client.pushMissing(team, "v1", image);
      await client.pass(graceOf(client.opened));
      await client.collect();
      await client.deleteManifest(team, image.digest, tags).catch(unlessUnknown);
    },
  };
}

async function pushAs(
  client: NotedClient,
  image: ImageSample,
  tags: readonly string[],
): Promise<void> {
  for (const blob of image.blobs) await client.pushBlob(team, blob);
  await client.pushManifest(team, { tags, manifest: image });
}

function takeManifestBack(
  client: NotedClient,
  image: ImageSample,
  tags: readonly string[],
): Promise<void> {
  return client.takeBack(allOf(image, tags), (undo) =>
    undo.restoreManifest(nameOf(team), image.digest, options),
  );
}

/** To the image, wherever the tag points. */
function takeTagBack(client: NotedClient, tag: string, image: ImageSample): Promise<void> {
  const { digest } = image;
  const changes = { [tagKey(team, tag)]: digest, [manifestKey(team, digest)]: there };
  return client.takeBack(changes, async (undo) => [
    await undo.restoreTag(nameOf(team), { tag: tagOf(tag), digest }, options),
  ]);
}

/** All that a client has of it again. */
function allOf(image: ImageSample, tags: readonly string[]): Readonly<Record<Key, string>> {
  return Object.fromEntries([
    ...tags.map((tag) => [tagKey(team, tag), image.digest]),
    [manifestKey(team, image.digest), there],
    ...image.blobs.map(({ digest }) => [blobKeyOf(team, digest), there]),
  ]);
}

function unlessTooLate(error: unknown): void {
  if (error instanceof NotTakenBack && error.isNothingBack) return;
  throw error;
}
