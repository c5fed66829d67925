import { type Clock, patientClock } from "../../src/base/clock.ts";
import { silentLogger } from "../../src/base/logger.ts";
import { purgeStaleUploads } from "../../src/gc/stale-uploads.ts";
import { nameOf } from "../../src/oci/test-support.ts";
import { Collecting, type PassingClock } from "./collecting.ts";
import { type InProcess, openInProcess } from "./in-process.ts";
import { none, type Rig } from "./rig.ts";
import { imageSample } from "./samples.ts";
import { SeededRandom } from "./seeded-random.ts";
import { SimulatedDisk } from "./simulated-disk.ts";
import { WireClient } from "./wire-client.ts";

const hourMs = 3_600_000;
const yearMs = 365 * 24 * hourMs;

/** A clock that somebody sets while the registry runs. */
class SteppingClock implements PassingClock {
  /** Added to the wall clock after so many more looks at it. */
  next: { readonly looks: number; readonly byMs: number } | undefined;
  #wallMs = 1_800_000_000_000;
  #passedMs = 0;

  nowMs(): number {
    this.pass(1);
    if (this.next !== undefined && this.next.looks <= 0) {
      this.step(this.next.byMs);
      this.next = undefined;
    } else if (this.next !== undefined) {
      this.next = { ...this.next, looks: this.next.looks - 1 };
    }
    return this.#wallMs;
  }

  monotonicMs(): number {
    return this.#passedMs;
  }

  /** Time goes by. */
  pass(ms: number): void {
    this.#wallMs += ms;
    this.#passedMs += ms;
  }

  /** Somebody sets the clock. */
  step(ms: number): void {
    this.#wallMs += ms;
  }
}

type Run = () => Promise<unknown>;

/** What is in doubt: what may take something away because of its age. */
interface Collection {
  readonly name: string;
  /** Before any step; `patient` is the clock that uploads are judged by. */
  readonly open: (registry: InProcess, clocks: { clock: Clock; patient: Clock }) => Run;
  /** True when it remembers how much time has really passed: then a deletion can be taken back. */
  readonly isOneProcess: boolean;
}

const collections: readonly Collection[] = [
  {
    name: "purge of uploads",
    open: ({ links, uploads }, { patient: clock }) => {
      const options = { links, uploads, clock, logger: silentLogger, isDryRun: false };
      const { signal } = new AbortController();
      return () => purgeStaleUploads({ ...options, ageMs: 168 * hourMs }, signal);
    },
    isOneProcess: true,
  },
  {
    name: "live collection",
    open: (registry, { clock }) => {
      const collecting = new Collecting(registry, clock);
      return () => collecting.round();
    },
    isOneProcess: true,
  },
  {
    // Nobody can tell a clock that was set meanwhile from a registry that was down for years, so
    // that what was deleted may expire; what is in use has the second grace, for one step.
    name: "live collection that is restarted before each round",
    open:
      (registry, { clock }) =>
      () =>
        new Collecting(registry, clock).round(),
    isOneProcess: false,
  },
];

const twiceForward = "ten years forward, twice";

const stepsMs: Readonly<Record<string, readonly number[]>> = {
  "an hour back": [-hourMs],
  "ten years forward": [10 * yearMs],
  [twiceForward]: [10 * yearMs, 10 * yearMs],
  "ten years forward, then back": [10 * yearMs, -10 * yearMs],
  "an hour back, then ten years forward": [-hourMs, 10 * yearMs],
};

/** Which clock the collections are given: the program's own choice, or the machine's. */
export type ClockChoice = (clock: Clock) => Clock;

export const steppingClock: Rig = {
  name: "stepping-clock",
  fault: "clock an hour back, ten years forward, back during collection",
  run: async ({ seed, form }) => {
    const found = await stepClocks({ seed, looksMax: form === "long" ? 60 : 12 }, patientClock);
    const { runs, violations } = found;
    return [
      { name: "steps", value: runs, target: "≥ 50", holds: runs >= 50 },
      none("live bytes deleted", violations),
    ];
  },
};

