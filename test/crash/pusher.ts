/**
 * One client of the load that the rigs put on a registry: pushes small images in every way that
 * clients know, moves tags, deletes now and then, and tells the oracle of each.
 *
 * Each pusher has a repository of its own; one more is shared by all, where their tags race.
 */
import { mediaTypes } from "../../src/oci/media-type.ts";
import { octetStream } from "../support/distribution-client.ts";
import {
  blobRegister,
  manifestRegister,
  type Operation,
  type Oracle,
  tagRegister,
  type Write,
} from "./oracle.ts";
import type { Answer, RegistryClient } from "./registry-client.ts";
import { blobSample, imageOf, type Sample, sampleOf } from "./samples.ts";
import type { SeededRandom } from "./seeded-random.ts";

const sharedRepository = "shared/app";

export interface PusherParts {
  readonly name: string;
  readonly random: SeededRandom;
  readonly oracle: Oracle;
  readonly client: RegistryClient;
  /** Blobs that several images have in common. */
  readonly commonBlobs: readonly Sample[];
}

/** Layers that the images of all pushers share now and then. */
export function commonBlobs(random: SeededRandom): readonly Sample[] {
  return Array.from({ length: 12 }, () => newBlob(random));
}

export class Pusher {
  readonly #parts: PusherParts;
  readonly #ownRepository: string;
  /** Images that were acknowledged in the own repository, by their digest. */
  readonly #images = new Set<string>();
  /** Blobs that were acknowledged in the own repository and that no image names. */
  readonly #spares = new Set<string>();
  /** Tags that were ever pushed to the own repository, acknowledged or not. */
  readonly #tags = new Set<string>();
  /** Images that were acknowledged, whatever their repository. */
  pushes = 0;

  constructor(parts: PusherParts) {
    this.#parts = parts;
    this.#ownRepository = `team-${parts.name}/app`;
  }

  /**
   * Works until `signal`. What fails after it, failed because of the fault.
   *
   * @throws {Refusal} when a registry that should be well refuses something.
   */
  async work(signal: AbortSignal): Promise<void> {
    try {
      while (!signal.aborted) await this.step();
    } catch (error) {
      if (!signal.aborted) throw error;
    }
  }

  /** One push, or now and then a deletion. */
  async step(): Promise<void> {
    const { random } = this.#parts;
    const kind = random.next();
    if (kind < 0.06 && this.#tagsThere().length > 0) await this.deleteTag();
    else if (kind < 0.1 && this.#images.size > 2) await this.deleteImage();
    else if (kind < 0.15) await this.pushSpare();
    else if (kind < 0.18 && this.#spares.size > 0) await this.deleteSpare();
    else await this.pushImage();
  }

  /** @throws {Refusal} */
  async pushImage(): Promise<void> {
    const { random } = this.#parts;
    const isShared = random.chance(0.25);
    const repository = isShared ? sharedRepository : this.#ownRepository;
    const tag = isShared ? `v${random.integer(1, 3)}` : `v${random.integer(1, 12)}`;
    const config = configBlob(random);
    const layers = Array.from({ length: random.integer(1, 3) }, () =>
      random.chance(0.4) ? random.pick(this.#parts.commonBlobs) : newBlob(random),
    );
    for (const blob of [...layers, config]) await this.#provide(repository, blob);
    const { bytes, digest } = imageOf(config, layers);
    if (!isShared) this.#tags.add(tag);
    const writes: Write[] = [
      { register: manifestRegister(repository, digest), value: digest },
      { register: tagRegister(repository, tag), value: digest },
    ];
    await this.#do(`push ${repository}:${tag} ${digest}`, writes, async () =>
      this.#send("PUT", `/v2/${repository}/manifests/${tag}`, {
        headers: { "content-type": mediaTypes.ociManifest },
        body: bytes,
      }),
    );
    this.pushes += 1;
    if (isShared) return;
    this.#images.add(digest);
  }

  /** Sees that the repository has the blob, as clients do: asks, mounts, or uploads. */
  async #provide(repository: string, blob: Sample): Promise<void> {
    const { random } = this.#parts;
    const head = await this.#send("HEAD", `/v2/${repository}/blobs/${blob.digest}`);
    if (head.status === 200) return;
    if (this.#parts.commonBlobs.includes(blob) && random.chance(0.5)) {
      const from = repository === sharedRepository ? this.#ownRepository : sharedRepository;
      const mounted = await this.#mount({ repository, from, digest: blob.digest });
      if (mounted) return;
    }
    await this.#upload(repository, blob);
  }

