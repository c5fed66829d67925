/**
 * A client of the distribution specification that pushes a blob in every way the specification
 * knows and checks each answer on the way. It asks by plain requests, so that what fails is one
 * request with one answer.
 */
import { expect } from "bun:test";

export type Algorithm = "sha256" | "sha512";

export interface Upload {
  readonly repository: string;
  readonly bytes: Uint8Array;
  readonly digest: string;
}

/** A part of a blob, and its offset in it. */
export interface Chunk {
  readonly start: number;
  readonly bytes: Uint8Array;
}

export const octetStream = { "content-type": "application/octet-stream" };

export function digestOf(bytes: Uint8Array, algorithm: Algorithm = "sha256"): string {
  return `${algorithm}:${new Bun.CryptoHasher(algorithm).update(bytes).digest("hex")}`;
}

export class DistributionClient {
  readonly #origin: string;

  constructor(origin: string) {
    this.#origin = origin;
  }

  /** Sends one request and expects one of these statuses. */
  async send(
    statuses: number | readonly number[],
    path: string,
    init: BunFetchRequestInit = {},
  ): Promise<Response> {
    const answer = await fetch(this.resolve(path), { ...init, redirect: "manual" });
    const allowed = typeof statuses === "number" ? [statuses] : statuses;
    if (!allowed.includes(answer.status)) {
      const asked = `${init.method ?? "GET"} ${path}`;
      throw new Error(
        `${asked}: ${answer.status}, not ${allowed.join(" or ")}: ${await answer.text()}`,
      );
    }
    return answer;
  }

  resolve(location: string): string {
    return new URL(location, this.#origin).href;
  }

  /** Begins an upload and returns its Location. */
  async begin(repository: string): Promise<string> {
    const path = `/v2/${repository}/blobs/uploads/`;
    const headers = { "content-length": "0" };
    return location(await this.send(202, path, { method: "POST", headers }));
  }

  async sendChunk(at: string, chunk: Chunk, status = 202): Promise<Response> {
    const { start, bytes } = chunk;
    const headers = {
      ...octetStream,
      "content-range": `${start}-${start + bytes.length - 1}`,
    };
    return this.send(status, at, { method: "PATCH", headers, body: bytes });
  }

  /** Ends an upload, with the last bytes where there are any. */
  async end(
    at: string,
    digest: string,
    options: {
      readonly bytes?: Uint8Array;
      readonly start?: number;
      readonly status?: number;
    } = {},
  ): Promise<Response> {
    const url = new URL(this.resolve(at));
    url.searchParams.set("digest", digest);
    const { bytes = new Uint8Array(), start, status = 201 } = options;
    const range =
      start === undefined ? {} : { "content-range": `${start}-${start + bytes.length - 1}` };
    const headers = { ...octetStream, ...range };
    return this.send(status, url.href, { method: "PUT", headers, body: bytes });
  }

  /** The offset that the server holds, as its `Range: 0-N` says it. */
  async expectOffset(at: string, offset: number): Promise<void> {
    const answer = await this.send(204, at);
    expect(answer.headers.get("range")).toBe(`0-${Math.max(0, offset - 1)}`);
  }

  /** A blob that was pushed is there, by its digest and at its Location, and then is deleted. */
  async expectStored(upload: Upload, pushed: Response): Promise<void> {
    const { bytes, digest } = upload;
    const path = `/v2/${upload.repository}/blobs/${digest}`;
    expect(pushed.headers.get("docker-content-digest")).toBe(digest);
    const head = await this.send(200, path, { method: "HEAD" });
    expect(head.headers.get("content-length")).toBe(String(bytes.length));
    expect(head.headers.get("docker-content-digest")).toBe(digest);
    for (const at of [path, location(pushed)]) {
      const got = await this.send(200, at);
      expect(got.headers.get("content-length")).toBe(String(bytes.length));
      expect(got.headers.get("docker-content-digest")).toBe(digest);
      expect(digestOf(await got.bytes(), digest.startsWith("sha512") ? "sha512" : "sha256")).toBe(
        digest,
      );
    }
  }

  async deleteBlob(repository: string, digest: string): Promise<void> {
    const path = `/v2/${repository}/blobs/${digest}`;
    await this.send([202, 404], path, { method: "DELETE" });
    await this.send(404, path, { method: "HEAD" });
  }

  /** Pushes in the simplest way, for tests of other things. */
  async push(repository: string, bytes: Uint8Array, algorithm: Algorithm): Promise<string> {
    const digest = digestOf(bytes, algorithm);
    await this.end(await this.begin(repository), digest, { bytes });
    return digest;
  }
}

export function location(answer: Response): string {
  const value = answer.headers.get("location");
  if (value === null) throw new Error(`the answer ${answer.status} has no Location`);
  return value;
}
