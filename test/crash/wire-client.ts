/** A client of a registry in this process: one method a request, with the answer as it came. */

import { type Digest, digestOf } from "../../src/oci/digest.ts";
import { nameOf } from "../../src/oci/test-support.ts";
import { blobKey } from "../../src/storage/layout.ts";
import type { InProcess } from "./in-process.ts";
import { unlessUnknown } from "./noted-client.ts";
import type { ImageSample, Sample } from "./samples.ts";

/** What an answer was, with its body read. */
export interface Answer {
  readonly status: number;
  readonly headers: Headers;
  readonly bytes: Uint8Array;
}

const octets = { "Content-Type": "application/octet-stream" };

export class WireClient {
  readonly registry: InProcess;
  /** The repository that is meant where none is named. */
  name: string;

  constructor(registry: InProcess, name: string) {
    this.registry = registry;
    this.name = name;
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
    const content = await registry.blobs.find(nameOf(name), digest).catch(unlessUnknown);
    if (content === undefined) return "absent";
    const hasher = new Bun.CryptoHasher("sha256");
    const range = { start: 0, end: content.sizeBytes };
    for await (const piece of objects.readStream(blobKey(digest), range)) hasher.update(piece);
    return `sha256:${hasher.digest("hex")}`;
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
