/** Berth with a clock that can be put forward, and what a benchmark asks of its collection. */
import { rm } from "node:fs/promises";
import { join } from "node:path";
import { waitUntilIdle } from "../measure.ts";
import { writeConfig } from "../peers/config.ts";
import type { Server, StartOptions } from "../peers/peer.ts";
import { freePort, spawnServer, waitForAnswer } from "../peers/peer.ts";
import { manifestMediaType } from "../tree.ts";
import type { MendedTree, TaggedImage } from "./image-tree.ts";

export interface CollectingServer extends Server {
  /** Lets hours pass at once. */
  readonly forward: (hours: number) => Promise<void>;
  /** One round; at the configured rate, or as for a person who waits for its end. */
  readonly round: (options: { readonly isFull: boolean }) => Promise<Round>;
  /** Forgets what can no longer be taken back, as every round does first. */
  readonly expire: () => Promise<void>;
  /** How many blobs would go. */
  readonly preview: () => Promise<number>;
}

export interface Round {
  readonly trashedBlobs: number;
  readonly removedBlobs: number;
  readonly problem?: string;
}

/** Longer than what was deleted can be taken back, and than the grace. */
export const graceHours = 10 * 24;

/** Starts it on a tree that it has never seen, and waits until it knows all of it. */
export async function startCollectingServer(options: StartOptions): Promise<CollectingServer> {
  await rm(join(options.dataDirectory, "berth"), { recursive: true, force: true });
  const port = await freePort();
  const controlPort = await freePort();
  const program = join(import.meta.dir, "collecting-server.ts");
  const config = await writeConfig(options, port);
  const server = spawnServer({
    name: "berth",
    command: [process.execPath, program, config, String(controlPort)],
    port,
    runDirectory: options.runDirectory,
  });
  const control = async (target: string): Promise<Response> => {
    const url = `http://127.0.0.1:${controlPort}${target}`;
    const answer = await fetch(url, { method: "POST", signal: AbortSignal.timeout(600_000) });
    if (answer.status === 200) return answer;
    throw new Error(`${target} answers ${answer.status}: ${await answer.text()}`);
  };
  try {
    await waitForAnswer(server);
    await control("/adopted");
    await waitUntilIdle(server.pid, 60_000);
  } catch (error) {
    await server.stop();
    throw error;
  }
  return {
    ...server,
    forward: async (hours) => void (await control(`/forward?hours=${hours}`)),
    round: async ({ isFull }) => {
      const round = (await (await control(`/round?isFull=${isFull}`)).json()) as Round;
      if (round.problem !== undefined) throw new Error(`collection says: ${round.problem}`);
      return round;
    },
    expire: async () => void (await control("/expire")),
    preview: async () => {
      const { count } = (await (await control("/preview")).json()) as { count: number };
      return count;
    },
  };
}

/** Deletes the images by digest, as a client does; their tags go with them. */
export async function deleteImages(server: Server, images: readonly TaggedImage[]): Promise<void> {
  for (const { repository, digest } of images) {
    const url = `${server.origin}/v2/${repository}/manifests/${digest}`;
    const { status } = await fetch(url, { method: "DELETE", headers: server.headers });
    if (status !== 202) throw new Error(`DELETE ${url} answers ${status}`);
  }
}

/** Throws unless clients find nothing of the deleted images, and the kept ones whole. */
export async function verifyImages(server: Server, { deleted, kept }: MendedTree): Promise<void> {
  for (const { repository, tag, digest } of deleted.slice(0, kept.length)) {
    const base = `${server.origin}/v2/${repository}`;
    await expectBody(await fetch(`${base}/manifests/${tag}`), undefined);
    await expectBody(await fetch(`${base}/blobs/${digest}`), undefined);
  }
  for (const { repository, tag, digest, blobs } of kept) {
    const base = `${server.origin}/v2/${repository}`;
    const headers = { accept: manifestMediaType };
    await expectBody(await fetch(`${base}/manifests/${tag}`, { headers }), digest);
    for (const blob of blobs) {
      await expectBody(await fetch(`${base}/blobs/${blob.digest}`), blob.digest);
    }
  }
}

/** Without a digest, that there is nothing. */
async function expectBody(answer: Response, digest: string | undefined): Promise<void> {
  const body = await answer.bytes();
  if (answer.status !== (digest === undefined ? 404 : 200)) {
    throw new Error(`${answer.url} answers ${answer.status}`);
  }
  const actual = `sha256:${new Bun.CryptoHasher("sha256").update(body).digest("hex")}`;
  if (digest !== undefined && actual !== digest) {
    throw new Error(`${answer.url} gives ${actual}, not ${digest}`);
  }
}
