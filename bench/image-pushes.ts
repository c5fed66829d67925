/** Pushes of small images by a few clients at the same time, in a program of their own. */
import { join } from "node:path";
import type { Server } from "./peers/peer.ts";
import { clientCores } from "./settings.ts";
import { manifestMediaType } from "./tree.ts";

export interface ImagePushes {
  readonly imagesPerSecond: number;
  readonly images: number;
  /** Of one whole image. */
  readonly p50Us: number;
  readonly p99Us: number;
  readonly clientTicks: number;
  /** Some of them: the manifest's digest first, then those of its blobs. */
  readonly samples: readonly {
    readonly repository: string;
    readonly tag: string;
    readonly digests: readonly string[];
  }[];
}

/** `prefix` has to be another one each time: what is there already would not be pushed. */
export async function pushImages(
  server: Server,
  load: { readonly clients: number; readonly seconds: number; readonly prefix: string },
): Promise<ImagePushes> {
  const program = join(import.meta.dir, "image-client.ts");
  const args = [server.origin, String(load.clients), String(load.seconds), load.prefix];
  const command = ["taskset", "-c", clientCores().join(","), process.execPath, program, ...args];
  const child = Bun.spawn(command, { stdin: "ignore", stdout: "pipe", stderr: "pipe" });
  const [output, complaint] = await Promise.all([child.stdout.text(), child.stderr.text()]);
  const text = /^RESULT (.+)$/m.exec(output)?.[1];
  if ((await child.exited) !== 0 || text === undefined) {
    throw new Error(`the clients of ${server.name} failed: ${complaint}`);
  }
  const counted: Omit<ImagePushes, "imagesPerSecond" | "clientTicks"> & { durationUs: number } =
    JSON.parse(text);
  const { durationUs, ...rest } = counted;
  return {
    ...rest,
    imagesPerSecond: (counted.images * 1_000_000) / durationUs,
    clientTicks: Number(child.resourceUsage()?.cpuTime.total ?? 0) / 10_000,
  };
}

/** Throws unless the sampled images are there, bytes and all. */
export async function verifyPushes(server: Server, { samples }: ImagePushes): Promise<void> {
  for (const { repository, tag, digests } of samples) {
    const [, ...blobs] = digests;
    const paths = [`manifests/${tag}`, ...blobs.map((digest) => `blobs/${digest}`)];
    for (const [index, path] of paths.entries()) {
      const headers = { accept: manifestMediaType };
      const answer = await fetch(`${server.origin}/v2/${repository}/${path}`, { headers });
      const body = await answer.bytes();
      const actual = `sha256:${new Bun.CryptoHasher("sha256").update(body).digest("hex")}`;
      if (answer.status !== 200 || actual !== digests[index]) {
        throw new Error(`${server.name} answers ${path} with ${answer.status} and ${actual}`);
      }
    }
  }
}
