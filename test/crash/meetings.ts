import { collectionCells } from "./collection-cells.ts";
import { isLinearizable, type TagOperation } from "./linearizable.ts";
import { type Cell, cells } from "./matrix-cells.ts";
import { MatrixWorld } from "./matrix-world.ts";
import { pullBesideCollection } from "./pull-beside-collection.ts";
import { atLeast, none, type Rig, type RigOptions } from "./rig.ts";
import { SeededRandom } from "./seeded-random.ts";
import { uploadCells } from "./upload-cells.ts";

/** Each with twenty pulls on the real disk. */
const pullRoundsOfForm: Readonly<Record<RigOptions["form"], number>> = { short: 3, long: 50 };
const runsOfForm: Readonly<Record<RigOptions["form"], number>> = { short: 15, long: 1_000 };
/** So many runs share a registry: opening one takes longer than a run. */
const runsOfWorld = 50;

export const meetings: Rig = {
  name: "meetings",
  fault: "requests that meet, each pair again and again with other delays",
  run: async (options) => {
    const violations: string[] = [];
    let runs = 0;
    const all = [...cells, ...uploadCells, ...collectionCells, freeRunning];
    for (const cell of all) {
      const count = runsOfForm[options.form];
      violations.push(...(await runCell(cell, { seed: options.seed, count })));
      runs += count;
      options.say(`${cell.name}: ${violations.length} violations so far`);
    }
    const rounds = pullRoundsOfForm[options.form];
    const onDisk = await pullBesideCollection({ seed: options.seed, rounds });
    options.say(`${onDisk.pulls} pulls on the real disk`);
    violations.push(...onDisk.violations);
    const runsEach = runs / all.length;
    return [
      {
        name: "runs of each pair",
        value: runsEach,
        target: "1,000",
        holds: runsEach >= runsOfForm[options.form],
      },
      atLeast("pulls from the real disk beside collection", onDisk.pulls, 20 * rounds),
      none("violations", violations),
    ];
  },
};

/** What did not hold, each with the seed that repeats it. */
export async function runCell(
  cell: Cell,
  { seed, count }: { readonly seed: number; readonly count: number },
): Promise<readonly string[]> {
  const violations: string[] = [];
  for (let begun = 0; begun < count; begun += runsOfWorld) {
    const worldSeed = seed * 1_000 + begun / runsOfWorld;
    const world = await MatrixWorld.open(new SeededRandom(worldSeed));
    for (let run = 0; run < Math.min(runsOfWorld, count - begun); run += 1) {
      world.nextRun();
      const where = `${cell.name}, run ${run} of world ${worldSeed}`;
      for (const problem of await cell.run(world)) violations.push(`${where}: ${problem}`);
    }
    for (const error of world.registry.errors) violations.push(`${cell.name}: ${error}`);
    if (world.disk.openFiles > 0) violations.push(`${cell.name}: files were left open`);
    await world.registry.close();
  }
  return violations;
}

/** Clients that do what they like with a few tags: is there an order that explains the answers? */
const freeRunning: Cell = {
  name: "four clients × two tags, as they like",
  run: async (world) => {
    const images = [world.image(), world.image(), world.image()];
    for (const image of images) await world.putBlobs(image);
    const tags = ["v", "w"];
    const histories = new Map(tags.map((tag) => [tag, [] as TagOperation[]]));
    let time = 0;
    const now = (): number => (time += 1);
    const problems: string[] = [];
    const client = async (): Promise<void> => {
      for (let step = 0; step < 5; step += 1) {
        const tag = world.random.pick(tags);
        const kind = world.random.pick(["put", "put", "get", "get", "delete"] as const);
        const image = world.random.pick(images);
        const begunAt = now();
        const value = await ask(world, { kind, tag, image });
        if (value?.startsWith("status") === true) problems.push(`${kind} ${tag}: ${value}`);
        histories.get(tag)?.push({ kind, value, begunAt, endedAt: now() });
      }
    };
    await world.meet<readonly void[]>(client, client, client, client);
    for (const [tag, history] of histories) {
      if (isLinearizable(history)) continue;
      problems.push(`no order explains ${tag}: ${JSON.stringify(history)}`);
    }
    return problems;
  },
};

async function ask(
  world: MatrixWorld,
  request: {
    readonly kind: TagOperation["kind"];
    readonly tag: string;
    readonly image: ReturnType<MatrixWorld["image"]>;
  },
): Promise<string | undefined> {
  const { kind, tag, image } = request;
  switch (kind) {
    case "put": {
      const { status } = await world.putManifest(tag, image);
      return status === 201 ? image.digest : `status ${status}`;
    }
    case "get": {
      const { status, headers } = await world.getManifest(tag);
      if (status === 404) return undefined;
      return status === 200 ? (headers.get("Docker-Content-Digest") ?? "") : `status ${status}`;
    }
    case "delete": {
      const { status } = await world.delete("manifests", tag);
      if (status === 404) return undefined;
      return status === 202 ? "removed" : `status ${status}`;
    }
  }
}
