/**
 * A disk that is full to the last byte, or the last name, with nothing on it that collection may
 * remove yet: deleting and waiting has to be enough to get room again. Nobody makes room by hand.
 */
import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { mediaTypes } from "../../src/oci/media-type.ts";
import { digestOf, octetStream } from "../support/distribution-client.ts";
import { fillWithBytes, fillWithNames } from "../support/filler.ts";
import { CollectingProcess } from "./collecting-process.ts";
import { findLeaks } from "./leaks.ts";
import { type DiskKind, disksUnavailable, MountedDisk } from "./mounted-disk.ts";
import { RegistryClient } from "./registry-client.ts";
import { type Figure, none, type Rig, type RigOptions } from "./rig.ts";
import { blobSample, imageOf, type Sample } from "./samples.ts";
import { SeededRandom } from "./seeded-random.ts";

const graces = { graceMs: 1_000, intervalMs: 100 };
/** Both graces are over by then: a round takes its interval at least. */
const roundsMax = 100;
const imagesKept = 4;
const imagesDoomed = 10;
const layerBytes = 2 << 20;
const configBytes = 200;
/** A layer, a configuration, a manifest. */
const blobsPerImage = 3;
const repository = "team/app";

interface Shortage {
  readonly name: string;
  readonly disk: DiskKind;
  readonly isOfBytes: boolean;
  fill(folder: string): void;
}

const shortages: readonly Shortage[] = [
  ...(["tmpfs", "ext4"] as const).map(
    (kind): Shortage => ({
      name: `no room on ${kind}`,
      disk: { kind, sizeMiB: 64 },
      isOfBytes: true,
      fill: (folder) => fillWithBytes(join(folder, "filler")),
    }),
  ),
  {
    name: "no inodes",
    disk: { kind: "tmpfs", sizeMiB: 64, inodes: 1_500 },
    isOfBytes: false,
    fill: (folder) => fillWithNames(join(folder, "filler")),
  },
];

export const digOut: Rig = {
  name: "dig-out",
  fault: "a disk that is full to the last byte, with nothing to collect yet",
  unavailable: async () => (await disksUnavailable("tmpfs")) ?? (await disksUnavailable("ext4")),
  async run(options) {
    const figures: Figure[] = [];
    for (const shortage of shortages) {
      for (const isKilled of [false, true]) {
        // The short form does each once.
        if (options.form === "short" && isKilled === (shortage.disk.kind === "tmpfs")) continue;
        const name = `${shortage.name}, ${isKilled ? "killed and started" : "running"}`;
        options.say(name);
        const found = await run(shortage, { ...options, isKilled });
        figures.push(...found.map((figure) => ({ ...figure, name: `${name}: ${figure.name}` })));
      }
    }
    return figures;
  },
};

async function run(
  shortage: Shortage,
  { seed, isKilled }: RigOptions & { readonly isKilled: boolean },
): Promise<readonly Figure[]> {
  await using disk = await MountedDisk.create(shortage.disk);
  const dataFolder = join(disk.folder, "registry");
  await using server = new CollectingProcess(dataFolder, graces);
  const client = new RegistryClient(server.origin);
  const images = new Images(client, new SeededRandom(`dig-out ${seed} ${shortage.name}`));
  await server.start();
  for (let index = 0; index < imagesKept + imagesDoomed; index += 1) {
    const status = await images.push();
    if (status !== 201) throw new Error(`a push was answered with ${status}`);
  }
  const doomed = images.tags.slice(imagesKept);
  // Some are deleted just before, so that they are in their grace when the room ends.
  const refused: string[] = [];
  for (const tag of doomed.splice(0, 3)) refused.push(...(await images.remove(tag)));
  // What takes the last byte must not get at what the registry gives back meanwhile.
  if (isKilled) {
    await server.kill();
    shortage.fill(disk.folder);
    await server.start();
  } else {
    await server.whileStopped(() => shortage.fill(disk.folder));
  }
  refused.push(...(await images.pushInVain()));
  for (const tag of doomed) refused.push(...(await images.remove(tag)));
  // What was given back is not for them, although it would be enough. Names that came back are.
  if (shortage.isOfBytes) refused.push(...(await images.pushInVain()));
  if (isKilled) {
    // With the reserve given back, which nothing but the disk remembers.
    await server.kill();
    await server.start();
    if (shortage.isOfBytes) refused.push(...(await images.pushInVain()));
  }
  const broken = await images.pullAll();
  const failure = await allCollected(server, blobsOf(dataFolder));
  refused.push(...(await takesPushes(server, images)));
  broken.push(...(await images.pullAll()));
  await server.kill();
  return [
    none("requests that were answered otherwise than they should be", refused),
    none("pulls that failed", broken),
    none("deleted blobs that are not collected", failure),
    none("blobs, links and repositories leaked", findLeaks(dataFolder)),
  ];
}

