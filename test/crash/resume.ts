/**
 * `kill -9` in the middle of large chunked uploads: each goes on where its last chunk was
 * acknowledged, and ends as the right blob.
 */
import { join } from "node:path";
import { digestOf, octetStream } from "../support/distribution-client.ts";
import { removeFolder, temporaryFolder } from "../support/run-folder.ts";
import { BerthProcess } from "./berth-process.ts";
import { type Answer, RegistryClient } from "./registry-client.ts";
import { type Figure, none, type Rig, type RigOptions } from "./rig.ts";
import { SeededRandom } from "./seeded-random.ts";

const mebibyte = 1 << 20;
const sizes = {
  short: { uploads: 4, sizeBytes: 4 * mebibyte, chunkBytesMax: mebibyte },
  long: { uploads: 50, sizeBytes: 64 * mebibyte, chunkBytesMax: 8 * mebibyte },
} as const;

/** Uploads that one kill strikes. */
const batchSize = 5;
const repository = "team/large";

export const resume: Rig = {
  name: "resume",
  fault: "64 MiB chunked uploads across kill -9",
  async run(options) {
    const { seed, form, say } = options;
    const random = new SeededRandom(`resume ${seed}`);
    const { uploads: count } = sizes[form];
    const found: Findings = { astray: [], wrong: [], failures: [] };
    for (let done = 0; done < count; done += batchSize) {
      const batch = { first: done, count: Math.min(batchSize, count - done), form };
      await strike(batch, random.fork(done), found);
      say(`${done + batch.count} uploads`);
    }
    return figures(count, found);
  },
};

interface Findings {
  /** Uploads that went on elsewhere than they had to. */
  readonly astray: string[];
  readonly wrong: string[];
  readonly failures: string[];
}

function figures(count: number, { astray, wrong, failures }: Findings): readonly Figure[] {
  return [
    {
      name: "uploads that went on at the acknowledged offset",
      value: count - astray.length,
      target: String(count),
      holds: astray.length === 0,
      evidence: astray.slice(0, 8),
    },
    none("uploads that did not end as the right blob", wrong),
    none("answers of 5xx", failures),
  ];
}

/** A batch of uploads to a registry of their own: large blobs are not kept longer than needed. */
async function strike(
  batch: { readonly first: number; readonly count: number; readonly form: RigOptions["form"] },
  random: SeededRandom,
  found: Findings,
): Promise<void> {
  const folder = temporaryFolder("resume");
  try {
    await using berth = new BerthProcess({ dataFolder: join(folder, "data") });
    const client = new RegistryClient(berth.origin);
    const uploads = Array.from(
      { length: batch.count },
      (_, index) => new Upload({ client, random: random.fork(index), ...sizes[batch.form] }),
    );
    await berth.start();
    await killAmid(uploads, { berth, random });
    await berth.start();
    for (const [index, upload] of uploads.entries()) {
      const name = `upload ${batch.first + index}`;
      const held = await upload.findOffset();
      if (!upload.possibleOffsets.includes(held)) {
        found.astray.push(`${name}: at ${held}, not at ${upload.possibleOffsets.join(" or ")}`);
      }
      const status = await upload.finish(held);
      if (status !== 201) found.wrong.push(`${name}: ended with ${status}`);
      else if (!(await upload.isPulled())) found.wrong.push(`${name}: other bytes`);
    }
    found.failures.push(...client.failures.map(({ text }) => text));
  } finally {
    removeFolder(folder);
  }
}

/** Sends the chunks of all at once, and kills when one of them has come to a random point. */
async function killAmid(
  uploads: readonly Upload[],
  { berth, random }: { readonly berth: BerthProcess; readonly random: SeededRandom },
): Promise<void> {
  const chunksMin = Math.min(...uploads.map(({ chunksCount }) => chunksCount));
  const [first] = uploads;
  if (first === undefined) return;
  const { promise: reached, resolve: reach } = Promise.withResolvers<void>();
  const chunks = random.integer(1, Math.max(1, chunksMin - 2));
  const sending = uploads.map((upload) =>
    upload.send((sent) => {
      if (upload === first && sent === chunks) reach();
    }),
  );
  await Promise.race([reached, ...sending]);
  await Bun.sleep(random.next() * 20);
  for (const upload of uploads) upload.interrupt();
  await berth.kill();
  await Promise.all(sending);
}

