/**
 * One blob of 1 GiB in: POST, a streamed PATCH, PUT. On a disk, beside `dd conv=fsync`, which
 * is what the disk takes; and in memory, beside SHA-256 alone, which every registry must do.
 *
 * Every push meets a server that was started for it on an empty directory: a second push of the
 * same blob would be a different work.
 */
import { mkdirSync } from "node:fs";
import { open as openFile, rm } from "node:fs/promises";
import { join } from "node:path";

import { measureCost } from "../measure.ts";
import type { StartOptions } from "../peers/peer.ts";
import { waitForAnswer } from "../peers/peer.ts";
import { run } from "../process.ts";
import { push, verifyBlob } from "../transfer.ts";
import { blobPath } from "../tree.ts";
import type { Context, Measurement, Session, Work } from "../work.ts";
import { registries } from "../work.ts";

const repository = "bench/pushed";

export function putLargeBlobOnDisk(): Work {
  return {
    id: "put-large-blob-disk",
    title: "PUT 1 GiB blob, synced to disk",
    unit: "GB/s",
    isHigherBetter: true,
    rounds: 3,
    contestants: [...registries, "dd"],
    checked: "HEAD and the digest of a whole GET after every push",
    open: async (context) => open(context, join(context.settings.workDirectory, "push")),
  };
}

/** Only Berth knows the setting. */
export function putLargeBlobUnsynced(): Work {
  return {
    id: "put-large-blob-unsynced",
    title: "the same with `durability: none`",
    unit: "GB/s",
    isHigherBetter: true,
    rounds: 3,
    contestants: ["berth"],
    checked: "HEAD and the digest of a whole GET after every push",
    open: async (context) =>
      open(context, join(context.settings.workDirectory, "push"), { durability: "none" }),
  };
}

export function putLargeBlobInMemory(): Work {
  return {
    id: "put-large-blob-tmpfs",
    title: "PUT 1 GiB blob, data on tmpfs",
    unit: "GB/s",
    isHigherBetter: true,
    rounds: 3,
    contestants: [...registries, "sha256"],
    checked: "HEAD and the digest of a whole GET after every push",
    open: async (context) => open(context, join(context.settings.memoryDirectory, "push")),
  };
}

async function open(
  context: Context,
  directory: string,
  setting: Pick<StartOptions, "durability"> = {},
): Promise<Session> {
  const source = blobPath(context.dataset.treeDirectory, context.dataset.largeBlob.digest);
  return {
    measure: async (name) => {
      await rm(directory, { recursive: true, force: true });
      mkdirSync(directory, { recursive: true });
      // So that the source is in the page cache, and nobody pays for what another left unwritten.
      const sha256 = await hashAlone(source);
      await run(["sync"]);
      try {
        if (name === "sha256") return sha256;
        if (name === "dd") return await copyAlone(source, join(directory, "dd"));
        return await pushOnce(context, { name, directory, source, setting });
      } finally {
        await rm(directory, { recursive: true, force: true });
      }
    },
    close: async () => {},
  };
}

async function pushOnce(
  { dataset, peers, pool }: Context,
  options: {
    readonly name: string;
    readonly directory: string;
    readonly source: string;
    readonly setting: Pick<StartOptions, "durability">;
  },
): Promise<Measurement> {
  const peer = peers.get(options.name);
  if (peer === undefined) throw new Error(`${options.name} is not a server`);
  const dataDirectory = join(options.directory, "tree");
  mkdirSync(dataDirectory);
  const runDirectory = pool.runDirectory(`${options.name}-push`);
  const server = await peer.start({ dataDirectory, runDirectory, ...options.setting });
  try {
    await waitForAnswer(server);
    // One small push first, so that no start of anything is measured.
    const small = join(options.directory, "small");
    await Bun.write(small, "warm");
    const digest = `sha256:${new Bun.CryptoHasher("sha256").update("warm").digest("hex")}`;
    await push(server, { repository, digest, path: small });

    const { sizeBytes } = dataset.largeBlob;
    const blob = { repository, ...dataset.largeBlob, path: options.source };
    const startedAtMs = performance.now();
    const { result, cost } = await measureCost(server.pid, async () => {
      const pushed = await push(server, blob);
      return { ...pushed, seconds: (performance.now() - startedAtMs) / 1_000 };
    });
    await verifyBlob(server, blob);
    return {
      value: sizeBytes / result.seconds / 1e9,
      ...cost,
      clientTicks: result.clientTicks,
      facts: { seconds: result.seconds },
    };
  } finally {
    await server.stop();
  }
}

/** `dd conv=fsync` from the page cache to the same disk. */
async function copyAlone(source: string, target: string): Promise<Measurement> {
  const startedAtMs = performance.now();
  await run(["dd", `if=${source}`, `of=${target}`, "bs=1M", "conv=fsync"]);
  return rate(Bun.file(target).size, startedAtMs);
}

/** SHA-256 over bytes that are in memory: the reading is not counted. */
async function hashAlone(source: string): Promise<Measurement> {
  const file = await openFile(source);
  const buffer = Buffer.alloc(2 ** 20);
  const hasher = new Bun.CryptoHasher("sha256");
  let hashedMs = 0;
  let sizeBytes = 0;
  for (;;) {
    const { bytesRead } = await file.read(buffer, 0, buffer.length);
    if (bytesRead === 0) break;
    const startedAtMs = performance.now();
    hasher.update(buffer.subarray(0, bytesRead));
    hashedMs += performance.now() - startedAtMs;
    sizeBytes += bytesRead;
  }
  await file.close();
  return rate(sizeBytes, performance.now() - hashedMs);
}

function rate(sizeBytes: number, startedAtMs: number): Measurement {
  const seconds = (performance.now() - startedAtMs) / 1_000;
  return { value: sizeBytes / seconds / 1e9, facts: { seconds } };
}
