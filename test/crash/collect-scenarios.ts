/** Rounds of live collection, and what meets them, for the search of power cuts. */
import { graceOf, retentionOf } from "./collecting.ts";
import { beside, type DiskScenario, type NamedScenario } from "./disk-scenarios.ts";
import { blobKeyOf, type Key } from "./model-oracle.ts";
import { type NotedClient, unlessUnknown } from "./noted-client.ts";
import { blobSample, type ImageSample, imageOf, imageSample } from "./samples.ts";
import type { SeededRandom } from "./seeded-random.ts";

const team = "team/app";
const other = "other/app";
const loose = "loose/app";

/** Rounds until all has gone that can: what is found, and brought back, begins again once. */
const roundsToClean = 5;

export const collectScenarios: readonly NamedScenario[] = [
  { name: "collect a deleted image", isSlow: true, make: collectDeleted },
  { name: "collect what comes back", isSlow: true, make: collectBack },
  { name: "collect what is pushed anew", isSlow: true, make: collectAnew },
  { name: "collect beside a push", isConcurrent: true, isSlow: true, make: collectBesidePush },
];

/**
 * An image goes, with its repository and bytes that no link leads to. Another image needs one of
 * its layers, to which a third repository has a link that it does not need.
 */
function collectDeleted(random: SeededRandom): DiskScenario {
  const image = imageSample(random, [5000, 300]);
  const shared = image.blobs[2] ?? image;
  const stays = imageOf(blobSample(random, 60), [shared]);
  const unneeded = [...blobKeysOf(team, image), blobKeyOf(loose, shared.digest)];
  const orphan = blobSample(random, 200);
  return {
    prepare: async (client) => {
      await client.pushImage(team, "v1", image);
      await client.pushImage(other, "v1", stays);
      await client.pushBlob(loose, shared);
      await client.opened.context.blobs.put(orphan.digest, orphan.bytes);
    },
    run: async (client) => {
      await client.deleteManifest(team, image.digest, ["v1"]);
      await client.collect();
      await client.pass(retentionOf(client.opened));
      await client.collect(unneeded);
      await client.pass(graceOf(client.opened));
      await client.collect(unneeded);
    },
    recover: async (client) => {
      await client.deleteManifest(team, image.digest, ["v1"]).catch(unlessUnknown);
      await client.pass(retentionOf(client.opened));
      await cleanUp(client, unneeded);
    },
    isCleanAfter: true,
  };
}

/** By a HEAD, a mount and a manifest; then it is in use, and stays. */
function collectBack(random: SeededRandom): DiskScenario {
  const image = imageSample(random, [300, 200]);
  const [config = image, layer = image] = image.blobs;
  return {
    prepare: async (client) => {
      for (const blob of image.blobs) await client.pushBlob(team, blob);
    },
    run: async (client) => {
      await client.pass(graceOf(client.opened));
      await client.collect(blobKeysOf(team, image));
      await client.head(team, config);
      await client.mount(other, layer, team);
      await client.pushManifest(team, { tags: ["v1"], manifest: image });
      await client.pass(graceOf(client.opened));
      await client.collect([blobKeyOf(other, layer.digest)]);
    },
    recover: pushAndCleanUp(image),
    isCleanAfter: true,
  };
}

/** While it is in the trash, so that there are two copies for a time. */
function collectAnew(random: SeededRandom): DiskScenario {
  const blob = blobSample(random, 5000);
  const keys = [blobKeyOf(team, blob.digest)];
  return {
    prepare: (client) => client.pushBlob(team, blob),
    run: async (client) => {
      await client.pass(graceOf(client.opened));
      await client.collect(keys);
      await client.pushBlob(team, blob);
      await client.pass(graceOf(client.opened));
      await client.collect(keys);
      await client.pass(graceOf(client.opened));
      await client.collect(keys);
    },
    recover: (client) => cleanUp(client, keys),
    isCleanAfter: true,
  };
}

/** First with all blobs due for the trash, then with what is in it due to end. */
function collectBesidePush(random: SeededRandom): DiskScenario {
  const image = imageSample(random, [300]);
  return {
    prepare: async (client) => {
      for (const blob of image.blobs) await client.pushBlob(team, blob);
    },
    run: async (client) => {
      await client.pass(graceOf(client.opened));
      const isInTrash = random.below(2) === 0;
      if (isInTrash) {
        await client.collect(blobKeysOf(team, image));
        await client.pass(graceOf(client.opened));
      }
      await beside(random, [
        () => client.collect(blobKeysOf(team, image)),
        () => client.pushMissing(team, "v1", image),
      ]);
    },
    recover: pushAndCleanUp(image),
    isCleanAfter: true,
  };
}

function blobKeysOf(name: string, image: ImageSample): readonly Key[] {
  return image.blobs.map(({ digest }) => blobKeyOf(name, digest));
}

/** Rounds until nothing is left of `unneeded`, and of whatever else no manifest needs. */
async function cleanUp(client: NotedClient, unneeded: readonly Key[]): Promise<void> {
  for (let round = 0; round < roundsToClean; round += 1) {
    await client.pass(graceOf(client.opened));
    await client.collect(unneeded);
  }
}

/** What the client needs it pushes again; then it needs it in another repository only. */
function pushAndCleanUp(image: ImageSample): (client: NotedClient) => Promise<void> {
  return async (client) => {
    await client.pushMissing(team, "again", image);
    // There when this is done a second time.
    await client.deleteManifest(other, image.digest, ["again"]).catch(unlessUnknown);
    await client.pass(retentionOf(client.opened));
    await cleanUp(
      client,
      image.blobs.map(({ digest }) => blobKeyOf(other, digest)),
    );
    await client.pushMissing(other, "again", image);
    await client.deleteManifest(team, image.digest, ["v1", "again"]);
    await client.pass(retentionOf(client.opened));
    await cleanUp(client, blobKeysOf(team, image));
  };
}
