/** Pulls of files that collection moves and removes meanwhile: over a socket, on the real disk. */
import { systemRandom } from "../../src/base/random.ts";
import { type Digest, digestOf } from "../../src/oci/digest.ts";
import { nodeFileSystem } from "../../src/storage/drivers/node-file-system.ts";
import { removeFolder, temporaryFolder } from "../support/run-folder.ts";
import { Collecting, graceOf } from "./collecting.ts";
import { type InProcess, openInProcess } from "./in-process.ts";
import { SetClock } from "./matrix-world.ts";
import { blobSample, type Sample } from "./samples.ts";
import { SeededRandom } from "./seeded-random.ts";
import { turns } from "./turns.ts";
import { WireClient } from "./wire-client.ts";

const name = "team/app";
/** More than the buffers of a connection take, so that a pull can be held up in the middle. */
const largeBytes = 24 << 20;
const smallBytes = 20_000;
const smallBlobs = 20;

export interface PullsFound {
  readonly pulls: number;
  readonly violations: readonly string[];
}

/** Pulls that are held up until their file is gone, and pulls at the moment of its move. */
export async function pullBesideCollection(options: {
  readonly seed: number;
  readonly rounds: number;
}): Promise<PullsFound> {
  const folder = temporaryFolder("pull-beside-collection");
  const world = await RealWorld.open(folder, options.seed);
  const found: string[] = [];
  for (let round = 0; round < options.rounds; round += 1) {
    const problems = [
      // The first few say it all: nothing in them is left to chance.
      ...(round < 2 ? await world.pullHeldUp() : []),
      ...(await world.pullsAtTheMove()),
    ];
    found.push(...problems.map((problem) => `round ${round} of seed ${options.seed}: ${problem}`));
  }
  found.push(...world.registry.errors);
  await world.close();
  removeFolder(folder);
  return { pulls: world.pulls, violations: found };
}

class RealWorld {
  readonly registry: InProcess;
  readonly #clock: SetClock;
  readonly #client: WireClient;
  readonly #collecting: Collecting;
  readonly #random: SeededRandom;
  readonly #server: Bun.Server<undefined>;
  pulls = 0;

  private constructor(registry: InProcess, clock: SetClock, seed: number) {
    this.registry = registry;
    this.#clock = clock;
    this.#client = new WireClient(registry, name);
    this.#collecting = new Collecting(registry, clock);
    this.#random = new SeededRandom(seed);
    this.#server = Bun.serve({
      hostname: "127.0.0.1",
      port: 0,
      fetch: ({ method, url }) => registry.answer({ method, target: new URL(url).pathname }),
    });
  }

  static async open(rootFolder: string, seed: number): Promise<RealWorld> {
    const clock = new SetClock();
    const parts = { fileSystem: nodeFileSystem, clock, random: systemRandom };
    return new RealWorld(await openInProcess({ ...parts, rootFolder }), clock, seed);
  }

  async close(): Promise<void> {
    await this.#server.stop(true);
    await this.registry.close();
  }

  /** The client has read a little; then the blob goes to the trash, and then its bytes end. */
  async pullHeldUp(): Promise<readonly string[]> {
    const blob = blobSample(this.#random, largeBytes);
    await this.#client.putBlob(blob);
    const { body } = await this.#get(blob.digest);
    const reader = body?.getReader();
    const hasher = new Bun.CryptoHasher("sha256");
    const take = async (): Promise<boolean> => {
      const piece = await reader?.read();
      if (piece?.value === undefined) return false;
      hasher.update(piece.value);
      return true;
    };
    await take();
    for (let round = 0; round < 2; round += 1) {
      await this.#makeDue();
      await this.#collecting.round();
    }
    const { blobs } = this.registry.context;
    const problems: string[] = [];
    const isGone =
      (await blobs.sizeOf(blob.digest)) === undefined &&
      (await blobs.sizeInTrash(blob.digest)) === undefined;
    if (!isGone) problems.push("the blob was not collected, so that nothing was tried");
    while (await take());
    const actual = `sha256:${hasher.digest("hex")}`;
    if (actual !== blob.digest) problems.push("a pull broke off, or had other bytes");
    return problems;
  }

  /** Nobody was told of the blobs for long; they are asked for while a round takes them. */
  async pullsAtTheMove(): Promise<readonly string[]> {
    const blobs = Array.from({ length: smallBlobs }, () => blobSample(this.#random, smallBytes));
    for (const blob of blobs) await this.#client.putBlob(blob);
    await this.#makeDue();
    const [, ...problems] = await Promise.all([
      this.#collecting.round(),
      ...blobs.map((blob) => this.#pullOnce(blob)),
    ]);
    return problems.flat();
  }

  async #pullOnce({ digest }: Sample): Promise<readonly string[]> {
    await turns(this.#random.below(this.#random.pick([20, 500, 20_000])));
    const answer = await this.#get(digest);
    const actual = digestOf(await answer.bytes());
    return actual === digest ? [] : [`a pull answered ${answer.status} with bytes of ${actual}`];
  }

  #get(digest: Digest): Promise<Response> {
    this.pulls += 1;
    return fetch(`${this.#server.url.href}v2/${name}/blobs/${digest}`);
  }

  async #makeDue(): Promise<void> {
    await this.registry.context.leases.flush();
    this.#clock.pass(graceOf(this.registry));
  }
}
