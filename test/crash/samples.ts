/** Images of a few pages, made of a seed. */
import { type Digest, digestOf } from "../../src/oci/digest.ts";
import { mediaTypes } from "../../src/oci/media-type.ts";
import type { SeededRandom } from "./seeded-random.ts";

export interface Sample {
  readonly bytes: Uint8Array;
  readonly digest: Digest;
}

export interface ImageSample extends Sample {
  readonly blobs: readonly Sample[];
}

export function blobSample(random: SeededRandom, sizeBytes: number): Sample {
  const bytes = random.bytes(sizeBytes);
  return { bytes, digest: digestOf(bytes) };
}

/** An image with a config and one layer of each size. */
export function imageSample(random: SeededRandom, layerSizes: readonly number[]): ImageSample {
  const text = JSON.stringify({ architecture: "amd64", os: "linux", seed: random.uuid() });
  const config: Sample = { bytes: new TextEncoder().encode(text), digest: digestOf(text) };
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
  const text = JSON.stringify({
    schemaVersion: 2,
    mediaType: mediaTypes.ociManifest,
    config: descriptor(mediaTypes.ociConfig, config),
    layers: layers.map((layer) => descriptor("application/vnd.oci.image.layer.v1.tar", layer)),
  });
  const bytes = new TextEncoder().encode(text);
  return { bytes, digest: digestOf(bytes), blobs: [config, ...layers] };
}
