/** Small images, pushed by 8 clients at the same time into an empty registry on a disk. */
import { mkdirSync } from "node:fs";
import { rm } from "node:fs/promises";
import { join } from "node:path";
import { pushImages, verifyPushes } from "../image-pushes.ts";
import { measureCost } from "../measure.ts";
import { waitForAnswer } from "../peers/peer.ts";
import { run } from "../process.ts";
import type { Context, Measurement, Session, Work } from "../work.ts";
import { registries } from "../work.ts";

const clients = 8;
const warmUpSeconds = 1;

export function pushSmallImages(): Work {
  return {
    ...common,
    id: "push-small-images",
    title: "small images (3 blobs) pushed by 8 clients",
    contestants: registries,
    open: async (context) => openWith(context),
  };
}

/** Only Berth knows the setting. */
export function pushSmallImagesUnsynced(): Work {
  return {
    ...common,
    id: "push-small-images-unsynced",
    title: "the same with `durability: none`",
    contestants: ["berth"],
    open: async (context) => openWith(context, "none"),
  };
}

const common = {
  unit: "images/s",
  isHigherBetter: true,
  rounds: 3,
  checked: "status of every request; digests of the manifest and blobs of up to 40 images",
} as const;

/**
 * What was pushed stays until the end. Where thousands of files were deleted a moment ago, a file
 * system may take its time to make others, and the next contestant would pay for it.
 */
async function openWith(context: Context, durability?: "none"): Promise<Session> {
  const parent = join(context.settings.workDirectory, "images-pushed");
  await rm(parent, { recursive: true, force: true });
  let turn = 0;
  return {
    measure: async (name) => {
      const dataDirectory = join(parent, String((turn += 1)));
      return measure(context, { name, dataDirectory, durability });
    },
    close: async () => rm(parent, { recursive: true, force: true }),
  };
}

async function measure(
  { peers, pool, settings }: Context,
  {
    name,
    dataDirectory,
    durability,
  }: {
    readonly name: string;
    readonly dataDirectory: string;
    readonly durability: "none" | undefined;
  },
): Promise<Measurement> {
  const peer = peers.get(name);
  if (peer === undefined) throw new Error(`${name} is not a server`);
  mkdirSync(dataDirectory, { recursive: true });
  await run(["sync"]);
  const runDirectory = pool.runDirectory(`${name}-images`);
  const server = await peer.start({
    ...{ dataDirectory, runDirectory },
    ...(durability !== undefined && { durability }),
  });
  try {
    await waitForAnswer(server);
    await pushImages(server, { clients, seconds: warmUpSeconds, prefix: "bench/warm" });
    const seconds = settings.loadSeconds * 2;
    const { result, cost } = await measureCost(server.pid, () =>
      pushImages(server, { clients, seconds, prefix: "bench/measured" }),
    );
    await verifyPushes(server, result);
    const { imagesPerSecond, clientTicks, images, p50Us, p99Us } = result;
    return { value: imagesPerSecond, ...cost, clientTicks, facts: { images, p50Us, p99Us } };
  } finally {
    await server.stop();
  }
}
