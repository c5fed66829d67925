/** What is going on when the power is cut. To try another thing, add it to the list. */
import type { UploadKey } from "../../src/registry/uploads.ts";
import { keysOf, type NotedClient, unlessUnknown } from "./noted-client.ts";
import { blobSample, type ImageSample, imageOf, imageSample, type Sample } from "./samples.ts";
import type { SeededRandom } from "./seeded-random.ts";
import { turns } from "./turns.ts";

export interface DiskScenario {
  /** Done long before: it is durable. */
  readonly prepare?: (client: NotedClient) => Promise<void>;
  /** Cut off at every one of its operations. */
  readonly run: (client: NotedClient) => Promise<void>;
  /** What the client does when the registry is back; must succeed. */
  readonly recover?: (client: NotedClient) => Promise<void>;
  /**
   * True when what is committed to the records is there after a power cut, which then ends within
   * a day: for what they promise. Otherwise they are lost too, and it ends after a year.
   */
  readonly hasRecords?: boolean;
  /** True when nothing that no manifest needs may be left after `recover`. */
  readonly isCleanAfter?: boolean;
}

export interface NamedScenario {
  readonly name: string;
  /** True when several requests meet: worth another seed. */
  readonly isConcurrent?: boolean;
  /** True when each disk takes long to look at: fewer are. */
  readonly isSlow?: boolean;
  readonly make: (random: SeededRandom) => DiskScenario;
}

const team = "team/app";
const other = "other/app";
/** One page and a bit, so that a part of it can be lost. */
const layerSizes = [5000];

/** The first request begins at once, each other somewhere on the way of it. */
export async function beside(
  random: SeededRandom,
  requests: readonly (() => Promise<void>)[],
): Promise<void> {
  await Promise.all(
    requests.map(async (request, index) => {
      await turns(index === 0 ? 0 : random.below(600));
      await request();
    }),
  );
}

export const diskScenarios: readonly NamedScenario[] = [
  { name: "push", make: push },
  { name: "push in chunks", make: pushInChunks },
  { name: "push with several tags", make: pushWithTags },
  { name: "move of a tag", make: moveTag },
  { name: "deletion of a tag", make: deleteTag },
  { name: "deletion of a manifest", make: deleteManifest },
  { name: "deletion that is repeated", make: deleteAgain },
  { name: "deletion of a blob", make: deleteBlob },
  { name: "deletion of a repository", make: deleteRepository },
  { name: "mount", make: mount },
  { name: "upload that is resumed", make: resume },
  { name: "upload that was sent whole", make: sendWhole },
  { name: "two uploads of one blob", isConcurrent: true, make: uploadTwice },
  { name: "two pushes of one manifest", isConcurrent: true, make: pushTwice },
  { name: "two moves of one tag", isConcurrent: true, make: moveTwice },
  { name: "push beside a deletion", isConcurrent: true, make: pushBesideDeletion },
];

function push(random: SeededRandom): DiskScenario {
  const image = imageSample(random, layerSizes);
  return { run: (client) => client.pushImage(team, "v1", image), recover: pushAgain(image) };
}

function pushInChunks(random: SeededRandom): DiskScenario {
  const layer = blobSample(random, 9000);
  const { blobs } = imageSample(random, []);
  const image = imageOf(blobs[0] ?? layer, [layer]);
  return {
    run: async (client) => {
      await client.pushBlob(team, layer, [1, 4096, 6000]);
      await client.pushBlob(team, image.blobs[0] ?? layer);
      await client.pushManifest(team, { tags: ["v1"], manifest: image });
    },
    recover: pushAgain(image),
  };
}

function pushWithTags(random: SeededRandom): DiskScenario {
  const image = imageSample(random, [300]);
  const pushAll = async (client: NotedClient): Promise<void> => {
    await client.pushManifest(team, { tags: ["a", "b", "c"], manifest: image });
    await client.pushManifest(team, { tags: ["d"], manifest: image });
  };
  return {
    prepare: async (client) => {
      for (const blob of image.blobs) await client.pushBlob(team, blob);
    },
    run: pushAll,
    recover: pushAll,
  };
}

function moveTag(random: SeededRandom): DiskScenario {
  const [before, after] = [imageSample(random, [300]), imageSample(random, layerSizes)];
  return {
    prepare: (client) => client.pushImage(team, "v1", before),
    run: async (client) => {
      await client.pushImage(team, "v1", after);
      await client.pushManifest(team, { tags: ["v1"], manifest: before });
    },
    recover: pushAgain(after),
  };
}

function deleteTag(random: SeededRandom): DiskScenario {
  const image = imageSample(random, [300]);
  return {
    prepare: async (client) => {
      await client.pushImage(team, "v1", image);
      await client.pushManifest(team, { tags: ["v2"], manifest: image });
    },
    run: async (client) => {
      await client.deleteTag(team, "v1");
      await client.pushManifest(team, { tags: ["v1"], manifest: image });
      await client.deleteTag(team, "v2");
    },
    recover: pushAgain(image),
  };
}

function deleteManifest(random: SeededRandom): DiskScenario {
  const image = imageSample(random, [300]);
  return {
    prepare: async (client) => {
      await client.pushImage(team, "v1", image);
      await client.pushManifest(team, { tags: ["v2"], manifest: image });
    },
    run: async (client) => {
      await client.deleteManifest(team, image.digest, ["v1", "v2"]);
      await client.pushManifest(team, { tags: ["v2"], manifest: image });
    },
    recover: pushAgain(image),
  };
}