  async #mount(mount: { repository: string; from: string; digest: string }): Promise<boolean> {
    const { repository, from, digest } = mount;
    const target = `/v2/${repository}/blobs/uploads/?mount=${digest}&from=${from}`;
    const operation = this.#begin(`mount ${repository}@${digest} from ${from}`, [
      { register: blobRegister(repository, digest), value: digest },
    ]);
    const answer = await this.#send("POST", target, { headers: { "content-length": "0" } });
    if (answer.status !== 201) return false;
    this.#parts.oracle.acknowledge(operation);
    return true;
  }

  async #upload(repository: string, { digest, bytes }: Sample): Promise<void> {
    const { random } = this.#parts;
    const writes = [{ register: blobRegister(repository, digest), value: digest }];
    await this.#do(`upload ${repository}@${digest}`, writes, async () => {
      const uploads = `/v2/${repository}/blobs/uploads/`;
      const how = random.next();
      if (how < 0.2) {
        return this.#send("POST", `${uploads}?digest=${digest}`, {
          headers: octetStream,
          body: bytes,
        });
      }
      const begun = await this.#send("POST", uploads, { headers: { "content-length": "0" } });
      let at = locationOf(begun);
      let sent = 0;
      const chunkedBytes = how > 0.5 ? bytes.byteLength : 0;
      while (sent < chunkedBytes) {
        const chunk = bytes.slice(sent, sent + random.integer(1, bytes.byteLength));
        const range = `${sent}-${sent + chunk.byteLength - 1}`;
        const headers = { ...octetStream, "content-range": range };
        at = locationOf(await this.#send("PATCH", at, { headers, body: chunk }));
        sent += chunk.byteLength;
      }
      const rest = bytes.slice(sent);
      const separator = at.includes("?") ? "&" : "?";
      const headers = { ...octetStream, "content-length": String(rest.byteLength) };
      return this.#send("PUT", `${at}${separator}digest=${digest}`, { headers, body: rest });
    });
  }

  /** A blob that no image names. */
  async pushSpare(): Promise<void> {
    const blob = newBlob(this.#parts.random);
    await this.#upload(this.#ownRepository, blob);
    this.#spares.add(blob.digest);
  }

  async deleteSpare(): Promise<void> {
    const digest = this.#parts.random.pick([...this.#spares]);
    const repository = this.#ownRepository;
    this.#spares.delete(digest);
    await this.#delete(`/v2/${repository}/blobs/${digest}`, [
      { register: blobRegister(repository, digest), value: undefined },
    ]);
  }

  async deleteTag(): Promise<void> {
    const tag = this.#parts.random.pick(this.#tagsThere());
    const repository = this.#ownRepository;
    await this.#delete(`/v2/${repository}/manifests/${tag}`, [
      { register: tagRegister(repository, tag), value: undefined },
    ]);
  }

  /** Deletes an image by its digest, and with it the tags that lead to it. */
  async deleteImage(): Promise<void> {
    const { random, oracle } = this.#parts;
    const digest = random.pick([...this.#images]);
    const repository = this.#ownRepository;
    this.#images.delete(digest);
    // Not what was asked for decides, but what is there: a deletion may have been broken off.
    const tags = [...this.#tags].filter((tag) =>
      oracle.possible(tagRegister(repository, tag)).has(digest),
    );
    await this.#delete(`/v2/${repository}/manifests/${digest}`, [
      { register: manifestRegister(repository, digest), value: undefined },
      ...tags.map((tag) => ({ register: tagRegister(repository, tag), value: undefined })),
    ]);
  }

  /** Tags of the own repository that may be there. */
  #tagsThere(): readonly string[] {
    const { oracle } = this.#parts;
    return [...this.#tags].filter((tag) =>
      [...oracle.possible(tagRegister(this.#ownRepository, tag))].some(
        (held) => held !== undefined,
      ),
    );
  }

  async #delete(target: string, writes: readonly Write[]): Promise<void> {
    const operation = this.#begin(`delete ${target}`, writes);
    const answer = await this.#send("DELETE", target);
    // 404: it was gone already, by a deletion that a fault kept from being answered.
    if (answer.status === 202 || answer.status === 404) this.#parts.oracle.acknowledge(operation);
    else throw new Refusal(`delete ${target}`, answer);
  }

  /** Does what is acknowledged by 201. */
  async #do(name: string, writes: readonly Write[], work: () => Promise<Answer>): Promise<void> {
    const operation = this.#begin(name, writes);
    const answer = await work();
    if (answer.status !== 201) throw new Refusal(name, answer);
    this.#parts.oracle.acknowledge(operation);
  }

  #begin(name: string, writes: readonly Write[]): Operation {
    return this.#parts.oracle.begin(name, writes);
  }

  #send: RegistryClient["send"] = (method, target, options) =>
    this.#parts.client.send(method, target, options);
}

/** The registry said no. */
export class Refusal extends Error {
  override readonly name = "Refusal";
  readonly status: number;

  constructor(action: string, { status, body }: Answer) {
    super(`${action}: ${status} ${new TextDecoder().decode(body)}`);
    this.status = status;
  }
}

function newBlob(random: SeededRandom): Sample {
  return blobSample(random, random.logarithmic(200, 64 * 1024));
}

function configBlob(random: SeededRandom): Sample {
  const Env = [`ID=${random.next()}`];
  return sampleOf({ architecture: "amd64", os: "linux", config: { Env } });
}

function locationOf(answer: Answer): string {
  const location = answer.headers.get("location");
  if (answer.status !== 202 || location === null) throw new Refusal("an upload", answer);
  return location;
}
