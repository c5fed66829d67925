/**
 * What clients notice of a collection: pulls and pushes of small images go on all the time, in
 * windows of a few seconds, without and with rounds that collect 1,000 images at the configured
 * rate. Everything is of one run of one server; four rows show four sides of it.
 */
import { mkdtemp, rm } from "node:fs/promises";
import { dirname, join } from "node:path";
import {
  type CollectingServer,
  deleteImages,
  graceHours,
  startCollectingServer,
  verifyImages,
} from "../collection/berth-collection.ts";
import type { MendedTree } from "../collection/image-tree.ts";
import {
  collectedBlobs,
  listBlobs,
  mendImages,
  openImageTree,
  withForeignBlobs,
} from "../collection/image-tree.ts";
import { pushImages, verifyPushes } from "../image-pushes.ts";
import { pullPaths } from "../load.ts";
import { run } from "../process.ts";
import { median } from "../report.ts";
import { blobPath, manifestMediaType, repositoryPath } from "../tree.ts";
import type { Context, Measurement, Work } from "../work.ts";

interface View {
  readonly id: string;
  readonly title: string;
  /** More is better, as a rate, or less is, as a time. */
  readonly isRate: boolean;
  readonly of: (window: Window) => number;
}

const views: readonly View[] = [
  {
    id: "collect-beside-pulls",
    title: "pulls while 1,000 images are collected",
    isRate: true,
    of: (window) => window.pullsPerSecond,
  },
  {
    id: "collect-beside-pulls-p99",
    title: "p99 of these pulls",
    isRate: false,
    of: (window) => window.pullP99Us,
  },
  {
    id: "collect-beside-pushes",
    title: "pushes of images while 1,000 are collected",
    isRate: true,
    of: (window) => window.imagesPerSecond,
  },
  {
    id: "collect-beside-pushes-p99",
    title: "p99 of these pushes",
    isRate: false,
    of: (window) => window.imageP99Us,
  },
];

interface Window {
  readonly pullsPerSecond: number;
  readonly pullP99Us: number;
  readonly imagesPerSecond: number;
  readonly imageP99Us: number;
}

interface Windows {
  readonly without: readonly Window[];
  readonly during: readonly Window[];
}

const pullConnections = 4;
const pushClients = 4;
/** Before, between and after the two rounds. */
const windowsWithout = 3;
const pushedTeam = "pushed";

/** Measured once a round, by whichever of the rows asks first. */
export function collectBeside(): readonly Work[] {
  const measured: Promise<Windows>[] = [];
  return views.map((view) => ({
    id: view.id,
    title: view.title,
    unit: "% slower",
    isHigherBetter: false,
    rounds: 2,
    contestants: ["berth"],
    checked:
      "status of every request; that 4,000 blobs went; digests of some images of either kind",
    open: async (context) => {
      await context.pool.stop();
      let round = 0;
      const measure = async (): Promise<Measurement> => {
        const windows = (measured[round] ??= measureWindows(context));
        round += 1;
        return compare(await windows, view);
      };
      return { measure, close };
    },
  }));
}

async function close(): Promise<void> {}

function compare({ without, during }: Windows, { of, isRate }: View): Measurement {
  const [before, after] = [median(without.map(of)), median(during.map(of))];
  const slower = isRate ? 1 - after / before : after / before - 1;
  const facts = { without: before, during: after, windows: during.length };
  return { value: slower * 100, facts };
}

async function measureWindows(context: Context): Promise<Windows> {
  const tree = await openImageTree(context);
  return withForeignBlobs(tree, () => measureIn(mendImages(tree), context));
}

async function measureIn(images: MendedTree, context: Context): Promise<Windows> {
  const before = listBlobs(images.tree);
  const server = await startCollectingServer({
    dataDirectory: images.tree,
    runDirectory: context.pool.runDirectory("berth-collect"),
  });
  const folder = await mkdtemp(join(context.settings.workDirectory, "beside-"));
  try {
    await deleteImages(server, images.deleted);
    await run(["sync"]);
    return await alternate({ server, images, seconds: context.settings.loadSeconds * 2, folder });
  } finally {
    await server.stop();
    await rm(folder, { recursive: true });
    await removePushed(images.tree, before);
  }
}

/** So that others find the tree as it was: they count its blobs. */
async function removePushed(tree: string, before: ReadonlySet<string>): Promise<void> {
  await rm(repositoryPath(tree, pushedTeam), { recursive: true, force: true });
  for (const digest of listBlobs(tree)) {
    if (!before.has(digest)) await rm(dirname(blobPath(tree, digest)), { recursive: true });
  }
}

interface Scene {
  readonly server: CollectingServer;
  readonly images: MendedTree;
  readonly seconds: number;
  readonly folder: string;
}

async function alternate(scene: Scene): Promise<Windows> {
  const { server } = scene;
  const load = await loadOf(scene);
  const without: Window[] = [];
  const during: Window[] = [];
  const quiet = async (): Promise<void> => {
    for (let count = 0; count < windowsWithout; count += 1) without.push(await load());
  };
  await load();
  const counts = { trashedBlobs: 0, removedBlobs: 0 };
  for (const key of ["trashedBlobs", "removedBlobs"] as const) {
    await quiet();
    await server.forward(graceHours);
    const state = { isOver: false };
    const round = server.round({ isFull: false }).finally(() => {
      state.isOver = true;
    });
    // Its failure is thrown below; a load that fails first must not leave it to nobody.
    round.catch(() => undefined);
    while (!state.isOver) {
      const window = await load();
      // One in which the round ended was partly a quiet one.
      if (!state.isOver) during.push(window);
    }
    counts[key] = (await round)[key];
  }
  await quiet();
  await verifyImages(server, scene.images);
  const went = Math.min(counts.trashedBlobs, counts.removedBlobs);
  if (went !== collectedBlobs) throw new Error(`${went} blobs went, not ${collectedBlobs}`);
  return { without, during };
}

/** Pulls and pushes for one window at a time. */
async function loadOf({ server, images, seconds, folder }: Scene): Promise<() => Promise<Window>> {
  const pathsFile = join(folder, "paths");
  const headersFile = join(folder, "headers");
  const paths = images.kept.flatMap(({ repository, tag, blobs }) => [
    `/v2/${repository}/manifests/${tag}`,
    ...blobs.map((blob) => `/v2/${repository}/blobs/${blob.digest}`),
  ]);
  await Bun.write(pathsFile, `${paths.join("\n")}\n`);
  await Bun.write(headersFile, `accept: ${manifestMediaType}\n`);
  let number = 0;
  return async () => {
    number += 1;
    const prefix = `${pushedTeam}/window-${number}`;
    const [pulled, pushed] = await Promise.all([
      pullPaths(server, { pathsFile, headersFile, seconds, connections: pullConnections }),
      pushImages(server, { clients: pushClients, seconds, prefix }),
    ]);
    await verifyPushes(server, pushed);
    return {
      pullsPerSecond: (pulled.requests * 1_000_000) / pulled.durationUs,
      pullP99Us: pulled.p99Us ?? 0,
      imagesPerSecond: pushed.imagesPerSecond,
      imageP99Us: pushed.p99Us,
    };
  };
}
