import { type Clock, patientClock } from "../../src/base/clock.ts";
import { silentLogger } from "../../src/base/logger.ts";
import { purgeStaleUploads } from "../../src/gc/stale-uploads.ts";
import { openInProcess } from "./in-process.ts";
import type { Rig } from "./rig.ts";
import { imageSample } from "./samples.ts";
import { SeededRandom } from "./seeded-random.ts";
import { SimulatedDisk } from "./simulated-disk.ts";
import { WireClient } from "./wire-client.ts";

const hourMs = 3_600_000;
const yearMs = 365 * 24 * hourMs;
const evidenceMax = 5;

/** A clock that somebody sets while the registry runs. */
class SteppingClock implements Clock {
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

/** What is in doubt: what may take something away because of its age. */
interface Collection {
  readonly name: string;
  readonly run: (registry: WireClient["registry"], clock: Clock) => Promise<void>;
}

/** A collection of blobs goes here too: it must hold under the same steps. */
const collections: readonly Collection[] = [
  {
    name: "purge of uploads",
    run: async ({ links, uploads }, clock) => {
      const options = { links, uploads, clock, logger: silentLogger, isDryRun: false };
      await purgeStaleUploads({ ...options, ageMs: 168 * hourMs }, new AbortController().signal);
    },
  },
];

const stepsMs: Readonly<Record<string, readonly number[]>> = {
  "an hour back": [-hourMs],
  "ten years forward": [10 * yearMs],
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
    const evidence = violations.slice(0, evidenceMax);
    const value = violations.length;
    return [
      { name: "steps", value: runs, target: "≥ 50", holds: runs >= 50 },
      { name: "live bytes deleted", value, target: "0", holds: value === 0, evidence },
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

async function runOnce(run: {
  readonly seed: number;
  readonly collection: Collection;
  readonly steps: readonly number[];
  readonly looks: number;
  readonly choice: ClockChoice;
}): Promise<readonly string[]> {
  const clock = new SteppingClock();
  const random = new SeededRandom(run.seed);
  const disk = new SimulatedDisk({ clock });
  const registry = await openInProcess({ fileSystem: disk, clock, random });
  const client = new WireClient(registry, "team/app");
  const ofCollection = run.choice(clock);
  const [image, active] = [imageSample(random, [100]), imageSample(random, [100])];
  const layer = active.blobs[1] ?? active;
  await client.putImage("v1", image);
  // An upload that a client is in the middle of, whatever the clock says.
  const location = await client.begin();
  await client.patch(location, layer.bytes.subarray(0, 40), 0);
  for (const byMs of run.steps) {
    clock.next = { looks: run.looks, byMs };
    await run.collection.run(registry, ofCollection);
    // Not reached during the collection: then it comes after it, and before the next.
    if (clock.next !== undefined) clock.step(byMs);
    clock.next = undefined;
    await run.collection.run(registry, ofCollection);
  }
  const problems: string[] = [];
  const { status } = await client.put(location, layer.digest, layer.bytes.subarray(40));
  if (status !== 201) problems.push(`an upload that goes on answered ${status}`);
  const anew = new WireClient(await openInProcess({ fileSystem: disk, clock, random }), "team/app");
  for (const one of [client, anew]) {
    const pulled = await one.pulled("v1");
    if (pulled !== image.digest) problems.push(`the image is ${pulled}`);
    if (status !== 201) continue;
    const blob = await one.pullBlob(layer.digest);
    if (blob !== layer.digest) problems.push(`the blob is ${blob}`);
  }
  await registry.close();
  await anew.registry.close();
  return [...problems, ...registry.errors, ...anew.registry.errors];
}
