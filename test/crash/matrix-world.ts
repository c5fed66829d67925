/** A registry whose every file operation takes a while of its own, for requests that meet. */
import { silentLogger } from "../../src/base/logger.ts";
import { purgeStaleUploads } from "../../src/gc/stale-uploads.ts";
import { Collecting, graceOf, type PassingClock } from "./collecting.ts";
import { type InProcess, openInProcess } from "./in-process.ts";
import { type FileOperation, intercepted } from "./intercepted-file-system.ts";
import { blobSample, type ImageSample, imageSample, type Sample } from "./samples.ts";
import type { SeededRandom } from "./seeded-random.ts";
import { SimulatedDisk } from "./simulated-disk.ts";
import { turns } from "./turns.ts";
import { WireClient } from "./wire-client.ts";

/** A clock that a rig sets; it stands still otherwise. */
export class SetClock implements PassingClock {
  ms = 1_800_000_000_000;
  pass(ms: number): void {
    this.ms += ms;
  }
  nowMs(): number {
    return this.ms;
  }
  monotonicMs(): number {
    return this.ms;
  }
}

export class MatrixWorld extends WireClient {
  readonly random: SeededRandom;
  readonly clock: SetClock;
  readonly disk: SimulatedDisk;
  /** Every file operation since the last `forget`, in the order in which they began. */
  readonly trace: FileOperation[] = [];
  readonly #collecting: Collecting;
  #runs = 0;

  private constructor(parts: {
    readonly random: SeededRandom;
    readonly clock: SetClock;
    readonly disk: SimulatedDisk;
    readonly registry: InProcess;
    readonly trace: FileOperation[];
  }) {
    super(parts.registry, "team/0");
    this.random = parts.random;
    this.clock = parts.clock;
    this.disk = parts.disk;
    this.trace = parts.trace;
    this.#collecting = new Collecting(parts.registry, parts.clock);
  }

  static async open(random: SeededRandom): Promise<MatrixWorld> {
    const clock = new SetClock();
    const disk = new SimulatedDisk({ clock });
    const trace: FileOperation[] = [];
    const fileSystem = intercepted(disk, async (operation) => {
      trace.push(operation);
      // Mostly short, now and then so long that another request overtakes by many steps.
      const turnsMax = random.below(8) === 0 ? 250 : 8;
      await turns(random.below(turnsMax));
    });
    const registry = await openInProcess({ fileSystem, clock, random });
    return new MatrixWorld({ random, clock, disk, registry, trace });
  }

  nextRun(): void {
    this.#runs += 1;
    // A name that no other run uses, so that all can have one registry.
    this.name = `team/${this.#runs}`;
    this.trace.length = 0;
    // Durable by now: what a power cut could take is another rig's.
    this.disk.settle();
  }

  image(): ImageSample {
    return imageSample(this.random, [100]);
  }

  blob(): Sample {
    return blobSample(this.random, 200);
  }

  /** All at once, each after a delay of its own. */
  async meet<T extends readonly unknown[]>(
    ...requests: { readonly [K in keyof T]: () => Promise<T[K]> }
  ): Promise<T> {
    const begun = requests.map(async (request: () => Promise<unknown>) => {
      await turns(this.random.below(this.random.pick([20, 200, 1_000])));
      return request();
    });
    return (await Promise.all(begun)) as unknown as T;
  }

  /** One round of live collection. */
  async collect(): Promise<void> {
    const { problem } = await this.#collecting.round();
    if (problem !== undefined) throw new Error(`nothing was collected: ${problem}`);
  }

  /** Lets time go by; leases are written down first, as they are within a second. */
  async pass(ms: number): Promise<void> {
    await this.registry.context.leases.flush();
    this.clock.pass(ms);
  }

  /** Now every lease is over, and whatever is in the trash has been there for long enough. */
  async makeDue(): Promise<void> {
    await this.pass(graceOf(this.registry));
  }

  async purge(ageMs: number): Promise<void> {
    const { links, uploads } = this.registry;
    const { clock } = this;
    const options = { links, uploads, clock, logger: silentLogger, ageMs, isDryRun: false };
    await purgeStaleUploads(options, new AbortController().signal);
  }
}
