/** Minutes of a realistic mix at a steady rate: nothing grows, and nothing fails. */
import { readdirSync, readFileSync, readlinkSync } from "node:fs";
import { join } from "node:path";
import { removeFolder, temporaryFolder } from "../support/run-folder.ts";
import { BerthProcess } from "./berth-process.ts";
import { Mix } from "./mix.ts";
import { percentile } from "./percentile.ts";
import { RegistryClient } from "./registry-client.ts";
import { type Figure, none, type Rig, type RigOptions } from "./rig.ts";
import { SeededRandom } from "./seeded-random.ts";

const sizes = {
  short: { images: 10, manifests: 100, topSpeedMs: 1_500, warmUpMs: 1_500, soakMs: 6_000 },
  long: { images: 100, manifests: 10_000, topSpeedMs: 10_000, warmUpMs: 60_000, soakMs: 211_000 },
} as const;

/** Of the top speed. */
const loadShare = 0.6;
/** Connections of the clients. */
const workersCount = 32;
const slopeMax = 1;
/** Often, so that some come just after memory was given back. */
const sampleMs = 100;

export const soak: Rig = {
  name: "soak",
  fault: "5 minutes of a realistic mix at 60 % of the top speed",
  async run(options) {
    const folder = temporaryFolder("soak");
    try {
      await using berth = new BerthProcess({ dataFolder: join(folder, "data") });
      return await load(berth, options);
    } finally {
      removeFolder(folder);
    }
  },
};

async function load(berth: BerthProcess, options: RigOptions): Promise<readonly Figure[]> {
  const { seed, form, say } = options;
  const { images, manifests, topSpeedMs, warmUpMs, soakMs } = sizes[form];
  await berth.start();
  const client = new RegistryClient(berth.origin);
  const mix = new Mix(client, new SeededRandom(`soak ${seed}`));
  await mix.prepare(images);
  await Promise.all(
    Array.from({ length: workersCount }, () => mix.fill(Math.ceil(manifests / workersCount))),
  );
  const before = mix.requests;
  await drive(mix, { forMs: topSpeedMs, perSecond: Number.POSITIVE_INFINITY });
  const topSpeed = ((mix.requests - before) * 1_000) / topSpeedMs;
  const perSecond = topSpeed * loadShare;
  say(
    `top speed ${Math.round(topSpeed)} requests a second; going on with ${Math.round(perSecond)}`,
  );
  await drive(mix, { forMs: warmUpMs, perSecond });
  const filesBefore = descriptorsOf(berth.pid).files;

  const samples: Sample[] = [];
  const sockets: number[] = [];
  const sampling = setInterval(() => {
    samples.push({ atMs: performance.now(), bytes: residentBytes(berth.pid) });
    sockets.push(descriptorsOf(berth.pid).sockets);
  }, sampleMs);
  const requestsBefore = mix.requests;
  await drive(mix, { forMs: soakMs, perSecond });
  clearInterval(sampling);
  const reached = ((mix.requests - requestsBefore) * 1_000) / soakMs;
  const filesAfter = descriptorsOf(berth.pid).files;

  const slope = (slopeOf(lowest(samples)) * 60_000) / 1e6;
  const socketsMost = Math.max(0, ...sockets);
  return [
    { name: "requests a second", value: Math.round(reached), target: "60 %", holds: reached > 0 },
    {
      name: "memory slope, MB a minute",
      value: slope,
      target: "< 1",
      // Seconds say nothing of it.
      holds: form === "short" || slope < slopeMax,
    },
    {
      name: "memory at the end, MB",
      value: Math.round((samples.at(-1)?.bytes ?? 0) / 1e6),
      target: "any",
      holds: true,
    },
    {
      name: "files open at rest, more than after the warm-up",
      value: filesAfter - filesBefore,
      target: "≤ 0",
      holds: filesAfter <= filesBefore,
    },
    {
      name: "connections open at once",
      value: socketsMost,
      target: `≤ ${workersCount + listenersMax}`,
      holds: socketsMost <= workersCount + listenersMax,
    },
    none("answers of 5xx, and none", [...client.failures.map(({ text }) => text), ...client.hangs]),
    none("other answers than expected, and other bytes", mix.wrong),
  ];
}

/** Sockets that are no connection of a client: where it listens, and those of the runtime. */
const listenersMax = 8;

/** Lets the workers take one step after the other, as their turns come. */
async function drive(
  mix: Mix,
  { forMs, perSecond }: { readonly forMs: number; readonly perSecond: number },
): Promise<void> {
  const startedAt = performance.now();
  const requestsBefore = mix.requests;
  const worker = async (): Promise<void> => {
    for (;;) {
      const elapsedMs = performance.now() - startedAt;
      if (elapsedMs >= forMs) return;
      const aheadMs = ((mix.requests - requestsBefore) * 1_000) / perSecond - elapsedMs;
      if (aheadMs > 0) await Bun.sleep(Math.max(1, aheadMs));
      else await mix.step();
    }
  };
  await Promise.all(Array.from({ length: workersCount }, worker));
}

function residentBytes(pid: number): number {
  const kibibytes = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1];
  return Number(kibibytes) * 1024;
}

function descriptorsOf(pid: number): { readonly files: number; readonly sockets: number } {
  const folder = `/proc/${pid}/fd`;
  let files = 0;
  let sockets = 0;
  for (const name of readdirSync(folder)) {
    try {
      if (readlinkSync(join(folder, name)).startsWith("socket:")) sockets += 1;
      else files += 1;
    } catch {
      // Closed between the two calls.
    }
  }
  return { files, sockets };
}

interface Sample {
  readonly atMs: number;
  readonly bytes: number;
}

/**
 * The smallest sample of every half minute. Memory goes up and down by what is not collected
 * yet; what is held for good is what is left at the bottom.
 */
function lowest(samples: readonly Sample[]): readonly Sample[] {
  const [begunMs, endedMs] = [samples[0]?.atMs ?? 0, samples.at(-1)?.atMs ?? 0];
  // Of a piece of it the smallest is larger: what is left over at the end counts for nothing.
  const wholeMs = Math.max(lowestMs, Math.floor((endedMs - begunMs) / lowestMs) * lowestMs);
  const whole = samples.filter(({ atMs }) => atMs - begunMs < wholeMs);
  const groups = Map.groupBy(whole, ({ atMs }) => Math.floor((atMs - begunMs) / lowestMs));
  return [...groups.values()].flatMap(
    (group) => group.toSorted((left, right) => left.bytes - right.bytes)[0] ?? [],
  );
}

const lowestMs = 30_000;

/**
 * How steeply the samples rise, in bytes a millisecond: the median of the slopes between any two
 * (Theil and Sen), which a single step up and down does not bend.
 */
function slopeOf(samples: readonly Sample[]): number {
  const slopes = samples.flatMap((first, index) =>
    samples
      .slice(index + 1)
      .map((second) => (second.bytes - first.bytes) / (second.atMs - first.atMs)),
  );
  return percentile(slopes, 0.5);
}
