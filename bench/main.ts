/**
 * `npm run bench`: Berth side by side with Distribution, nginx, the disk and SHA-256, on the
 * same data, in turn within every round. Options in settings.ts, how to read it in README.md.
 */
import { mkdirSync } from "node:fs";
import { rm } from "node:fs/promises";
import { join } from "node:path";
import type { Dataset } from "./dataset.ts";
import { openDataset } from "./dataset.ts";
import { describeMachine, missingTools } from "./machine.ts";
import { berth } from "./peers/berth.ts";
import { distribution2, distribution3 } from "./peers/distribution.ts";
import { nginx } from "./peers/nginx.ts";
import type { Peer } from "./peers/peer.ts";
import { run } from "./process.ts";
import type { Result, Run } from "./report.ts";
import { renderReport } from "./report.ts";
import { ServerPool } from "./server-pool.ts";
import type { Settings } from "./settings.ts";
import { readSettings } from "./settings.ts";
import { targets } from "./targets.ts";
import { pushCeiling } from "./transfer.ts";
import { blobPath } from "./tree.ts";
import type { Context, Measurement, Work } from "./work.ts";
import { collect, collectPreview } from "./works/collect.ts";
import { collectBeside } from "./works/collect-beside.ts";
import { getLargeBlob, getLargeBlobDiscarded } from "./works/get-large-blob.ts";
import { apiVersion, catalogPage, tagsPage, tagsWhole } from "./works/listings.ts";
import { manifestByTag, manifestWithPassword } from "./works/manifest.ts";
import { memory } from "./works/memory.ts";
import { pushSmallImages, pushSmallImagesUnsynced } from "./works/push-small-images.ts";
import {
  putLargeBlobInMemory,
  putLargeBlobOnDisk,
  putLargeBlobUnsynced,
} from "./works/put-large-blob.ts";
import { getSmallBlob, headBlob } from "./works/small-blob.ts";
import { start, startOnForeignDirectory } from "./works/start.ts";

/** In this order: works that share running servers stand together. */
const works: readonly Work[] = [
  manifestByTag(),
  headBlob(),
  getSmallBlob(),
  apiVersion(),
  getLargeBlob(),
  getLargeBlobDiscarded(),
  tagsPage(),
  tagsWhole(),
  catalogPage(),
  manifestWithPassword(),
  putLargeBlobOnDisk(),
  putLargeBlobUnsynced(),
  putLargeBlobInMemory(),
  pushSmallImages(),
  pushSmallImagesUnsynced(),
  memory(),
  collect(),
  collectPreview(),
  ...collectBeside(),
  start(),
  startOnForeignDirectory(),
];

const settings = readSettings();
const missing = missingTools();
if (missing.length > 0) {
  console.error(`The benchmark needs: apt-get install ${missing.join(" ")}`);
  process.exit(1);
}
const unknown = settings.only.filter((id) => !works.some((work) => work.id === id));
if (unknown.length > 0) {
  console.error(
    `No such work: ${unknown.join(", ")}. There are: ${works.map(({ id }) => id).join(", ")}`,
  );
  process.exit(1);
}
mkdirSync(settings.workDirectory, { recursive: true });
mkdirSync(settings.memoryDirectory, { recursive: true });
const dataset = await openDataset(settings);
const { peers, versions } = await findPeers(settings, dataset);
const pool = new ServerPool(settings, dataset, peers);
try {
  const report: Run = {
    startedAt: new Date().toISOString(),
    commit: (await run(["git", "-C", settings.root, "describe", "--always", "--dirty"])).trim(),
    machine: await describeMachine(settings),
    versions,
    notes: [await describeCeiling()],
    results: await runWorks(),
  };
  const text = renderReport(report, targets);
  console.log(text);
  if (settings.isSaving) await save(report, text);
} finally {
  await pool.stop();
  await pool.removeRuns();
  await rm(settings.memoryDirectory, { recursive: true, force: true });
}

async function runWorks(): Promise<readonly Result[]> {
  const results: Result[] = [];
  for (const work of works) {
    if (settings.only.length > 0 && !settings.only.includes(work.id)) continue;
    results.push(await runWork(work));
  }
  return results;
}

async function runWork(work: Work): Promise<Result> {
  const contestants = work.contestants.filter((name) =>
    name === "dd" || name === "sha256" ? isWanted(name) : peers.has(name),
  );
  const failures: Record<string, string> = {};
  const measurements: Record<string, Measurement[]> = {};
  for (const name of contestants) measurements[name] = [];
  const { id, title, unit, isHigherBetter, checked } = work;
  const result = { work: { id, title, unit, isHigherBetter, checked }, measurements, failures };
  if (contestants.length === 0) return result;

  const context: Context = { settings, dataset, peers, pool };
  const session = await work.open(context);
  const rounds = settings.rounds ?? (settings.isQuick ? 1 : work.rounds);
  // Round 0 is the warm-up. Each round begins with another contestant, so that none always
  // comes after the same neighbour.
  for (let round = 0; round <= rounds; round += 1) {
    for (let turn = 0; turn < contestants.length; turn += 1) {
      const name = contestants[(round + turn) % contestants.length] ?? "";
      if (failures[name] !== undefined) continue;
      try {
        const measurement = await session.measure(name);
        if (round > 0) measurements[name]?.push(measurement);
        const figure = measurement.value.toPrecision(4);
        console.error(
          `${id} ${round === 0 ? "warm-up" : `round ${round}`} ${name}: ${figure} ${unit}`,
        );
      } catch (cause) {
        failures[name] = cause instanceof Error ? cause.message : String(cause);
        console.error(`${id} ${name} FAILED: ${failures[name]}`);
      }
    }
  }
  await session.close();
  return result;
}

async function findPeers(
  settings: Settings,
  dataset: Dataset,
): Promise<{ peers: ReadonlyMap<string, Peer>; versions: Record<string, string> }> {
  const peers = new Map<string, Peer>();
  const versions: Record<string, string> = {};
  const all = [
    berth(settings),
    distribution3(settings.workDirectory),
    distribution2(),
    nginx(dataset),
  ];
  for (const peer of all) {
    if (!isWanted(peer.name)) continue;
    const found = await peer.describe();
    versions[peer.name] =
      "version" in found ? found.version : `left out, missing: ${found.missing}`;
    if ("version" in found) peers.set(peer.name, peer);
    else console.error(`${peer.name} is left out; it needs ${found.missing}`);
  }
  return { peers, versions };
}

function isWanted(name: string): boolean {
  return settings.peers === undefined || settings.peers.includes(name);
}

/** Whether the client could be what is measured: its speed into a server that does nothing. */
async function describeCeiling(): Promise<string> {
  const path = blobPath(dataset.treeDirectory, dataset.largeBlob.digest);
  await pushCeiling(path);
  const { seconds } = await pushCeiling(path);
  const speed = (dataset.largeBlob.sizeBytes / seconds / 1e9).toFixed(2);
  return `client: curl pushes ${speed} GB/s into a server that throws everything away`;
}

async function save(report: Run, text: string): Promise<void> {
  const name = `${report.startedAt.slice(0, 10)}-${report.commit}`;
  const base = join(settings.root, "bench/results", name);
  await Bun.write(`${base}.md`, text);
  await Bun.write(`${base}.json`, `${JSON.stringify({ ...report, targets }, undefined, 1)}\n`);
  console.error(`written: ${base}.{md,json}`);
}
