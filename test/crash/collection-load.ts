/**
 * What makes collection dangerous, as clients do it: pushes that skip what the registry says it
 * has, of layers that were in use before and are again; pulls that take their time; deletes.
 */
import { mediaTypes } from "../../src/oci/media-type.ts";
import { digestOf, octetStream } from "../support/distribution-client.ts";
import type { RegistryClient } from "./registry-client.ts";
import { blobSample, imageOf, type Sample, sampleOf } from "./samples.ts";
import type { SeededRandom } from "./seeded-random.ts";

const repositoriesCount = 6;
const tagsCount = 12;
/** Few, so that a layer is needed, not needed, and needed again. */
const layersCount = 60;

/** What the workers of one load share. */
export class CollectionLoad {
  readonly #client: RegistryClient;
  readonly #layers: readonly Sample[];
  readonly #pauseMsMax: number;
  /** Digests that were pushed to a repository. */
  readonly #pushed = new Map<string, string[]>();
  readonly failedPushes: string[] = [];
  readonly brokenImages: string[] = [];
  pushes = 0;
  pulls = 0;
  deletes = 0;
  /** Uploads that were not needed, because the registry said it has the blob. */
  skippedUploads = 0;

  constructor(
    client: RegistryClient,
    random: SeededRandom,
    { pauseMsMax }: { readonly pauseMsMax: number },
  ) {
    this.#client = client;
    this.#pauseMsMax = pauseMsMax;
    this.#layers = Array.from({ length: layersCount }, () =>
      blobSample(random, random.integer(100, 20_000)),
    );
  }

  /** Pushes until `signal`; a connection that a kill has cut is no failure. */
  async push(random: SeededRandom, signal: AbortSignal): Promise<void> {
    await this.#until(signal, async () => {
      const repository = this.#repository(random);
      const layers = Array.from({ length: random.integer(1, 3) }, () => random.pick(this.#layers));
      const config = sampleOf({ architecture: "amd64", n: random.integer(0, 40) });
      for (const blob of [...layers, config]) {
        if (!(await this.#pushBlob(repository, blob, random))) return;
        await this.#pause(random, signal);
      }
      const manifest = imageOf(config, layers);
      const tag = `t${random.integer(1, tagsCount)}`;
      const target = `/v2/${repository}/manifests/${tag}`;
      const headers = { "content-type": mediaTypes.ociManifest };
      const { status, body } = await this.#client.send("PUT", target, {
        headers,
        body: manifest.bytes,
      });
      if (status !== 201) {
        this.failedPushes.push(`PUT ${target}: ${status} ${new TextDecoder().decode(body)}`);
        return;
      }
      this.pushes += 1;
      this.#pushed.set(repository, [...(this.#pushed.get(repository) ?? []), manifest.digest]);
    });
  }

  async pull(random: SeededRandom, signal: AbortSignal): Promise<void> {
    await this.#until(signal, async () => {
      const repository = this.#repository(random);
      const tag = `t${random.integer(1, tagsCount)}`;
      await this.pullOnce(repository, tag, () => this.#pause(random, signal));
    });
  }

  /** Deletes a tag, or a manifest with all its tags. */
  async delete(random: SeededRandom, signal: AbortSignal): Promise<void> {
    await this.#until(signal, async () => {
      const repository = this.#repository(random);
      const digests = this.#pushed.get(repository) ?? [];
      const isTag = random.chance(0.2) || digests.length === 0;
      const reference = isTag ? `t${random.integer(1, tagsCount)}` : random.pick(digests);
      if (!isTag)
        this.#pushed.set(
          repository,
          digests.filter((it) => it !== reference),
        );
      await this.#client.send("DELETE", `/v2/${repository}/manifests/${reference}`);
      this.deletes += 1;
      await this.#pause(random, signal);
    });
  }

  /** Pulls every tag that there is; for when all is quiet. */
  async pullAll(): Promise<void> {
    for (let index = 0; index < repositoriesCount; index += 1) {
      for (let tag = 1; tag <= tagsCount; tag += 1) {
        await this.pullOnce(`team${index}/app`, `t${tag}`, async () => undefined);
      }
    }
  }

  async pullOnce(repository: string, tag: string, pause: () => Promise<void>): Promise<void> {
    const target = `/v2/${repository}/manifests/${tag}`;
    const found = await this.#client.send("GET", target, {
      headers: { accept: mediaTypes.ociManifest },
    });
    if (found.status === 404) return;
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- the load has pushed it itself
    const manifest = JSON.parse(new TextDecoder().decode(found.body)) as {
      readonly config: { readonly digest: string };
      readonly layers: readonly { readonly digest: string }[];
    };
    for (const { digest } of [manifest.config, ...manifest.layers]) {
      await pause();
      const blob = await this.#client.send("GET", `/v2/${repository}/blobs/${digest}`);
      if (blob.status === 200 && digestOf(blob.body) === digest) continue;
      this.brokenImages.push(`${repository}:${tag} ${digest}: ${blob.status}`);
    }
    this.pulls += 1;
  }

  /** False when it could not be pushed, which is noted. */
  async #pushBlob(repository: string, blob: Sample, random: SeededRandom): Promise<boolean> {
    const target = `/v2/${repository}/blobs/${blob.digest}`;
    const head = await this.#client.send("HEAD", target);
    if (head.status === 200) {
      this.skippedUploads += 1;
      return true;
    }
    const mount = random.chance(0.3)
      ? `?mount=${blob.digest}&from=${this.#repository(random)}`
      : "";
    const begun = await this.#client.send("POST", `/v2/${repository}/blobs/uploads/${mount}`);
    if (begun.status === 201) return true;
    const location = begun.headers.get("location") ?? "";
    const separator = location.includes("?") ? "&" : "?";
    const put = await this.#client.send("PUT", `${location}${separator}digest=${blob.digest}`, {
      headers: octetStream,
      body: blob.bytes,
    });
    if (put.status === 201) return true;
    this.failedPushes.push(`PUT ${target}: ${begun.status}, ${put.status}`);
    return false;
  }

  #repository(random: SeededRandom): string {
    return `team${random.integer(0, repositoriesCount - 1)}/app`;
  }

  async #pause(random: SeededRandom, signal: AbortSignal): Promise<void> {
    if (signal.aborted || random.chance(0.5)) return;
    await Bun.sleep(random.integer(0, this.#pauseMsMax));
  }

  async #until(signal: AbortSignal, work: () => Promise<void>): Promise<void> {
    while (!signal.aborted) {
      try {
        await work();
      } catch {
        // The registry was killed: the next try finds it again.
        await Bun.sleep(20);
      }
    }
  }
}
