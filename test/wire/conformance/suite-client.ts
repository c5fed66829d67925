/**
 * The requests of the official conformance suite, with what it accepts. As strict as its mode
 * `dev`: every digest header must be there, and nothing may be skipped.
 */
import { expect } from "bun:test";
import { mediaTypes } from "../../../src/oci/media-type.ts";
import type { PushedManifest } from "./data-sets.ts";
import { type Credentials, GoHttpClient, type GoRequest } from "./go-http.ts";

/** The ways of pushing that every blob can take, however small. */
export const pushMethods = [
  "post+put",
  "post only",
  "stream",
  "chunked",
  "chunked, the last in the PUT",
] as const;
/** Those that need three chunks. */
export const outOfOrderMethods = [
  "chunked, each after one out of order",
  "chunked, out of order, the last in the PUT",
] as const;
export type PushMethod = (typeof pushMethods)[number] | (typeof outOfOrderMethods)[number];

const octetStream = { "Content-Type": "application/octet-stream" };
const acceptBoth = { Accept: [mediaTypes.ociIndex, mediaTypes.ociManifest] };
const chunkBytesMin = 1024;
/** A client of one repository. */
export class SuiteClient {
  readonly #name: string;
  readonly #origin: string;
  readonly #http: GoHttpClient;

  constructor(origin: string, name: string, credentials?: Credentials) {
    this.#name = name;
    this.#origin = origin;
    this.#http = new GoHttpClient(origin, credentials);
  }

  /** A path below the repository: `path("tags/list")`. */
  path(rest: string): string {
    return `/v2/${this.#name}/${rest}`;
  }

  close(): void {
    this.#http.close();
  }