/** Where bytes of blobs are, in their place or in the trash. */
function blobsOf(dataFolder: string): () => number {
  const folders = ["docker/registry/v2/blobs", "berth/trash/blobs"].map((it) =>
    join(dataFolder, it),
  );
  const filesIn = (folder: string): number =>
    existsSync(folder)
      ? readdirSync(folder, { recursive: true, withFileTypes: true }).filter((it) => it.isFile())
          .length
      : 0;
  return () => folders.reduce((sum, folder) => sum + filesIn(folder), 0);
}

/** Waits until no more than what is kept is left; why it did not come to that, otherwise. */
async function allCollected(
  server: CollectingProcess,
  countBlobs: () => number,
): Promise<readonly string[]> {
  const { rounds: before } = await server.state();
  for (;;) {
    const left = countBlobs() - imagesKept * blobsPerImage;
    if (left <= 0) return [];
    const { rounds, failure, problem } = await server.state();
    if (rounds > before + roundsMax) return [`${left} blobs are left: ${failure}${problem}`];
    await Bun.sleep(50);
  }
}

/** Waits until pushes are taken again, for as long as a health check may take to notice. */
async function takesPushes(server: CollectingProcess, images: Images): Promise<readonly string[]> {
  const { rounds: before } = await server.state();
  for (;;) {
    const status = await images.push();
    if (status === 201) return [];
    const { rounds } = await server.state();
    if (status !== 507 || rounds > before + roundsMax) return [`a push afterwards: ${status}`];
    await Bun.sleep(50);
  }
}

interface Image {
  readonly manifest: string;
  readonly layer: string;
}

/** Images of one large layer each. */
class Images {
  readonly #client: RegistryClient;
  readonly #random: SeededRandom;
  readonly #images = new Map<string, Image>();
  #pushes = 0;

  constructor(client: RegistryClient, random: SeededRandom) {
    this.#client = client;
    this.#random = random;
  }

  get tags(): string[] {
    return [...this.#images.keys()];
  }

  /** The status of the first request that was not answered with 201, or 201. */
  async push(): Promise<number> {
    const layer = blobSample(this.#random, layerBytes);
    const config = blobSample(this.#random, configBytes);
    for (const blob of [layer, config]) {
      const status = await this.#upload(blob);
      if (status !== 201) return status;
    }
    const { bytes: body, digest: manifest } = imageOf(config, [layer]);
    const headers = { "content-type": mediaTypes.ociManifest };
    const tag = `v${(this.#pushes += 1)}`;
    const target = `/v2/${repository}/manifests/${tag}`;
    const { status } = await this.#client.send("PUT", target, { headers, body });
    if (status === 201) this.#images.set(tag, { manifest, layer: layer.digest });
    return status;
  }

  /** Pushes while there is no room; what was answered otherwise than it should be. */
  async pushInVain(): Promise<readonly string[]> {
    const wrong: string[] = [];
    for (let attempt = 1; attempt <= 4; attempt += 1) {
      const status = await this.push();
      if (status !== 507) wrong.push(`a push on a full disk: ${status}`);
    }
    return wrong;
  }

  /** The tag, then the manifest; what was answered otherwise than it should be. */
  async remove(tag: string): Promise<readonly string[]> {
    const { manifest = "" } = this.#images.get(tag) ?? {};
    this.#images.delete(tag);
    const wrong: string[] = [];
    for (const reference of [tag, manifest]) {
      const { status } = await this.#client.send(
        "DELETE",
        `/v2/${repository}/manifests/${reference}`,
      );
      if (status !== 202) wrong.push(`DELETE ${reference}: ${status}`);
    }
    return wrong;
  }

  /** What could not be pulled whole. */
  async pullAll(): Promise<string[]> {
    const wrong: string[] = [];
    for (const [tag, { manifest, layer }] of this.#images) {
      const found = await this.#client.send("GET", `/v2/${repository}/manifests/${tag}`);
      if (digestOf(found.body) !== manifest) wrong.push(`${tag}: ${found.status}`);
      const blob = await this.#client.send("GET", `/v2/${repository}/blobs/${layer}`);
      if (digestOf(blob.body) !== layer) wrong.push(`${layer}: ${blob.status}`);
    }
    return wrong;
  }

  async #upload({ bytes: body, digest }: Sample): Promise<number> {
    const target = `/v2/${repository}/blobs/uploads/?digest=${digest}`;
    const headers = octetStream;
    return (await this.#client.send("POST", target, { headers, body })).status;
  }
}
