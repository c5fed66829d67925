import { ByteCache } from "../base/least-recent.ts";
import type { ManifestRecord } from "../metadata/metadata-store.ts";
import { algorithmOf, type Digest, digestOf } from "../oci/digest.ts";
import type { ImageConfig } from "../oci/image-config.ts";
import { parseImageConfig } from "../oci/image-config.ts";
import { type Manifest, parseManifest } from "../oci/manifest.ts";
import { mediaTypes } from "../oci/media-type.ts";
import { RegistryError } from "../oci/problems.ts";
import type { BlobStore } from "../storage/blob-store.ts";

/**
 * Distribution accepted up to 4 MiB; what lies in a volume may be a little larger. What is larger
 * still is no manifest.
 */
export const storedManifestSizeBytesMax = 8 << 20;
const configSizeBytesMax = 1 << 20;
/** Manifests are small and asked for all the time; the bytes of a digest never change. */
const cacheSizeBytes = 16 << 20;

/** Bytes of manifests by digest, and what stands in them. */
export class ManifestReader {
  readonly #blobs: BlobStore;
  readonly #cache = new ByteCache<{ readonly bytes: Uint8Array }>(cacheSizeBytes);

  constructor(blobs: BlobStore) {
    this.#blobs = blobs;
  }

  /**
   * The bytes as they were pushed, or undefined when they are not in the storage or are others by
   * now. One flipped bit can leave a manifest that names other blobs: collection would take the
   * right ones.
   */
  async bytes(digest: Digest): Promise<Uint8Array | undefined> {
    const cached = this.#cache.get(digest);
    if (cached !== undefined) return cached.bytes;
    const bytes = await this.#blobs.read(digest, storedManifestSizeBytesMax);
    if (bytes === undefined || digestOf(bytes, algorithmOf(digest)) !== digest) return undefined;
    this.#cache.set(digest, { bytes });
    return bytes;
  }

  /** The bytes, when they are in memory. */
  cachedBytes(digest: Digest): Uint8Array | undefined {
    return this.#cache.get(digest)?.bytes;
  }

  remember(digest: Digest, bytes: Uint8Array): void {
    this.#cache.set(digest, { bytes });
  }

  /** Bytes that were damaged in the storage must not go on being served from memory. */
  forget(digest: Digest): void {
    this.#cache.delete(digest);
  }

  /** True when the bytes are in memory or in the storage; asked at every HEAD. */
  has(digest: Digest): boolean {
    return this.#cache.has(digest) || this.#blobs.content(digest) !== undefined;
  }

  /** The manifest, or undefined when its bytes are missing, damaged or no manifest. */
  async parsed(
    digest: Digest,
  ): Promise<{ readonly manifest: Manifest; readonly sizeBytes: number } | undefined> {
    const bytes = await this.bytes(digest);
    if (bytes === undefined) return undefined;
    try {
      return { manifest: parseManifest(bytes), sizeBytes: bytes.byteLength };
    } catch (error) {
      if (!(error instanceof RegistryError)) throw error;
      // What is no manifest is not served: it takes no room from what is.
      this.forget(digest);
      return undefined;
    }
  }

  /** What the metadata store records of a manifest that lies in the storage. */
  async record(digest: Digest, pushedAtMs: number): Promise<ManifestRecord | undefined> {
    const parsed = await this.parsed(digest);
    if (parsed === undefined) return undefined;
    const config = await this.configOf(parsed.manifest);
    return { digest, ...parsed, pushedAtMs, ...(config !== undefined && { config }) };
  }

  /** The facts in the config blob of an image; undefined for anything else. */
  async configOf(manifest: Manifest): Promise<ImageConfig | undefined> {
    const descriptor = manifest.config;
    if (descriptor === undefined || descriptor.sizeBytes > configSizeBytesMax) return undefined;
    if (!imageConfigTypes.has(descriptor.mediaType)) return undefined;
    if (((await this.#blobs.sizeOf(descriptor.digest)) ?? Infinity) > configSizeBytesMax) {
      return undefined;
    }
    const bytes = await this.#blobs.read(descriptor.digest, configSizeBytesMax);
    return bytes === undefined ? undefined : parseImageConfig(bytes);
  }
}

const imageConfigTypes: ReadonlySet<string> = new Set([
  mediaTypes.ociConfig,
  mediaTypes.dockerConfig,
]);
