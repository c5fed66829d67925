/**
 * SIGTERM while large blobs are on their way in both directions: each of them arrives whole, and
 * then the registry ends by itself.
 */
import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { join } from "node:path";
import { removeFolder, temporaryFolder } from "../support/run-folder.ts";
import { BerthProcess } from "./berth-process.ts";
import { type Figure, none, type Rig, type RigOptions } from "./rig.ts";
import { SeededRandom } from "./seeded-random.ts";

const sizes = {
  short: { transfers: 6, sizeBytes: 24_000_000 },
  long: { transfers: 20, sizeBytes: 100_000_000 },
} as const;

const repository = "team/large";

export const drain: Rig = {
  name: "drain",
  fault: "SIGTERM with 20 transfers of 100 MB",
  async run(options) {
    const folder = temporaryFolder("drain");
    try {
      await using berth = new BerthProcess({ dataFolder: join(folder, "data") });
      return await strike(berth, options);
    } finally {
      removeFolder(folder);
    }
  },
};

async function strike(berth: BerthProcess, { seed, form }: RigOptions): Promise<readonly Figure[]> {
  const { transfers: count, sizeBytes } = sizes[form];
  const body = new SeededRandom(`drain ${seed}`).bytes(sizeBytes);
  const blobs = Array.from({ length: count / 2 + 1 }, (_, index) => new LargeBlob(index, body));
  const [source, ...uploaded] = blobs;
  if (source === undefined) throw new Error("there is no blob");
  await berth.start();
  const broken: string[] = [];
  const first = await Upload.begin(berth.port, source);
  if ((await first.finish()) !== 201) broken.push("the blob to pull could not be pushed");

  const uploads = await Promise.all(uploaded.map((blob) => Upload.begin(berth.port, blob)));
  const pulls = await Promise.all(uploaded.map(() => Pull.begin(berth.port, source)));
  const ended = berth.stop();
  await untilRefused(berth.port);
  const statuses = Promise.all(uploads.map((upload) => upload.finish()));
  const pulled = Promise.all(pulls.map((pull) => pull.finish()));
  for (const [index, status] of (await statuses).entries()) {
    if (status !== 201) broken.push(`push ${index}: ${status ?? "no answer"}`);
  }
  for (const [index, digest] of (await pulled).entries()) {
    if (digest !== source.digest) broken.push(`pull ${index}: other bytes, or too few`);
  }
  const code = await ended;

  await berth.start();
  const lost: string[] = [];
  for (const [index, blob] of uploaded.entries()) {
    const pull = await Pull.begin(berth.port, blob);
    if ((await pull.finish()) !== blob.digest) lost.push(`push ${index}`);
  }
  return [
    none("transfers broken", broken),
    none("blobs that are not there after it", lost),
    { name: "exit code", value: code ?? -1, target: "0", holds: code === 0 },
  ];
}

/** Resolves when the registry takes no connection any more. */
async function untilRefused(port: number): Promise<void> {
  for (;;) {
    const socket = connect(port, "127.0.0.1");
    const isOpen = await once(socket, "connect").then(
      () => true,
      () => false,
    );
    socket.destroy();
    if (!isOpen) return;
    await Bun.sleep(1);
  }
}

/** Bytes that all blobs share, behind a few that make each another. */
class LargeBlob {
  readonly head: Uint8Array;
  readonly body: Uint8Array;
  readonly digest: string;

  constructor(index: number, body: Uint8Array) {
    this.head = new TextEncoder().encode(`blob ${index}\n`);
    this.body = body;
    const hasher = new Bun.CryptoHasher("sha256").update(this.head).update(body);
    this.digest = `sha256:${hasher.digest("hex")}`;
  }

  get sizeBytes(): number {
    return this.head.byteLength + this.body.byteLength;
  }
}

/** A push in one request, of which half is sent. */
class Upload {
  readonly #socket: Socket;
  readonly #rest: Uint8Array;

  private constructor(socket: Socket, rest: Uint8Array) {
    this.#socket = socket;
    this.#rest = rest;
  }

  static async begin(port: number, blob: LargeBlob): Promise<Upload> {
    const socket = await open(port);
    const half = Math.floor(blob.body.byteLength / 2);
    socket.write(
      `POST /v2/${repository}/blobs/uploads/?digest=${blob.digest} HTTP/1.1\r\nHost: localhost\r\n` +
        `Content-Type: application/octet-stream\r\nContent-Length: ${blob.sizeBytes}\r\n\r\n`,
    );
    socket.write(blob.head);
    await write(socket, blob.body.subarray(0, half));
    return new Upload(socket, blob.body.subarray(half));
  }

  /** Sends the rest, and returns the status; undefined without an answer. */
  async finish(): Promise<number | undefined> {
    await write(this.#socket, this.#rest);
    let text = "";
    for await (const bytes of this.#socket as AsyncIterable<Buffer>) {
      text += bytes.toString("latin1");
      if (text.includes("\r\n\r\n")) break;
    }
    this.#socket.destroy();
    const status = /^HTTP\/1\.1 (\d+)/.exec(text)?.[1];
    return status === undefined ? undefined : Number(status);
  }
}

/** A pull of which the first bytes have come; the rest waits until somebody reads. */
class Pull {
  readonly #socket: Socket;
  readonly #sizeBytes: number;

  private constructor(socket: Socket, sizeBytes: number) {
    this.#socket = socket;
    this.#sizeBytes = sizeBytes;
  }

  static async begin(port: number, blob: LargeBlob): Promise<Pull> {
    const socket = await open(port);
    socket.write(
      `GET /v2/${repository}/blobs/${blob.digest} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n`,
    );
    await once(socket, "readable");
    return new Pull(socket, blob.sizeBytes);
  }

  /** Reads the rest, and returns the digest of it all; undefined when bytes are missing. */
  async finish(): Promise<string | undefined> {
    const hasher = new Bun.CryptoHasher("sha256");
    let head: Buffer | undefined = Buffer.alloc(0);
    let sizeBytes = 0;
    const socket: AsyncIterable<Buffer> = this.#socket;
    for await (const bytes of socket) {
      let body = bytes;
      if (head !== undefined) {
        head = Buffer.concat([head, bytes]);
        const end = head.indexOf("\r\n\r\n");
        if (end === -1) continue;
        body = head.subarray(end + 4);
        head = undefined;
      }
      hasher.update(body);
      sizeBytes += body.byteLength;
    }
    return sizeBytes === this.#sizeBytes ? `sha256:${hasher.digest("hex")}` : undefined;
  }
}

async function open(port: number): Promise<Socket> {
  const socket = connect(port, "127.0.0.1");
  await once(socket, "connect");
  // What breaks shows as missing bytes.
  socket.on("error", () => undefined);
  return socket;
}

async function write(socket: Socket, bytes: Uint8Array): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  socket.write(bytes, () => resolve());
  await promise;
}
