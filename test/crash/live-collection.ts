import { closeSync, openSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { freePort } from "../support/processes.ts";
import { removeFolder, temporaryFolder } from "../support/run-folder.ts";
import { CollectionLoad } from "./collection-load.ts";
import { findLeaks } from "./leaks.ts";
import { RegistryClient } from "./registry-client.ts";
import type { Figure, Rig, RigOptions } from "./rig.ts";
import { SeededRandom } from "./seeded-random.ts";
import { atLeast, none } from "./trial.ts";

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
const pollMs = 50;

/** Live collection beside pushes, pulls and deletes; then the same, killed again and again. */
export const liveCollection: Rig = {
  name: "live-collection",
  fault: "collection every 200 ms with a 2 s grace, 8 pushers, 4 pullers, 2 deleters; then kills",
  run: async (options) => {
    const scale = scales[options.form];
    const folder = temporaryFolder("live-collection");
    await using server = new CollectingServer(folder, scale);
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

interface ServerState {
  readonly rounds: number;
  /** In a row, without anything to do. */
  readonly idleRounds: number;
  readonly removedBlobs: number;
  readonly problem: string;
}

class CollectingServer implements AsyncDisposable {
  readonly #folder: string;
  readonly #scale: Scale;
  readonly #port = freePort();
  readonly #controlPort = freePort();
  readonly #logFolder = temporaryFolder("collecting-server");
  readonly origin = `http://127.0.0.1:${this.#port}`;
  #child: Bun.Subprocess | undefined;
  removedBlobs = 0;

  constructor(folder: string, scale: Scale) {
    this.#folder = folder;
    this.#scale = scale;
  }

  async start(): Promise<void> {
    const program = join(import.meta.dir, "collecting-server.ts");
    const { graceMs, intervalMs } = this.#scale;
    const numbers = [this.#port, this.#controlPort, graceMs, intervalMs].map(String);
    const path = join(this.#logFolder, "log");
    const log = openSync(path, "a");
    this.#child = Bun.spawn([process.execPath, program, this.#folder, ...numbers], {
      stdio: ["ignore", log, log],
    });
    closeSync(log);
    while (!(await this.#answers())) {
      if (this.#child.exitCode !== null) throw new Error(readFileSync(path, "utf8"));
      await Bun.sleep(10);
    }
  }

  async kill(): Promise<void> {
    this.#child?.kill("SIGKILL");
    await this.#child?.exited;
  }

  /** Waits for so many rounds since the start. */
  async rounds(count: number, say: (line: string) => void): Promise<void> {
    let said = 0;
    for (;;) {
      const { rounds } = await this.#state();
      if (rounds >= count) return;
      if (rounds >= said + 100) say(`${(said = rounds)} rounds`);
      await Bun.sleep(pollMs);
    }
  }

  /** Waits for so many rounds in a row that had nothing to do. */
  async quiet(count: number): Promise<void> {
    for (;;) {
      const { idleRounds, removedBlobs, problem } = await this.#state();
      if (problem !== "") throw new Error(`collection has stopped: ${problem}`);
      this.removedBlobs = removedBlobs;
      if (idleRounds >= count) return;
      await Bun.sleep(pollMs);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.kill();
    removeFolder(this.#logFolder);
  }

  async #answers(): Promise<boolean> {
    return fetch(`${this.origin}/v2/`).then(
      ({ status }) => status === 200,
      () => false,
    );
  }

  async #state(): Promise<ServerState> {
    const answer = await fetch(`http://127.0.0.1:${this.#controlPort}/`);
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- our own program's answer
    return (await answer.json()) as ServerState;
  }
}
