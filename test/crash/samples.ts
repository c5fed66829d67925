/** Images of a few pages, made of a seed. */
import { type Digest, digestOf } from "../../src/oci/digest.ts";
import { mediaTypes } from "../../src/oci/media-type.ts";
import type { SeededRandom } from "./seeded-random.ts";

export interface Sample {
  readonly bytes: Uint8Array<ArrayBuffer>;
  readonly digest: Digest;
}

export interface ImageSample extends Sample {
  readonly blobs: readonly Sample[];
}

export function blobSample(random: SeededRandom, sizeBytes: number): Sample {
  return sampleOf(random.bytes(sizeBytes));
}

export function sampleOf(content: Uint8Array<ArrayBuffer> | object): Sample {
  const bytes =
    content instanceof Uint8Array ? content : new TextEncoder().encode(JSON.stringify(content));
  return { bytes, digest: digestOf(bytes) };
}

/** An image with a config and one layer of each size. */
export function imageSample(random: SeededRandom, layerSizes: readonly number[]): ImageSample {
  const config = sampleOf({ architecture: "amd64", os: "linux", seed: random.uuid() });
  const layers = layerSizes.map((sizeBytes) => blobSample(random, sizeBytes));
  return imageOf(config, layers);
}

/** The same config and layers make the same image. */
export function imageOf(config: Sample, layers: readonly Sample[]): ImageSample {
  const descriptor = (mediaType: string, { digest, bytes }: Sample) => ({
    mediaType,
    digest,
    size: bytes.byteLength,
  });
  const manifest = sampleOf({
    schemaVersion: 2,
    mediaType: mediaTypes.ociManifest,
    config: descriptor(mediaTypes.ociConfig, config),
    layers: layers.map((layer) => descriptor("application/vnd.oci.image.layer.v1.tar", layer)),
  });
  return { ...manifest, blobs: [config, ...layers] };
}
