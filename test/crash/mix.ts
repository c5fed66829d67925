/**
 * What real registries are asked to do, a thousand requests at a time: mostly pulls of blobs, of
 * which few are asked for most. The shares are those of production traces (Anwar et al., FAST
 * 2018, and what GitLab.com has published); large blobs are cut at a size that keeps the network
 * stack of one machine from being all that is measured.
 */
import { mediaTypes } from "../../src/oci/media-type.ts";
import { digestOf, octetStream } from "../support/distribution-client.ts";
import type { Answer, RegistryClient, SendOptions } from "./registry-client.ts";
import type { SeededRandom } from "./seeded-random.ts";

const kibibyte = 1024;

/** Sizes that this share of the blobs does not exceed. */
const sizeSteps = [
  { share: 0.25, sizeBytes: 30 * kibibyte },
  { share: 0.5, sizeBytes: 300 * kibibyte },
  { share: 0.65, sizeBytes: 1024 * kibibyte },
  { share: 1, sizeBytes: 4096 * kibibyte },
] as const;
const smallestBytes = 200;
/** Pushed blobs are smaller: the disk would be full before the time is over. */
const pushedBytesMax = 200 * kibibyte;
/** Bodies up to this size are always hashed, one in a hundred of the others. */
const smallBytes = 64 * kibibyte;

const layersPerImage = 8;
const repositoriesCount = 20;
const zipfExponent = 0.9;
/** Tags of a repository that pushes move from image to image. */
const movingTags = 10;

interface Image {
  readonly repository: string;
  readonly tag: string;
  readonly digest: string;
  readonly blobs: readonly Descriptor[];
}

interface Descriptor {
  readonly mediaType: string;
  readonly digest: string;
  readonly size: number;
}

type Action = (image: Image) => Promise<void>;

export class Mix {
  readonly #client: RegistryClient;
  readonly #random: SeededRandom;
  readonly #images: Image[] = [];
  /** Sums of the popularity of the images before each. */
  readonly #popularity: number[] = [];
  readonly #actions: readonly { readonly weight: number; readonly run: Action }[];
  readonly #weightSum: number;
  /** Answers that should not have come, and bodies with other bytes. */
  readonly wrong: string[] = [];
  requests = 0;

