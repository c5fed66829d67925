/**
 * 1,000 of 12,000 images are deleted, and what only they needed is collected: by Distribution's
 * `garbage-collect`, for which the registry has to be stopped or read-only, and by Berth while it
 * serves, in two rounds: into the trash, and out of it when the grace has passed.
 *
 * All work on the same tree, which is made whole again before each turn.
 */
import { rm } from "node:fs/promises";
import {
  type CollectingServer,
  deleteImages,
  graceHours,
  startCollectingServer,
  verifyImages,
} from "../collection/berth-collection.ts";
import {
  collectedBlobs,
  type MendedTree,
  mendImages,
  openImageTree,
  verifyCollected,
} from "../collection/image-tree.ts";
import { measureCost } from "../measure.ts";
import { writeConfig } from "../peers/config.ts";
import { distributionProgram } from "../peers/distribution.ts";
import { run } from "../process.ts";
import { revisionPath, tagPath } from "../tree.ts";
import type { Context, Measurement, Session, Work } from "../work.ts";
import { registries } from "../work.ts";

export function collect(): Work {
  return {
    ...common,
    id: "collect",
    title: "collecting 1,000 of 12,000 images, 48,050 blobs",
    checked:
      "that 4,000 blobs are gone, by name, and the other 44,050 there; of Berth, 404 and digests",
    open: async (context) => open(context, { isDry: false }),
  };
}

export function collectPreview(): Work {
  return {
    ...common,
    id: "collect-preview",
    title: "the same as a dry run (Berth: preview)",
    checked: "that Berth names 4,000 blobs",
    open: async (context) => open(context, { isDry: true }),
  };
}

const common = {
  unit: "s",
  isHigherBetter: false,
  rounds: 3,
  contestants: registries,
} as const;

type Mode = { readonly isDry: boolean };

async function open(context: Context, mode: Mode): Promise<Session> {
  const tree = await openImageTree(context);
  await context.pool.stop();
  return {
    measure: async (name) => {
      const images = mendImages(tree);
      if (name === "berth") return collectLive(context, images, mode);
      return collectOffline(context, images, { ...mode, name });
    },
    close: async () => {},
  };
}

async function collectLive(
  context: Context,
  images: MendedTree,
  { isDry }: Mode,
): Promise<Measurement> {
  const server = await startCollectingServer({
    dataDirectory: images.tree,
    runDirectory: context.pool.runDirectory("berth-collect"),
  });
  try {
    await deleteImages(server, images.deleted);
    await server.forward(graceHours);
    await run(["sync"]);
    if (isDry) return await preview(server);
    const { result, cost } = await measureCost(server.pid, async () => {
      const trashing = await timed(() => server.round({ isFull: true }));
      await server.forward(graceHours);
      const removing = await timed(() => server.round({ isFull: true }));
      return { trashing, removing };
    });
    const { trashing, removing } = result;
    expectCount(trashing.value.trashedBlobs);
    expectCount(removing.value.removedBlobs);
    verifyCollected(images);
    await verifyImages(server, images);
    return {
      value: trashing.seconds + removing.seconds,
      ...cost,
      facts: { trashSeconds: trashing.seconds, removeSeconds: removing.seconds },
    };
  } finally {
    await server.stop();
  }
}

async function preview(server: CollectingServer): Promise<Measurement> {
  await server.expire();
  const { result, cost } = await measureCost(server.pid, () => timed(() => server.preview()));
  expectCount(result.value);
  return { value: result.seconds, ...cost, facts: {} };
}

async function collectOffline(
  context: Context,
  images: MendedTree,
  { name, isDry }: Mode & { readonly name: string },
): Promise<Measurement> {
  const { tree, deleted } = images;
  // What DELETE takes away; this way no server has to be started for it.
  for (const { repository, digest, tag } of deleted) {
    await rm(revisionPath(tree, { repository, digest }), { recursive: true });
    await rm(tagPath(tree, { repository, tag }), { recursive: true });
  }
  await run(["sync"]);
  const runDirectory = context.pool.runDirectory(`${name}-collect`);
  const config = await writeConfig({ dataDirectory: tree, runDirectory }, 0);
  const program = distributionProgram(name, context.settings.workDirectory);
  const { seconds, value: usage } = await timed(async () => {
    const child = Bun.spawn([program, "garbage-collect", ...(isDry ? ["--dry-run"] : []), config], {
      env: { PATH: process.env["PATH"] ?? "", HOME: runDirectory, OTEL_TRACES_EXPORTER: "none" },
      // It names every blob that it looks at; nobody reads that here.
      stdio: ["ignore", "ignore", "ignore"],
    });
    const code = await child.exited;
    if (code !== 0) throw new Error(`garbage-collect ended with ${code}`);
    return child.resourceUsage();
  });
  if (!isDry) verifyCollected(images);
  return {
    value: seconds,
    serverTicks: Number(usage?.cpuTime.total ?? 0) / 10_000,
    peakMemoryBytes: usage?.maxRSS ?? 0,
    facts: {},
  };
}

async function timed<T>(
  work: () => Promise<T>,
): Promise<{ readonly value: T; readonly seconds: number }> {
  const startedAtMs = performance.now();
  const value = await work();
  return { value, seconds: (performance.now() - startedAtMs) / 1_000 };
}

function expectCount(count: number): void {
  if (count !== collectedBlobs) throw new Error(`${count} blobs went, not ${collectedBlobs}`);
}