interface UploadParts {
  readonly client: RegistryClient;
  readonly random: SeededRandom;
  readonly sizeBytes: number;
  readonly chunkBytesMax: number;
}

class Upload {
  readonly #digest: string;
  readonly #client: RegistryClient;
  readonly #bytes: Uint8Array<ArrayBuffer>;
  /** Where each chunk ends. */
  readonly #ends: number[] = [];
  #location = "";
  #acknowledged = 0;
  #sent = 0;
  #isInterrupted = false;

  constructor({ client, random, sizeBytes, chunkBytesMax }: UploadParts) {
    this.#client = client;
    this.#bytes = random.bytes(sizeBytes);
    this.#digest = digestOf(this.#bytes);
    for (let end = 0; end < sizeBytes; this.#ends.push(end)) {
      end = Math.min(sizeBytes, end + random.integer(chunkBytesMax / 8, chunkBytesMax));
    }
  }

  get chunksCount(): number {
    return this.#ends.length;
  }

  /** What was acknowledged; or all that was sent, when only the answer was lost. */
  get possibleOffsets(): readonly number[] {
    return [this.#acknowledged, this.#sent];
  }

  /** From here on a connection may break off. */
  interrupt(): void {
    this.#isInterrupted = true;
  }

  /** Sends chunk after chunk until all are sent, or the registry is gone. */
  async send(onChunk: (count: number) => void): Promise<void> {
    try {
      const begun = await this.#client.send("POST", `/v2/${repository}/blobs/uploads/`, {
        headers: { "content-length": "0" },
      });
      this.#location = locationOf(begun);
      for (const [index, end] of this.#ends.entries()) {
        if (this.#isInterrupted) return;
        await this.#append(this.#acknowledged, end);
        onChunk(index + 1);
      }
    } catch (error) {
      if (!this.#isInterrupted) throw error;
    }
  }

  /** Where the registry would go on; -1 when it does not know the upload. */
  async findOffset(): Promise<number> {
    if (this.#location === "") return 0;
    const { status, headers } = await this.#client.send("GET", this.#location);
    if (status !== 204) return -1;
    const last = Number(headers.get("range")?.slice(2));
    // `0-0` is said of none too; no chunk is one byte long.
    return last === 0 ? 0 : last + 1;
  }

  /** Sends the rest from `offset` on, and returns the status of the end. */
  async finish(offset: number): Promise<number> {
    if (this.#location === "") await this.send(() => undefined);
    else if (offset < 0) return 404;
    else {
      this.#acknowledged = offset;
      for (const end of this.#ends) if (end > offset) await this.#append(this.#acknowledged, end);
    }
    const target = `${this.#location}?digest=${this.#digest}`;
    const headers = { "content-length": "0" };
    return (await this.#client.send("PUT", target, { headers })).status;
  }

  /** Whether the blob can be pulled, with the right bytes. */
  async isPulled(): Promise<boolean> {
    const pulled = await this.#client.send("GET", `/v2/${repository}/blobs/${this.#digest}`);
    return digestOf(pulled.body) === this.#digest;
  }

  async #append(start: number, end: number): Promise<void> {
    this.#sent = end;
    const headers = { ...octetStream, "content-range": `${start}-${end - 1}` };
    const body = this.#bytes.slice(start, end);
    this.#location = locationOf(
      await this.#client.send("PATCH", this.#location, { headers, body }),
    );
    this.#acknowledged = end;
  }
}

function locationOf({ status, headers }: Answer): string {
  const location = headers.get("location");
  if (status !== 202 || location === null) throw new Error(`an upload was answered by ${status}`);
  return location;
}