/** Every list of steps, each step before a collection and at each of its looks at the clock. */
export async function stepClocks(
  { seed, looksMax }: { readonly seed: number; readonly looksMax: number },
  choice: ClockChoice,
): Promise<{ readonly runs: number; readonly violations: readonly string[] }> {
  const violations: string[] = [];
  let runs = 0;
  for (const collection of collections) {
    for (const [name, steps] of Object.entries(stepsMs)) {
      if (name === twiceForward && !collection.isOneProcess) continue;
      for (let looks = 0; looks <= looksMax; looks += 1) {
        const where = `${collection.name}, ${name}, at look ${looks}`;
        const problems = await runOnce({ seed, collection, steps, looks, choice });
        violations.push(...problems.map((problem) => `${where}: ${problem}`));
        runs += 1;
      }
    }
  }
  return { runs, violations };
}

interface Case {
  readonly seed: number;
  readonly collection: Collection;
  readonly steps: readonly number[];
  readonly looks: number;
  readonly choice: ClockChoice;
}

async function runOnce({
  seed,
  collection,
  steps,
  looks,
  choice,
}: Case): Promise<readonly string[]> {
  const clock = new SteppingClock();
  const random = new SeededRandom(seed);
  const disk = new SimulatedDisk({ clock });
  const registry = await openInProcess({ fileSystem: disk, clock, random });
  const client = new WireClient(registry, "team/app");
  const run = collection.open(registry, { clock, patient: choice(clock) });
  const [image, active, deleted] = [0, 1, 2].map(() => imageSample(random, [100]));
  if (image === undefined || active === undefined || deleted === undefined) throw new Error();
  const [leased = active, layer = active] = active.blobs;
  await client.putImage("v1", image);
  await client.putImage("gone", deleted);
  await client.delete("manifests", deleted.digest);
  // Nothing names it yet: a client that was told of it is about to.
  await client.putBlob(leased);
  // An upload that a client is in the middle of, whatever the clock says.
  const location = await client.begin();
  await client.patch(location, layer.bytes.subarray(0, 40), 0);
  const pass = async (ms: number): Promise<void> => {
    await registry.context.leases.flush();
    clock.pass(ms);
  };
  // The lease is older than what memory knows of it, and not yet over.
  await pass(20 * hourMs);
  for (const byMs of steps) {
    clock.next = { looks, byMs };
    await run();
    // Not reached during the collection: then it comes after it, and before the next.
    if (clock.next !== undefined) clock.step(byMs);
    clock.next = undefined;
    await run();
  }
  await pass(2 * hourMs);
  await run();
  const problems: string[] = [];
  const { status } = await client.put(location, layer.digest, layer.bytes.subarray(40));
  if (status !== 201) problems.push(`an upload that goes on answered ${status}`);
  const live = status === 201 ? [leased, layer] : [leased];
  const anew = new WireClient(await openInProcess({ fileSystem: disk, clock, random }), "team/app");
  for (const one of [client, anew]) {
    const pulled = await one.pulled("v1");
    if (pulled !== image.digest) problems.push(`the image is ${pulled}`);
    for (const { digest } of live) {
      const blob = await one.pullBlob(digest);
      if (blob !== digest) problems.push(`a blob in use is ${blob}`);
    }
  }
  if (collection.isOneProcess) {
    // Not a week in all, which is how long it can be taken back.
    for (let round = 0; round < 10; round += 1) {
      await pass(12 * hourMs);
      await run();
    }
    await client.registry.registry.undo.restoreManifest(nameOf(client.name), deleted.digest, {
      actor: {},
      isForced: false,
    });
    const pulled = await client.pulled("gone");
    if (pulled !== deleted.digest) problems.push(`the tag that was taken back is ${pulled}`);
  }
  await registry.close();
  await anew.registry.close();
  return [...problems, ...registry.errors, ...anew.registry.errors];
}
