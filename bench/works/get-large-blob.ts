/** One blob of 1 GiB out, over one connection. */
import { blobsRepository } from "../dataset.ts";
import { measureCost } from "../measure.ts";
import { download, verifyBlob } from "../transfer.ts";
import type { Context, Session, Work } from "../work.ts";
import { servers } from "../work.ts";

export function getLargeBlob(): Work {
  return {
    id: "get-large-blob",
    title: "GET 1 GiB blob",
    unit: "GB/s",
    isHigherBetter: true,
    rounds: 5,
    contestants: servers,
    checked: "size of every download; digest of one whole download a contestant",
    open,
  };
}

async function open({ dataset, pool }: Context): Promise<Session> {
  const blob = { repository: blobsRepository, ...dataset.largeBlob };
  const verified = new Set<string>();
  const path = `/v2/${blob.repository}/blobs/${blob.digest}`;
  return {
    measure: async (name) => {
      const server = await pool.use(name, "anonymous");
      if (!verified.has(name)) await verifyBlob(server, blob);
      verified.add(name);
      const startedAtMs = performance.now();
      const { result, cost } = await measureCost(server.pid, async () => {
        const transferred = await download(server, [path]);
        return { ...transferred, seconds: (performance.now() - startedAtMs) / 1_000 };
      });
      if (result.sizeBytes !== blob.sizeBytes) {
        throw new Error(`${name} gave ${result.sizeBytes} of ${blob.sizeBytes} bytes`);
      }
      return {
        value: blob.sizeBytes / result.seconds / 1e9,
        ...cost,
        clientTicks: result.clientTicks,
        facts: { seconds: result.seconds },
      };
    },
    close: async () => {},
  };
}
