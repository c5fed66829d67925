/**
 * From the start of the process to the first manifest by tag, on a directory of 12,000 images:
 * one that the program knows already, and one that it sees for the first time.
 */
import { treeTicks } from "../measure.ts";
import { waitForAnswer } from "../peers/peer.ts";
import type { Context, Measurement, Work } from "../work.ts";
import { registries } from "../work.ts";

export function start(): Work {
  return {
    ...common,
    id: "start",
    title: "start to first answer, 12,000 images",
    contestants: registries,
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
        return startOnce(context, name, await context.pool.treeFor(name));
      };
      return { measure, close };
    },
  };
}

/** Only for those that keep something of a directory: to the others every start is the same. */
export function startOnForeignDirectory(): Work {
  return {
    ...common,
    id: "start-foreign",
    title: "the same on a directory that Distribution wrote",
    contestants: ["berth"],
    rounds: 5,
    open: async (context) => {
      await context.pool.stop();
      const measure = async (name: string): Promise<Measurement> => {
        const tree = await context.pool.treeFor(name);
        await context.peers.get(name)?.forget?.(tree);
        return startOnce(context, name, tree);
      };
      return { measure, close };
    },
  };
}

const common = {
  unit: "ms",
  isHigherBetter: false,
  checked: "status 200 of a manifest by tag",
} as const;

async function close(): Promise<void> {}

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
