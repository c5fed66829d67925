/**
 * From the start of the process to the first manifest by tag, on a directory of 12,000 images:
 * one that the program knows already, and one that it sees for the first time.
 */
import { rm } from "node:fs/promises";
import { join } from "node:path";
import { copyTree } from "../dataset.ts";
import { treeTicks } from "../measure.ts";
import { waitForAnswer } from "../peers/peer.ts";
import type { Context, Measurement, Work } from "../work.ts";
import { registries } from "../work.ts";

export function start(): Work {
  return {
    ...common,
    id: "start",
    title: "start to first answer, 12,000 images",
    rounds: 5,
    open: async (context) => {
      await context.pool.stop();
      const known = new Set<string>();
      const measure = async (name: string): Promise<Measurement> => {
        if (!known.has(name)) {
          // Whatever the program keeps of a directory it keeps now.
          await context.pool.use(name, "anonymous");
          await context.pool.stop();
          known.add(name);
        }
        return startOnce(context, name, await context.pool.copyFor(name));
      };
      return { measure, close };
    },
  };
}

export function startOnForeignDirectory(): Work {
  return {
    ...common,
    id: "start-foreign",
    title: "the same on a directory that Distribution wrote",
    rounds: 3,
    open: async (context) => {
      await context.pool.stop();
      return { measure: async (name) => startOnNewCopy(context, name), close };
    },
  };
}

const common = {
  unit: "ms",
  isHigherBetter: false,
  contestants: registries,
  checked: "status 200 of a manifest by tag",
} as const;

async function close(): Promise<void> {}

async function startOnNewCopy(context: Context, name: string): Promise<Measurement> {
  const copy = join(context.settings.workDirectory, "copies", `${name}-new`);
  await copyTree(context.dataset, copy);
  try {
    return await startOnce(context, name, copy);
  } finally {
    await rm(copy, { recursive: true });
  }
}

async function startOnce(
  { dataset, peers, pool }: Context,
  name: string,
  dataDirectory: string,
): Promise<Measurement> {
  const [manifest] = dataset.manifests;
  const peer = peers.get(name);
  if (peer === undefined || manifest === undefined) throw new Error(`${name} is not a server`);
  const runDirectory = pool.runDirectory(`${name}-start`);
  const startedAtMs = performance.now();
  const server = await peer.start({ dataDirectory, runDirectory });
  try {
    await waitForAnswer(server, `/v2/${manifest.repository}/manifests/${manifest.tag}`);
    const value = performance.now() - startedAtMs;
    return { value, serverTicks: treeTicks(server.pid), facts: {} };
  } finally {
    await server.stop();
  }
}
