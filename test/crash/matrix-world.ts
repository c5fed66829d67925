/** A registry whose every file operation takes a while of its own, for requests that meet. */
import type { Clock } from "../../src/base/clock.ts";
import { silentLogger } from "../../src/base/logger.ts";
import { purgeStaleUploads } from "../../src/gc/stale-uploads.ts";
import { type Digest, digestOf } from "../../src/oci/digest.ts";
import { blobKey } from "../../src/storage/layout.ts";
import { type InProcess, openInProcess } from "./in-process.ts";
import { type FileOperation, intercepted } from "./intercepted-file-system.ts";
import { repositoryOf, unlessUnknown } from "./noted-client.ts";
import { blobSample, type ImageSample, imageSample, type Sample } from "./samples.ts";
import type { SeededRandom } from "./seeded-random.ts";
import { SimulatedDisk } from "./simulated-disk.ts";
import { turns } from "./turns.ts";

/** A clock that a rig sets; it stands still otherwise. */
export class SetClock implements Clock {
  ms = 1_800_000_000_000;
  nowMs(): number {
    return this.ms;
  }
  monotonicMs(): number {
    return this.ms;
  }
}

/** What an answer was, with its body read. */
export interface Answer {
  readonly status: number;
  readonly headers: Headers;
  readonly bytes: Uint8Array;
}

const octets = { "Content-Type": "application/octet-stream" };

export class MatrixWorld {
  readonly random: SeededRandom;
  readonly clock: SetClock;
  readonly disk: SimulatedDisk;
  readonly registry: InProcess;
  /** Every file operation since the last `forget`, in the order in which they began. */
  readonly trace: FileOperation[] = [];
  /** A name that no other run uses, so that all runs can have one registry. */
  name = "team/0";
  #runs = 0;

  private constructor(parts: {
    readonly random: SeededRandom;
    readonly clock: SetClock;
    readonly disk: SimulatedDisk;
    readonly registry: InProcess;
    readonly trace: FileOperation[];
  }) {
    this.random = parts.random;
    this.clock = parts.clock;
    this.disk = parts.disk;
    this.registry = parts.registry;
    this.trace = parts.trace;
  }

  static async open(random: SeededRandom): Promise<MatrixWorld> {
    const clock = new SetClock();
    const disk = new SimulatedDisk({ clock });
    const trace: FileOperation[] = [];
    const fileSystem = intercepted(disk, async (operation) => {
      trace.push(operation);
      // Mostly short, now and then so long that another request overtakes by many steps.
      const turnsMax = random.below(8) === 0 ? 250 : 8;
      await turns(random.below(turnsMax));
    });
    const registry = await openInProcess({ fileSystem, clock, random });
    return new MatrixWorld({ random, clock, disk, registry, trace });
  }

  nextRun(): void {
    this.#runs += 1;
    this.name = `team/${this.#runs}`;
    this.trace.length = 0;
    // Durable by now: what a power cut could take is another rig's.
    this.disk.settle();
  }

  image(): ImageSample {
    return imageSample(this.random, [100]);
  }

  blob(): Sample {
    return blobSample(this.random, 200);
  }

  /** All at once, each after a delay of its own. */
  async meet<T extends readonly unknown[]>(
    ...requests: { readonly [K in keyof T]: () => Promise<T[K]> }
  ): Promise<T> {
    const begun = requests.map(async (request: () => Promise<unknown>) => {
      await turns(this.random.below(this.random.pick([20, 200, 1_000])));
      return request();
    });
    return (await Promise.all(begun)) as unknown as T;
  }

  async send(
    method: string,
    target: string,
    rest: {
      readonly body?: Uint8Array | ReadableStream<Uint8Array>;
      readonly headers?: Readonly<Record<string, string>>;
    } = {},
  ): Promise<Answer> {
    const response = await this.registry.answer({ method, target, ...rest });
    const { status, headers } = response;
    return { status, headers, bytes: await response.bytes() };
  }

  /** The location of a new upload. */
  async begin(name = this.name): Promise<string> {
    const { status, headers } = await this.send("POST", `/v2/${name}/blobs/uploads/`);
    if (status !== 202) throw new Error(`an upload was not begun: ${status}`);
    return new URL(headers.get("Location") ?? "", "http://localhost").pathname;
  }

  patch(location: string, bytes: Uint8Array, start: number): Promise<Answer> {
    const range = `${start}-${start + bytes.byteLength - 1}`;
    const headers = { ...octets, "Content-Range": range };
    return this.send("PATCH", location, { body: bytes.slice(), headers });
  }

  put(location: string, digest: Digest, bytes?: Uint8Array): Promise<Answer> {
    const target = `${location}?digest=${digest}`;
    const body = bytes?.slice();
    return this.send("PUT", target, { headers: octets, ...(body !== undefined && { body }) });
  }

  async putBlob({ digest, bytes }: Sample, name = this.name): Promise<Answer> {
    return this.put(await this.begin(name), digest, bytes);
  }

  putManifest(reference: string, { bytes }: Sample, name = this.name): Promise<Answer> {
    const headers = { "Content-Type": "application/vnd.oci.image.manifest.v1+json" };
    return this.send("PUT", `/v2/${name}/manifests/${reference}`, { body: bytes.slice(), headers });
  }

  async putBlobs({ blobs }: ImageSample, name = this.name): Promise<void> {
    for (const blob of blobs) await this.putBlob(blob, name);
  }

  async putImage(reference: string, image: ImageSample): Promise<void> {
    await this.putBlobs(image);
    const { status } = await this.putManifest(reference, image);
    if (status !== 201) throw new Error(`an image was not pushed: ${status}`);
  }

  getManifest(reference: string, name = this.name): Promise<Answer> {
    return this.send("GET", `/v2/${name}/manifests/${reference}`);
  }

  delete(kind: "manifests" | "blobs", reference: string): Promise<Answer> {
    return this.send("DELETE", `/v2/${this.name}/${kind}/${reference}`);
  }

  mount({ digest }: Sample, from: string, name = this.name): Promise<Answer> {
    return this.send("POST", `/v2/${name}/blobs/uploads/?mount=${digest}&from=${from}`);
  }

  /** The digest of what a pull of the blob gives, `absent`, or why it broke off. */
  async pullBlob(digest: Digest, name = this.name): Promise<string> {
    const { registry, objects } = this.registry;
    const content = await registry.blobs.find(repositoryOf(name), digest).catch(unlessUnknown);
    if (content === undefined) return "absent";
    const hasher = new Bun.CryptoHasher("sha256");
    const range = { start: 0, end: content.sizeBytes };
    for await (const piece of objects.readStream(blobKey(digest), range)) hasher.update(piece);
    return `sha256:${hasher.digest("hex")}`;
  }

  async purge(ageMs: number): Promise<void> {
    const { links, uploads } = this.registry;
    const { clock } = this;
    const options = { links, uploads, clock, logger: silentLogger, ageMs, isDryRun: false };
    await purgeStaleUploads(options, new AbortController().signal);
  }

  /** What a client finds who pulls by this reference: a digest, or what is wrong. */
  async pulled(reference: string, name = this.name): Promise<string> {
    const { status, bytes } = await this.getManifest(reference, name);
    if (status === 404) return "absent";
    if (status !== 200) return `status ${status}`;
    for (const [, digest] of new TextDecoder().decode(bytes).matchAll(/"digest":"([^"]+)"/g)) {
      const actual = await this.pullBlob(digest as Digest, name);
      if (actual !== digest) return `a manifest that needs ${digest}, which is ${actual}`;
    }
    return digestOf(bytes);
  }
}
