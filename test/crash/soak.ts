/** Minutes of a realistic mix at a steady rate: nothing grows, and nothing fails. */
import { readdirSync, readFileSync, readlinkSync } from "node:fs";
import { join } from "node:path";
import { removeFolder, temporaryFolder } from "../support/run-folder.ts";
import { SeededRandom } from "../support/seeded-random.ts";
import { BerthProcess } from "./berth-process.ts";
import { Mix } from "./mix.ts";
import { RegistryClient } from "./registry-client.ts";
import type { Figure, Rig, RigOptions } from "./rig.ts";
import { none } from "./trial.ts";

const sizes = {
  short: { images: 10, topSpeedMs: 1_500, warmUpMs: 1_500, soakMs: 6_000 },
  long: { images: 100, topSpeedMs: 10_000, warmUpMs: 60_000, soakMs: 230_000 },
} as const;

/** Of the top speed. */
const loadShare = 0.6;
/** Connections of the clients. */
const workersCount = 32;
const slopeMax = 1;
const sampleMs = 1_000;

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
  const { images, topSpeedMs, warmUpMs, soakMs } = sizes[form];
  await berth.start();
  const client = new RegistryClient(berth.origin);
  const mix = new Mix(client, new SeededRandom(`soak ${seed}`));
  await mix.prepare(images);
  const before = mix.requests;
  await drive(mix, { forMs: topSpeedMs, perSecond: Number.POSITIVE_INFINITY });
  const topSpeed = ((mix.requests - before) * 1_000) / topSpeedMs;
  const perSecond = topSpeed * loadShare;
  say(
    `top speed ${Math.round(topSpeed)} requests a second; going on with ${Math.round(perSecond)}`,
  );
  await drive(mix, { forMs: warmUpMs, perSecond });
  const filesBefore = descriptorsOf(berth.pid).files;

  const samples: { readonly atMs: number; readonly bytes: number }[] = [];
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

  const slope = (slopeOf(samples) * 60_000) / 1e6;
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

/** The slope of the straight line nearest to the samples, in bytes a millisecond. */
function slopeOf(samples: readonly { readonly atMs: number; readonly bytes: number }[]): number {
  const count = samples.length;
  const meanMs = samples.reduce((sum, { atMs }) => sum + atMs, 0) / count;
  const meanBytes = samples.reduce((sum, { bytes }) => sum + bytes, 0) / count;
  let above = 0;
  let below = 0;
  for (const { atMs, bytes } of samples) {
    above += (atMs - meanMs) * (bytes - meanBytes);
    below += (atMs - meanMs) ** 2;
  }
  return below === 0 ? 0 : above / below;
}
