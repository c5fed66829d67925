/**
 * Pushes over a network that cuts the connection after every so many bytes, resets it, or lets
 * bytes drip: the client asks where to go on, goes on there, and what it pushed is right.
 */
import { join } from "node:path";
import { mediaTypes } from "../../src/oci/media-type.ts";
import { digestOf, octetStream } from "../support/distribution-client.ts";
import { type Fault, FaultProxy } from "../support/fault-proxy.ts";
import { removeFolder, temporaryFolder } from "../support/run-folder.ts";
import { BerthProcess } from "./berth-process.ts";
import { checkDisk } from "./disk-check.ts";
import { type Answer, RegistryClient } from "./registry-client.ts";
import { type Figure, none, type Rig, type RigOptions } from "./rig.ts";
import { imageOf, sampleOf } from "./samples.ts";
import { SeededRandom } from "./seeded-random.ts";

const counts = {
  short: { cuts: 30, drips: 2 },
  long: { cuts: 300, drips: 30 },
} as const;

const chunkBytes = 30_000;
const layerBytes = 3 * chunkBytes - 1;
const repository = "team/app";
const shareMin = 0.99;

export const cutConnections: Rig = {
  name: "cut-connections",
  fault: "connections cut after N bytes, reset, dripping",
  async run(options) {
    const folder = temporaryFolder("cut");
    try {
      await using berth = new BerthProcess({ dataFolder: join(folder, "data") });
      await berth.start();
      await using proxy = await FaultProxy.start(berth.port);
      return await strike(berth, proxy, options);
    } finally {
      removeFolder(folder);
    }
  },
};

async function strike(
  berth: BerthProcess,
  proxy: FaultProxy,
  { seed, form, say }: RigOptions,
): Promise<readonly Figure[]> {
  const random = new SeededRandom(`cut ${seed}`);
  const direct = new RegistryClient(berth.origin);
  const client = new RegistryClient(proxy.origin, { keepsConnections: false });
  const corrupt: string[] = [];
  const failed: string[] = [];
  let resumed = 0;
  let busy = 0;
  const suffer = async (fault: Fault): Promise<void> => {
    const push = new Push(client, random);
    const name = JSON.stringify(fault);
    proxy.set(fault);
    const problem = await push.tryTwice(() => proxy.set({}));
    if (problem === undefined) resumed += 1;
    else failed.push(`${name}: ${problem}`);
    busy += push.busyCount;
    // What did not work is repeated until it does: its bytes must be right in any case.
    const attemptsMax = problem === undefined ? 0 : 20;
    for (let attempt = 0; attempt < attemptsMax; attempt += 1) {
      if ((await push.tryTwice(() => undefined)) === undefined) break;
    }
    const wrong = await push.check(direct);
    if (wrong !== undefined) corrupt.push(`${name}: ${wrong}`);
  };

  proxy.set({});
  await new Push(client, random).run();
  const pushBytes = proxy.countedBytes;
  const { cuts, drips } = counts[form];
  for (let index = 0; index < cuts; index += 1) {
    const cutAfterBytes = Math.floor(((index + random.next()) * pushBytes) / cuts);
    await suffer({ cutAfterBytes, how: index % 2 === 0 ? "close" : "reset" });
    if (index % 100 === 99) say(`${index + 1} cuts`);
  }
  for (let index = 0; index < drips; index += 1) {
    const slice = { sizeBytes: random.integer(100, 2_000), pauseMs: 1 };
    await suffer({
      slice,
      ...(index % 2 === 1 && { cutAfterBytes: random.integer(1, pushBytes) }),
    });
  }
  await berth.stop();
  corrupt.push(...checkDisk(berth.dataFolder).corrupt);
  const share = resumed / (cuts + drips);
  return [
    none("images with wrong bytes, or none", corrupt),
    {
      name: "pushes that went on at the first retry, %",
      value: share * 100,
      target: "≥ 99",
      holds: share >= shareMin,
      evidence: failed.slice(0, 8),
    },
    {
      name: "pushes that were told to ask again, the cut not being noticed yet",
      value: busy,
      target: "any",
      holds: true,
    },
    none(
      "answers of 5xx",
      client.failures.map(({ text }) => text),
    ),
  ];
}

/** A push of one layer in chunks, a config in one request, and a manifest, that can go on. */
class Push {
  readonly #client: RegistryClient;
  readonly #layer: Uint8Array<ArrayBuffer>;
  readonly #config: Uint8Array<ArrayBuffer>;
  readonly #manifest: Uint8Array<ArrayBuffer>;
  readonly #tag: string;
  #location: string | undefined;
  /** How often the registry was still busy with a request that had been cut. */
  busyCount = 0;

