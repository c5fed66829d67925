/** Content for requests: blobs and manifests whose bytes, and so digests, are always the same. */
import { type DigestAlgorithm, digestOf } from "../../src/oci/digest.ts";
import { mediaTypes } from "../../src/oci/media-type.ts";

/** Bytes with their digest; a manifest has its media type too. */
export interface Content {
  readonly bytes: Uint8Array;
  readonly digest: string;
  readonly mediaType: string;
}

export interface DescriptorJson {
  readonly mediaType: string;
  readonly digest: string;
  readonly size: number;
  readonly [extra: string]: unknown;
}

const layerType = "application/vnd.oci.image.layer.v1.tar";
const emptyType = "application/vnd.oci.empty.v1+json";

export function blobOf(
  data: string | Uint8Array,
  options: { readonly mediaType?: string; readonly algorithm?: DigestAlgorithm } = {},
): Content {
  const bytes = typeof data === "string" ? new TextEncoder().encode(data) : data;
  const { mediaType = layerType, algorithm } = options;
  return { bytes, digest: digestOf(bytes, algorithm), mediaType };
}

export function descriptorOf(content: Content, extra: object = {}): DescriptorJson {
  const { mediaType, digest, bytes } = content;
  return { mediaType, digest, size: bytes.byteLength, ...extra };
}

/** A manifest of exactly `value`, as JSON. */
export function manifestOf(
  value: object,
  options: { readonly mediaType?: string; readonly algorithm?: DigestAlgorithm } = {},
): Content {
  const declared = "mediaType" in value ? String(value.mediaType) : mediaTypes.ociManifest;
  const mediaType = options.mediaType ?? declared;
  return blobOf(JSON.stringify(value), { ...options, mediaType });
}

/** An image manifest of a config and layers, with whatever else it has. */
export function imageOf(config: Content, layers: readonly Content[], extra: object = {}): Content {
  return manifestOf({
    schemaVersion: 2,
    mediaType: mediaTypes.ociManifest,
    config: descriptorOf(config),
    layers: layers.map((layer) => descriptorOf(layer)),
    ...extra,
  });
}

export function indexOf(children: readonly Content[], extra: object = {}): Content {
  return manifestOf({
    schemaVersion: 2,
    mediaType: mediaTypes.ociIndex,
    manifests: children.map((child) => descriptorOf(child)),
    ...extra,
  });
}

export const hello = blobOf("hello, world");
export const other = blobOf("another blob");
export const emptyBlob = blobOf("");
/** What two records of zeros make: a tar archive with nothing in it. */
export const emptyTar = blobOf(new Uint8Array(1024));
export const emptyJson = blobOf("{}", { mediaType: emptyType });
export const config = blobOf(
  JSON.stringify({ architecture: "amd64", os: "linux", rootfs: { type: "layers", diff_ids: [] } }),
  { mediaType: mediaTypes.ociConfig },
);
export const image = imageOf(config, [hello]);
export const otherImage = imageOf(config, [other]);
/** Well formed, and of nothing that was ever pushed. */
export const unknownDigest = digestOf("nobody has pushed this");
