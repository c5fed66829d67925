/** How much memory a server needs while 100 pulls and 20 pushes of 100 MB go on at once. */
import { mkdirSync } from "node:fs";
import { rm } from "node:fs/promises";
import { join } from "node:path";
import { blobsRepository, layBlob } from "../dataset.ts";
import { measureCost, waitUntilIdle } from "../measure.ts";
import { waitForAnswer } from "../peers/peer.ts";
import { run } from "../process.ts";
import { download, push, verifyBlob } from "../transfer.ts";
import type { Context, Measurement, Work } from "../work.ts";
import { registries } from "../work.ts";

const pullCount = 100;

export function memory(): Work {
  return {
    id: "memory",
    title: "memory, 100 pulls and 20 pushes of 100 MB at once",
    unit: "MB",
    isHigherBetter: false,
    rounds: 3,
    contestants: registries,
    checked: "sizes of all pulls; HEAD and digest of a whole GET of one push in five",
    open: async (context) => ({ measure: async (name) => measure(context, name), close }),
  };
}

async function close(): Promise<void> {}

async function measure(context: Context, name: string): Promise<Measurement> {
  const { dataset, peers, pool, settings } = context;
  const peer = peers.get(name);
  if (peer === undefined) throw new Error(`${name} is not a server`);
  const dataDirectory = join(settings.workDirectory, "crowd");
  await rm(dataDirectory, { recursive: true, force: true });
  mkdirSync(dataDirectory);
  const blob = { repository: blobsRepository, ...dataset.concurrentBlob };
  layBlob(dataset, dataDirectory, blob);
  await run(["sync"]);
  const server = await peer.start({
    dataDirectory,
    runDirectory: pool.runDirectory(`${name}-crowd`),
  });
  try {
    await waitForAnswer(server);
    await waitUntilIdle(server.pid, 60_000);
    const path = `/v2/${blob.repository}/blobs/${blob.digest}`;
    const uploads = dataset.uploads.map((upload, index) => ({
      ...upload,
      repository: `bench/pushed-${index}`,
    }));
    const startedAtMs = performance.now();
    const { result, cost } = await measureCost(server.pid, async () => {
      const [pulled, ...pushed] = await Promise.all([
        download(
          server,
          Array.from({ length: pullCount }, () => path),
        ),
        ...uploads.map(async (upload) => push(server, upload)),
      ]);
      const seconds = (performance.now() - startedAtMs) / 1_000;
      const clientTicks = pushed.reduce((sum, each) => sum + each.clientTicks, pulled.clientTicks);
      return { seconds, clientTicks, sizeBytes: pulled.sizeBytes };
    });
    if (result.sizeBytes !== pullCount * blob.sizeBytes) {
      throw new Error(`${name} gave ${result.sizeBytes} bytes to ${pullCount} pulls`);
    }
    for (const upload of uploads.filter((_, index) => index % 5 === 0)) {
      await verifyBlob(server, upload);
    }
    return {
      value: cost.peakMemoryBytes / 1e6,
      ...cost,
      clientTicks: result.clientTicks,
      facts: { seconds: result.seconds },
    };
  } finally {
    await server.stop();
    await rm(dataDirectory, { recursive: true, force: true });
  }
}