  constructor(client: RegistryClient, random: SeededRandom) {
    this.#client = client;
    this.#layer = random.bytes(layerBytes);
    this.#config = new TextEncoder().encode(JSON.stringify({ os: "linux", id: random.next() }));
    this.#tag = `v${random.integer(1, 1_000_000)}`;
    this.#manifest = imageOf(sampleOf(this.#config), [sampleOf(this.#layer)]).bytes;
  }

  /** Pushes, and once more where that breaks off; why it did not work, or undefined. */
  async tryTwice(beforeRetry: () => void): Promise<string | undefined> {
    try {
      await this.run();
      return undefined;
    } catch {
      beforeRetry();
    }
    try {
      await this.run();
      return undefined;
    } catch (error) {
      return String(error);
    }
  }

  /** Begins, or goes on where the registry says that it is. */
  async run(): Promise<void> {
    await this.#pushLayer();
    await this.#pushConfig();
    const path = `/v2/${repository}/manifests/${this.#tag}`;
    const headers = { "content-type": mediaTypes.ociManifest };
    await this.#expect(201, "PUT", path, { headers, body: this.#manifest });
  }

  /** What is wrong with the image as it is served; undefined when nothing is. */
  async check(direct: RegistryClient): Promise<string | undefined> {
    const manifest = await direct.send("GET", `/v2/${repository}/manifests/${this.#tag}`);
    if (digestOf(manifest.body) !== digestOf(this.#manifest)) return `manifest ${manifest.status}`;
    for (const bytes of [this.#layer, this.#config]) {
      const blob = await direct.send("GET", `/v2/${repository}/blobs/${digestOf(bytes)}`);
      if (digestOf(blob.body) !== digestOf(bytes)) return `a blob ${blob.status}`;
    }
    return undefined;
  }

  /**
   * Pushes the layer. The registry may not have noticed yet that the request before was cut, and
   * refuses a second one beside it (416): then the client asks again, as it is told.
   */
  async #pushLayer(): Promise<void> {
    for (let asked = 0; ; asked += 1) {
      const answer = await this.#pushLayerOnce();
      if (answer === undefined || answer.status === 201) return;
      if (answer.status !== 416 || asked === askedMax) throw unexpected("the layer", answer);
      if (asked === 0) this.busyCount += 1;
      await Bun.sleep(askAgainMs);
    }
  }

  /** The answer that ended it; undefined when the registry has the layer already. */
  async #pushLayerOnce(): Promise<Answer | undefined> {
    const digest = digestOf(this.#layer);
    if (await this.#has(digest)) return undefined;
    let offset = await this.#findOffset();
    const none = { "content-length": "0" };
    if (offset === undefined) {
      offset = 0;
      const begun = await this.#expect(202, "POST", uploads, { headers: none });
      this.#location = begun.headers.get("location") ?? "";
    }
    while (offset < layerBytes) {
      const body = this.#layer.slice(offset, offset + chunkBytes);
      const range = `${offset}-${offset + body.byteLength - 1}`;
      const headers = { ...octetStream, "content-range": range };
      const answer = await this.#client.send("PATCH", this.#location ?? "", { headers, body });
      if (answer.status !== 202) return answer;
      offset += body.byteLength;
    }
    return this.#client.send("PUT", `${this.#location}?digest=${digest}`, { headers: none });
  }

  /** Where an upload that was begun stands; undefined when there is none. */
  async #findOffset(): Promise<number | undefined> {
    if (this.#location === undefined) return undefined;
    const { status, headers } = await this.#client.send("GET", this.#location);
    if (status !== 204) return undefined;
    const last = Number(headers.get("range")?.slice(2));
    return last === 0 ? 0 : last + 1;
  }

  async #pushConfig(): Promise<void> {
    const digest = digestOf(this.#config);
    if (await this.#has(digest)) return;
    const options = { headers: octetStream, body: this.#config };
    await this.#expect(201, "POST", `${uploads}?digest=${digest}`, options);
  }

  async #has(digest: string): Promise<boolean> {
    const { status } = await this.#client.send("HEAD", `/v2/${repository}/blobs/${digest}`);
    return status === 200;
  }

  async #expect(status: number, ...request: Parameters<RegistryClient["send"]>): Promise<Answer> {
    const answer = await this.#client.send(...request);
    const [method, target] = request;
    if (answer.status !== status) throw unexpected(`${method} ${target}`, answer);
    return answer;
  }
}

/** How often, and how soon, a client asks that was told to. */
const askedMax = 100;
const askAgainMs = 5;

function unexpected(action: string, { status, body }: Answer): Error {
  return new Error(`${action}: ${status} ${new TextDecoder().decode(body)}`);
}

const uploads = `/v2/${repository}/blobs/uploads/`;