/** Who repeats it finds some of it gone: seen to be gone, and perhaps not durably. */
function deleteAgain(random: SeededRandom): DiskScenario {
  const image = imageSample(random, [300]);
  const remove = (client: NotedClient): Promise<void> =>
    client.deleteManifest(team, image.digest, ["v1"]);
  return {
    prepare: (client) => client.pushImage(team, "v1", image),
    run: remove,
    recover: async (client) => {
      await remove(client).catch(unlessUnknown);
    },
  };
}

function deleteBlob(random: SeededRandom): DiskScenario {
  const blob = blobSample(random, 5000);
  return {
    prepare: async (client) => {
      await client.pushBlob(team, blob);
      await client.pushBlob(other, blob);
    },
    run: async (client) => {
      await client.deleteBlob(team, blob);
      await client.pushBlob(team, blob);
    },
    recover: (client) => client.pushBlob(team, blob),
  };
}

function deleteRepository(random: SeededRandom): DiskScenario {
  const image = imageSample(random, layerSizes);
  const tags = ["v1", "v2"];
  return {
    prepare: async (client) => {
      await client.pushImage(team, "v1", image);
      await client.pushManifest(team, { tags: ["v2"], manifest: image });
      await client.pushImage(other, "v1", image);
      await client.beginUpload(team);
    },
    run: async (client) => {
      await client.removeRepository(team, keysOf(team, image, tags));
      await client.pushImage(team, "v2", image);
    },
    recover: pushAgain(image),
  };
}

function mount(random: SeededRandom): DiskScenario {
  const image = imageSample(random, layerSizes);
  return {
    prepare: (client) => client.pushImage(other, "v1", image),
    run: async (client) => {
      for (const blob of image.blobs) await client.mount(team, blob, other);
      await client.pushManifest(team, { tags: ["v1"], manifest: image });
    },
    recover: pushAgain(image),
  };
}

/** A client that goes on where the registry says; where it knows nothing more, from the start. */
function resume(random: SeededRandom): DiskScenario {
  const blob = blobSample(random, 12_000);
  let key: UploadKey | undefined;
  return {
    prepare: async (client) => {
      key = await client.beginUpload(team);
      await client.append(key, blob, { start: 0, end: 5000 });
    },
    run: async (client) => {
      if (key === undefined) throw new Error("no upload was begun");
      await client.append(key, blob, { start: 5000, end: 8192 });
      await client.append(key, blob, { start: 8192, end: 12_000 });
      await client.finish(key, blob, 12_000);
    },
    recover: (client) => goOn(client, key, blob),
  };
}

/** Its digest was recorded with the last chunk, before its bytes were synced. */
function sendWhole(random: SeededRandom): DiskScenario {
  const blob = blobSample(random, 5000);
  let key: UploadKey | undefined;
  return {
    run: async (client) => {
      key = await client.beginUpload(team);
      await client.append(key, blob, { start: 0, end: 5000 });
      await client.finish(key, blob, 5000);
    },
    recover: (client) => goOn(client, key, blob),
  };
}

async function goOn(client: NotedClient, key: UploadKey | undefined, blob: Sample): Promise<void> {
  const { uploads } = client.opened.registry;
  const session = key && (await uploads.status(key).catch(unlessUnknown));
  if (key === undefined || session === undefined) return client.pushBlob(team, blob);
  if (session.offset > blob.bytes.byteLength) throw new Error(`offset ${session.offset}`);
  // What the power cut took from the middle is seen at the end, and the upload ends there.
  await client.finish(key, blob, session.offset).catch(unlessLost);
  return client.pushBlob(team, blob);
}

function unlessLost(error: unknown): undefined {
  const reason = error instanceof Error && "reason" in error ? error.reason : undefined;
  if (reason === "digestMismatch" || reason === "uploadUnknown") return undefined;
  throw error;
}

function uploadTwice(random: SeededRandom): DiskScenario {
  const blob = blobSample(random, 300);
  const keys: UploadKey[] = [];
  return {
    prepare: async (client) => {
      for (const name of [team, other]) {
        const key = await client.beginUpload(name);
        await client.append(key, blob, { start: 0, end: 300 });
        keys.push(key);
      }
    },
    run: async (client) => {
      await beside(
        random,
        keys.map((key) => () => client.finish(key, blob, 300)),
      );
    },
  };
}

function pushTwice(random: SeededRandom): DiskScenario {
  const image = imageSample(random, [300]);
  return {
    prepare: async (client) => {
      for (const name of [team, other]) {
        for (const blob of image.blobs) await client.pushBlob(name, blob);
      }
    },
    run: async (client) => {
      await beside(random, [
        () => client.pushManifest(team, { tags: ["v1"], manifest: image }),
        () => client.pushManifest(other, { tags: ["v1"], manifest: image }),
      ]);
    },
    recover: pushAgain(image),
  };
}

function moveTwice(random: SeededRandom): DiskScenario {
  const [one, two] = [imageSample(random, [300]), imageSample(random, [200])];
  return {
    prepare: async (client) => {
      for (const blob of [...one.blobs, ...two.blobs]) await client.pushBlob(team, blob);
    },
    run: async (client) => {
      await beside(random, [
        () => client.pushManifest(team, { tags: ["v1"], manifest: one }),
        () => client.pushManifest(team, { tags: ["v1"], manifest: two }),
      ]);
    },
  };
}

function pushBesideDeletion(random: SeededRandom): DiskScenario {
  const image = imageSample(random, [300]);
  return {
    prepare: (client) => client.pushImage(team, "v1", image),
    run: async (client) => {
      await beside(random, [
        () => client.deleteManifest(team, image.digest, ["v1"]),
        () => client.pushMissing(team, "v1", image),
      ]);
    },
    recover: pushAgain(image),
  };
}

function pushAgain(image: ImageSample): (client: NotedClient) => Promise<void> {
  return async (client) => {
    await client.pushMissing(team, "again", image);
    await client.pushImage(team, "again", image);
  };
}
