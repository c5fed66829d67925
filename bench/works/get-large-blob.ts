/**
 * One blob of 1 GiB out, over one connection: to curl, which copies every byte as real clients
 * do, and is what limits a server that uses sendfile; and to a client that has the kernel throw
 * the bytes away, so that the servers themselves are compared.
 */
import { blobsRepository } from "../dataset.ts";
import { measureCost } from "../measure.ts";
import type { Server } from "../peers/peer.ts";
import type { Transferred } from "../transfer.ts";
import { discard, download, verifyBlob } from "../transfer.ts";
import type { Context, Session, Work } from "../work.ts";
import { servers } from "../work.ts";

export function getLargeBlob(): Work {
  return {
    ...common,
    id: "get-large-blob",
    title: "GET 1 GiB blob",
    open: async (context) => open(context, async (server, path) => download(server, [path])),
  };
}

export function getLargeBlobDiscarded(): Work {
  return {
    ...common,
    id: "get-large-blob-discard",
    title: "the same, thrown away by the client's kernel",
    open: async (context) => open(context, discard),
  };
}

const common = {
  unit: "GB/s",
  isHigherBetter: true,
  rounds: 5,
  contestants: servers,
  checked: "size of every download; digest of one whole download a contestant",
} as const;

async function open(
  { dataset, pool }: Context,
  get: (server: Server, path: string) => Promise<Transferred>,
): Promise<Session> {
  const blob = { repository: blobsRepository, ...dataset.largeBlob };
  const verified = new Set<string>();
  const path = `/v2/${blob.repository}/blobs/${blob.digest}`;
  return {
    measure: async (name) => {
      const server = await pool.use(name, "anonymous");
      if (!verified.has(name)) await verifyBlob(server, blob);
      verified.add(name);
      const { result, cost } = await measureCost(server.pid, async () => get(server, path));
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
