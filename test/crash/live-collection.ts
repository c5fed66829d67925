import { removeFolder, temporaryFolder } from "../support/run-folder.ts";
import { CollectingProcess } from "./collecting-process.ts";
import { CollectionLoad } from "./collection-load.ts";
import { findLeaks } from "./leaks.ts";
import { RegistryClient } from "./registry-client.ts";
import { atLeast, type Figure, none, type Rig, type RigOptions } from "./rig.ts";
import { SeededRandom } from "./seeded-random.ts";

interface Scale {
  readonly rounds: number;
  readonly kills: number;
  /** Fewer would say little about pushes that build on what the registry has. */
  readonly skippedUploads: number;
  readonly graceMs: number;
  readonly intervalMs: number;
  /**
   * A client thinks for so long at most between two requests. A kill takes the leases of the last
   * second; a whole push has to fit into the second grace, which is hours and not seconds there.
   */
  readonly pauseMsMax: number;
}

const scales: Readonly<Record<RigOptions["form"], Scale>> = {
  short: {
    rounds: 25,
    kills: 4,
    skippedUploads: 30,
    graceMs: 1_500,
    intervalMs: 100,
    pauseMsMax: 150,
  },
  long: {
    rounds: 800,
    kills: 100,
    skippedUploads: 100,
    graceMs: 2_000,
    intervalMs: 200,
    pauseMsMax: 250,
  },
};

const workers = { pushers: 8, pullers: 4, deleters: 2 };
/** Without work for so many rounds, nothing waits any more: two graces, and renewals. */
const quietGraces = 3.5;

/** Live collection beside pushes, pulls and deletes; then the same, killed again and again. */
export const liveCollection: Rig = {
  name: "live-collection",
  fault: "collection every 200 ms with a 2 s grace, 8 pushers, 4 pullers, 2 deleters; then kills",
  run: async (options) => {
    const scale = scales[options.form];
    const folder = temporaryFolder("live-collection");
    await using server = new CollectingProcess(folder, scale);
    const random = new SeededRandom(`live-collection ${options.seed}`);
    const client = new RegistryClient(server.origin);
    const load = new CollectionLoad(client, random.fork("layers"), scale);
    await server.start();
    const stop = new AbortController();
    const working = startWorkers(load, random, stop.signal);
    await server.rounds(scale.rounds, options.say);
    // A slow machine does less beside as many rounds: it gets more of them.
    for (let more = 1; more <= 20 && !hasDoneEnough(load, scale); more += 1) {
      await server.rounds(scale.rounds * (1 + more), options.say);
    }
    for (let count = 1; count <= scale.kills; count += 1) {
      await Bun.sleep(random.integer(50, 700));
      await server.kill();
      await server.start();
      if (count % 20 === 0) options.say(`${count} kills`);
    }
    stop.abort();
    await working;
    await server.quiet((quietGraces * scale.graceMs) / scale.intervalMs);
    const { failures } = client;
    await load.pullAll();
    const removed = server.removedBlobs;
    await server.kill();
    const leaks = findLeaks(folder);
    removeFolder(folder);
    options.say(
      `${load.pushes} pushes, ${load.skippedUploads} uploads skipped, ${load.pulls} pulls, ` +
        `${load.deletes} deletes, ${removed} blobs removed in the end`,
    );
    return figuresOf({ load, scale, leaks, failures: failures.map(({ text }) => text) });
  },
};

function figuresOf(found: {
  readonly load: CollectionLoad;
  readonly scale: Scale;
  readonly leaks: readonly string[];
  readonly failures: readonly string[];
}): readonly Figure[] {
  const { load, scale, leaks, failures } = found;
  return [
    none("failed pushes", load.failedPushes),
    none("broken images", load.brokenImages),
    none("blobs, links and repositories leaked after it is quiet", leaks),
    none("answers of 5xx", failures),
    atLeast("rounds of collection beside the load", scale.rounds, scale.rounds),
    atLeast("kills", scale.kills, scale.kills),
    atLeast("pushes", load.pushes, scale.rounds),
    atLeast(
      "uploads skipped because the registry has the blob",
      load.skippedUploads,
      scale.skippedUploads,
    ),
  ];
}

function hasDoneEnough(load: CollectionLoad, { rounds, skippedUploads }: Scale): boolean {
  return load.pushes >= rounds && load.skippedUploads >= skippedUploads;
}

function startWorkers(
  load: CollectionLoad,
  random: SeededRandom,
  signal: AbortSignal,
): Promise<unknown> {
  const many = (count: number, name: string, work: (random: SeededRandom) => Promise<void>) =>
    Array.from({ length: count }, (_, index) => work(random.fork(`${name} ${index}`)));
  return Promise.all([
    ...many(workers.pushers, "pusher", (own) => load.push(own, signal)),
    ...many(workers.pullers, "puller", (own) => load.pull(own, signal)),
    ...many(workers.deleters, "deleter", (own) => load.delete(own, signal)),
  ]);
}