  constructor(client: RegistryClient, random: SeededRandom) {
    this.#client = client;
    this.#random = random;
    this.#actions = [
      { weight: 20, run: () => this.#expect("GET", "/v2/") },
      { weight: 90, run: (image) => this.#expect("HEAD", manifestPath(image, image.tag)) },
      { weight: 90, run: (image) => this.#pull(manifestPath(image, image.tag), image.digest) },
      { weight: 130, run: (image) => this.#pull(manifestPath(image, image.digest), image.digest) },
      { weight: 456, run: (image) => this.#pullBlob(image) },
      { weight: 24, run: (image) => this.#pullPart(image) },
      { weight: 60, run: (image) => this.#expect("HEAD", blobPath(image, this.#blobOf(image))) },
      { weight: 25, run: (image) => this.#upload(image.repository, this.#newBlob(pushedBytesMax)) },
      { weight: 12, run: (image) => this.#pushManifest(image) },
      { weight: 12, run: ({ repository }) => this.#expect("GET", `/v2/${repository}/tags/list`) },
      {
        weight: 12,
        run: ({ repository, digest }) =>
          this.#expect("GET", `/v2/${repository}/referrers/${digest}`),
      },
      { weight: 1, run: () => this.#expect("GET", "/v2/_catalog") },
      { weight: 3, run: (image) => this.#deleteTag(image) },
    ];
    this.#weightSum = this.#actions.reduce((sum, { weight }) => sum + weight, 0);
  }

  /** Pushes what the mix pulls. */
  async prepare(imagesCount: number): Promise<void> {
    const shared: Uint8Array<ArrayBuffer>[] = [];
    for (let index = 0; index < imagesCount; index += 1) {
      const repository = `team-${index % repositoriesCount}/app`;
      const blobs: Descriptor[] = [];
      for (let layer = 0; layer < layersPerImage; layer += 1) {
        const isShared = shared.length > 0 && this.#random.chance(0.6);
        const bytes = isShared ? this.#random.pick(shared) : this.#newBlob(Infinity);
        if (!isShared && shared.length < 20) shared.push(bytes);
        await this.#upload(repository, bytes);
        blobs.push(descriptor("application/vnd.oci.image.layer.v1.tar", bytes));
      }
      await this.#pushImage({ repository, tag: `v${index}`, blobs }, (image) => {
        this.#images.push(image);
      });
      const before = this.#popularity.at(-1) ?? 0;
      this.#popularity.push(before + (index + 1) ** -zipfExponent);
    }
  }

  /**
   * Pushes so many manifests beside those that are pulled. Memory that a registry keeps what was
   * pushed last in, up to a limit, is full then, and its filling is not taken for a leak.
   */
  async fill(manifestsCount: number): Promise<void> {
    for (let index = 0; index < manifestsCount; index += 1) {
      const { repository, blobs } = this.#random.pick(this.#images);
      const [config, ...layers] = blobs;
      const annotations = { id: String(this.#random.next()) };
      const manifest = {
        schemaVersion: 2,
        mediaType: mediaTypes.ociManifest,
        config,
        layers,
        annotations,
      };
      const body = new TextEncoder().encode(JSON.stringify(manifest));
      const headers = { "content-type": mediaTypes.ociManifest };
      const path = manifestPath({ repository }, digestOf(body));
      await this.#send(201, "PUT", path, { headers, body });
    }
  }

  /** One action of the mix. */
  async step(): Promise<void> {
    const image = this.#popularImage();
    let left = this.#random.next() * this.#weightSum;
    for (const { weight, run } of this.#actions) {
      left -= weight;
      if (left < 0) {
        await run(image);
        return;
      }
    }
  }

  #popularImage(): Image {
    const sum = this.#popularity.at(-1) ?? 0;
    const at = this.#random.next() * sum;
    const image = this.#images[this.#popularity.findIndex((before) => at < before)];
    if (image === undefined) throw new Error("nothing was prepared");
    return image;
  }

  #blobOf({ blobs }: Image): Descriptor {
    return this.#random.pick(blobs);
  }

  #newBlob(sizeBytesMax: number): Uint8Array<ArrayBuffer> {
    const share = this.#random.next();
    let from = smallestBytes;
    for (const step of sizeSteps) {
      if (share < step.share) {
        const sizeBytes = this.#random.logarithmic(from, step.sizeBytes);
        return this.#random.bytes(Math.min(sizeBytes, sizeBytesMax));
      }
      from = step.sizeBytes;
    }
    throw new Error("the last step takes all");
  }

  async #pullBlob(image: Image): Promise<void> {
    const { digest, size } = this.#blobOf(image);
    const isHashed = size <= smallBytes || this.#random.chance(0.01);
    await this.#pull(blobPath(image, { digest }), isHashed ? digest : undefined);
  }

  /** The rest of a blob whose first half has come. */
  async #pullPart(image: Image): Promise<void> {
    const { digest, size } = this.#blobOf(image);
    const half = Math.floor(size / 2);
    const headers = { range: `bytes=${half}-` };
    const answer = await this.#send(206, "GET", blobPath(image, { digest }), { headers });
    if (answer.body.byteLength !== size - half) this.wrong.push(`${digest}: a range is too short`);
  }

  async #pull(path: string, digest: string | undefined): Promise<void> {
    const { body } = await this.#send(200, "GET", path);
    if (digest === undefined || digestOf(body) === digest) return;
    this.wrong.push(`GET ${path}: other bytes`);
  }

  async #upload(repository: string, bytes: Uint8Array<ArrayBuffer>): Promise<void> {
    const headers = { "content-length": "0" };
    const uploads = `/v2/${repository}/blobs/uploads/`;
    const begun = await this.#send(202, "POST", uploads, { headers });
    let location = begun.headers.get("location") ?? "";
    const isChunked = this.#random.chance(0.8);
    if (isChunked) {
      const sent = await this.#send(202, "PATCH", location, { headers: octetStream, body: bytes });
      location = sent.headers.get("location") ?? "";
    }
    const target = `${location}?digest=${digestOf(bytes)}`;
    const rest = isChunked ? { headers } : { headers: octetStream, body: bytes };
    await this.#send(201, "PUT", target, rest);
  }

  /** The blobs of an image under a new manifest, and a tag that moves to it. */
  async #pushManifest({ repository, blobs }: Image): Promise<void> {
    const tag = `ci-${this.#random.integer(1, movingTags)}`;
    await this.#pushImage({ repository, tag, blobs }, () => undefined);
  }

  async #pushImage(
    image: Pick<Image, "repository" | "tag" | "blobs">,
    onPushed: (image: Image) => void,
  ): Promise<void> {
    const { repository, tag, blobs } = image;
    const config = new TextEncoder().encode(JSON.stringify({ id: this.#random.next() }));
    await this.#upload(repository, config);
    const manifest = {
      schemaVersion: 2,
      mediaType: mediaTypes.ociManifest,
      config: descriptor(mediaTypes.ociConfig, config),
      layers: blobs,
    };
    const body = new TextEncoder().encode(JSON.stringify(manifest));
    const headers = { "content-type": mediaTypes.ociManifest };
    await this.#send(201, "PUT", manifestPath(image, tag), { headers, body });
    onPushed({ ...image, digest: digestOf(body) });
  }

  async #deleteTag(image: Image): Promise<void> {
    const tag = `ci-${this.#random.integer(1, movingTags)}`;
    await this.#send([202, 404], "DELETE", manifestPath(image, tag));
  }

  async #expect(method: string, path: string): Promise<void> {
    await this.#send(200, method, path);
  }

  async #send(
    status: number | readonly number[],
    ...request: [method: string, target: string, options?: SendOptions]
  ): Promise<Answer> {
    this.requests += 1;
    const answer = await this.#client.send(...request);
    const [method, target] = request;
    if (![status].flat().includes(answer.status)) {
      this.wrong.push(`${method} ${target}: ${answer.status}`);
    }
    return answer;
  }
}

function manifestPath({ repository }: Pick<Image, "repository">, reference: string): string {
  return `/v2/${repository}/manifests/${reference}`;
}

function blobPath({ repository }: Image, { digest }: Pick<Descriptor, "digest">): string {
  return `/v2/${repository}/blobs/${digest}`;
}

function descriptor(mediaType: string, bytes: Uint8Array): Descriptor {
  return { mediaType, digest: digestOf(bytes), size: bytes.byteLength };
}