  async request(path: string, request: GoRequest & { expected: number }): Promise<Response> {
    const { pathname, search } = new URL(path, this.#origin);
    const target = pathname + search;
    const response = await this.#http.send(target, request);
    if (response.status !== request.expected) {
      const asked = `${request.method} ${target}`;
      const body = await response.text();
      throw new Error(`${asked}: ${response.status}, not ${request.expected}: ${body}`);
    }
    return response;
  }

  // -- blobs

  async pushBlob(digest: string, bytes: Uint8Array, method: PushMethod): Promise<void> {
    const last = await this.sendBlob(digest, bytes, { method, expected: 201 });
    expect(last.headers.get("docker-content-digest")).toBe(digest);
    const location = last.headers.get("location") ?? "";
    const pulled = await this.request(location, { method: "GET", expected: 200 });
    expect(Buffer.from(await pulled.bytes()).equals(bytes)).toBe(true);
  }

  /** Sends a blob in one of the ways and returns the last answer, whose status is `expected`. */
  async sendBlob(
    digest: string,
    bytes: Uint8Array,
    { method, expected }: { readonly method: PushMethod; readonly expected: number },
  ): Promise<Response> {
    const query = digestQuery(digest);
    switch (method) {
      case "post only":
        return this.request(this.path(`blobs/uploads/${query}`), {
          method: "POST",
          headers: octetStream,
          body: bytes,
          expected,
        });
      case "post+put":
        return this.request(`${await this.begin()}${query}`, {
          method: "PUT",
          headers: octetStream,
          body: bytes,
          expected,
        });
      case "stream": {
        const patched = await this.request(await this.begin(), {
          method: "PATCH",
          headers: octetStream,
          body: bytes,
          isLengthUnknown: true,
          expected: 202,
        });
        return this.request(`${locationOf(patched)}${query}`, {
          method: "PUT",
          headers: octetStream,
          expected,
        });
      }
      case "chunked":
      case "chunked, the last in the PUT":
      case "chunked, each after one out of order":
      case "chunked, out of order, the last in the PUT":
        return this.#sendChunks(digest, bytes, {
          isLastInPut: method.endsWith("the last in the PUT"),
          isOutOfOrder: method.includes("out of order"),
          expected,
        });
    }
  }

  async #sendChunks(
    digest: string,
    bytes: Uint8Array,
    how: {
      readonly isLastInPut: boolean;
      readonly isOutOfOrder: boolean;
      readonly expected: number;
    },
  ): Promise<Response> {
    let location = await this.begin();
    const sizeBytes = Math.min(
      Math.max(Math.floor(bytes.byteLength / 3) + 1, chunkBytesMin),
      bytes.byteLength,
    );
    let last: Response | undefined;
    for (let start = 0; start < bytes.byteLength; start += sizeBytes) {
      if (how.isOutOfOrder)
        location = await this.#sendOutOfOrder(location, {
          start,
          sizeBytes,
          digest,
          bytes,
          ...how,
        });
      const end = Math.min(start + sizeBytes, bytes.byteLength);
      const isPut = how.isLastInPut && end === bytes.byteLength;
      last = await this.request(isPut ? `${location}${digestQuery(digest)}` : location, {
        method: isPut ? "PUT" : "PATCH",
        headers: { ...octetStream, "Content-Range": `${start}-${end - 1}` },
        body: bytes.subarray(start, end),
        expected: isPut ? how.expected : 202,
      });
      if (!isPut) location = locationOf(last);
    }
    if (how.isLastInPut && last !== undefined) return last;
    return this.request(`${location}${digestQuery(digest)}`, {
      method: "PUT",
      headers: octetStream,
      expected: how.expected,
    });
  }

  /** A chunk from further on, or from the beginning, then the question how far the session is. */
  async #sendOutOfOrder(
    location: string,
    at: {
      readonly start: number;
      readonly sizeBytes: number;
      readonly digest: string;
      readonly bytes: Uint8Array;
      readonly isLastInPut: boolean;
    },
  ): Promise<string> {
    const ahead = at.start + at.sizeBytes;
    const start = ahead >= at.bytes.byteLength ? 0 : ahead;
    const end = Math.min(start + at.sizeBytes, at.bytes.byteLength);
    const isPut = at.isLastInPut && end === at.bytes.byteLength;
    const url = isPut ? `${location}${digestQuery(at.digest)}` : location;
    await this.request(url, {
      method: isPut ? "PUT" : "PATCH",
      headers: { ...octetStream, "Content-Range": `${start}-${end - 1}` },
      body: at.bytes.subarray(start, end),
      expected: 416,
    });
    const status = await this.request(url, { method: "GET", expected: 204 });
    expect(status.headers.get("range")).toBe(`0-${Math.max(0, at.start - 1)}`);
    return locationOf(status);
  }

  async begin(): Promise<string> {
    const path = this.path(`blobs/uploads/`);
    return locationOf(await this.request(path, { method: "POST", expected: 202 }));
  }

  async mount(digest: string, from: string | undefined, expected: number): Promise<Response> {
    const query = new URLSearchParams({ mount: digest, ...(from !== undefined && { from }) });
    return this.request(this.path(`blobs/uploads/?${query.toString()}`), {
      method: "POST",
      expected,
    });
  }

  async headBlob(digest: string, bytes: Uint8Array): Promise<void> {
    const path = this.path(`blobs/${digest}`);
    const { headers } = await this.request(path, { method: "HEAD", expected: 200 });
    expect(headers.get("content-length")).toBe(String(bytes.byteLength));
    expect(headers.get("docker-content-digest")).toBe(digest);
  }

  async pullBlob(digest: string, bytes: Uint8Array): Promise<void> {
    const path = this.path(`blobs/${digest}`);
    const pulled = await this.request(path, { method: "GET", expected: 200 });
    expect(pulled.headers.get("content-length")).toBe(String(bytes.byteLength));
    expect(pulled.headers.get("docker-content-digest")).toBe(digest);
    expect(Buffer.from(await pulled.bytes()).equals(bytes)).toBe(true);
  }

  async deleteBlob(digest: string): Promise<void> {
    const path = this.path(`blobs/${digest}`);
    await this.request(path, { method: "DELETE", expected: 202 });
    await this.request(path, { method: "HEAD", expected: 404 });
  }

  // -- manifests

  async pushManifest(
    manifest: PushedManifest,
    reference: string,
    tags: readonly string[] = [],
  ): Promise<void> {
    const query = tags.map((tag) => `tag=${tag}`).join("&");
    const { headers } = await this.request(`${this.#manifest(reference)}?${query}`, {
      method: "PUT",
      headers: { "Content-Type": manifest.mediaType },
      body: manifest.bytes,
      isLengthUnknown: true,
      expected: manifest.isCorrupted ? 400 : 201,
    });
    if (manifest.isCorrupted) return;
    expect(headers.get("docker-content-digest")).toBe(manifest.digest);
    expect(headers.get("oci-subject")).toBe(manifest.subject ?? null);
    const confirmed =
      headers
        .get("oci-tag")
        ?.split(",")
        .map((tag) => tag.trim()) ?? [];
    expect(confirmed.sort()).toEqual(tags.toSorted());
    await this.#pull(headers.get("location") ?? "", manifest);
  }

  async headManifest(manifest: PushedManifest, reference: string): Promise<void> {
    const path = this.#manifest(reference);
    const { headers } = await this.request(path, {
      method: "HEAD",
      headers: acceptBoth,
      expected: 200,
    });
    expect(headers.get("content-type")).toBe(manifest.mediaType);
    expect(headers.get("content-length")).toBe(String(manifest.bytes.byteLength));
    expect(headers.get("docker-content-digest")).toBe(manifest.digest);
  }

  async pullManifest(manifest: PushedManifest, reference: string): Promise<void> {
    await this.#pull(this.#manifest(reference), manifest);
  }

  async deleteManifest(reference: string, expected: 202 | 404 = 202): Promise<void> {
    const path = this.#manifest(reference);
    await this.request(path, { method: "DELETE", expected });
    await this.request(path, { method: "HEAD", expected: 404 });
  }

  async #pull(path: string, manifest: PushedManifest): Promise<void> {
    const pulled = await this.request(path, {
      method: "GET",
      headers: acceptBoth,
      expected: 200,
    });
    expect(pulled.headers.get("content-type")).toBe(manifest.mediaType);
    expect(pulled.headers.get("content-length")).toBe(String(manifest.bytes.byteLength));
    expect(pulled.headers.get("docker-content-digest")).toBe(manifest.digest);
    expect(Buffer.from(await pulled.bytes()).equals(manifest.bytes)).toBe(true);
  }

  #manifest(reference: string): string {
    return this.path(`manifests/${reference}`);
  }

  // -- listings

  async tags(query = ""): Promise<readonly string[]> {
    const path = this.path(`tags/list${query}`);
    const list: unknown = await (await this.request(path, { method: "GET", expected: 200 })).json();
    expect(list).toMatchObject({ name: this.#name });
    return (list as { readonly tags: readonly string[] }).tags;
  }

  /** The referrers of `subject`, from an answer that is an image index to the letter. */
  async referrers(
    subject: string,
    artifactType?: string,
  ): Promise<readonly Record<string, unknown>[]> {
    const query =
      artifactType === undefined ? "" : `?artifactType=${encodeURIComponent(artifactType)}`;
    const path = this.path(`referrers/${subject}${query}`);
    const response = await this.request(path, { method: "GET", expected: 200 });
    expect(response.headers.get("content-type")).toBe(mediaTypes.ociIndex);
    if (artifactType !== undefined) {
      expect(response.headers.get("oci-filters-applied")).toBe("artifactType");
    }
    const index: unknown = await response.json();
    expect(index).toMatchObject({ schemaVersion: 2, mediaType: mediaTypes.ociIndex });
    return (index as { readonly manifests: readonly Record<string, unknown>[] }).manifests;
  }
}

/** As Go encodes it: the colon too. */
export function digestQuery(digest: string): string {
  return `?digest=${encodeURIComponent(digest)}`;
}

export function locationOf(response: Response): string {
  const location = response.headers.get("location");
  if (location === null) throw new Error("the answer has no Location");
  return location;
}
