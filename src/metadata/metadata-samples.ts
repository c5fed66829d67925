/** Values for the tests of this room: made of small numbers, equal for equal numbers. */

import type { Descriptor } from "../oci/descriptor.ts";
import { type Digest, digestOf } from "../oci/digest.ts";
import type { ImageConfig } from "../oci/image-config.ts";
import { mediaTypes } from "../oci/media-type.ts";
import { tagOf } from "../oci/test-support.ts";
import type { ManifestRecord, TagRecord } from "./metadata-store.ts";

export function digestOfText(text: string): Digest {
  return digestOf(text);
}

export function blobDescriptor(text: string, mediaType: string): Descriptor {
  return { mediaType, digest: digestOf(text), sizeBytes: 1_000 + text.length };
}

export interface ImageOptions {
  readonly layers?: readonly string[];
  readonly subject?: Digest;
  readonly artifactType?: string;
  readonly annotations?: Readonly<Record<string, string>>;
  readonly config?: ImageConfig;
  readonly pushedAtMs?: number;
}

export function imageRecord(text: string, options: ImageOptions = {}): ManifestRecord {
  const { layers = [`layer of ${text}`], subject, artifactType, config } = options;
  const layerType = "application/vnd.oci.image.layer.v1.tar+gzip";
  return {
    digest: digestOf(text),
    sizeBytes: 400 + text.length,
    pushedAtMs: options.pushedAtMs ?? 1_700_000_000_000,
    manifest: {
      mediaType: mediaTypes.ociManifest,
      kind: "image",
      ...(artifactType === undefined ? {} : { artifactType }),
      ...(subject === undefined
        ? {}
        : { subject: { mediaType: mediaTypes.ociManifest, digest: subject, sizeBytes: 7 } }),
      annotations: options.annotations ?? {},
      config: blobDescriptor(`config of ${text}`, mediaTypes.ociConfig),
      layers: layers.map((layer) => blobDescriptor(layer, layerType)),
      manifests: [],
    },
    ...(config === undefined ? {} : { config }),
  };
}

export function indexRecord(text: string, children: readonly Descriptor[]): ManifestRecord {
  return {
    digest: digestOf(text),
    sizeBytes: 300 + text.length,
    pushedAtMs: 1_700_000_000_000,
    manifest: {
      mediaType: mediaTypes.ociIndex,
      kind: "index",
      annotations: {},
      layers: [],
      manifests: children,
    },
  };
}

export function childOf(record: ManifestRecord): Descriptor {
  return {
    mediaType: record.manifest.mediaType,
    digest: record.digest,
    sizeBytes: record.sizeBytes,
    platform: { os: "linux", architecture: "arm64", variant: "v8" },
  };
}

export function tagRecord(tag: string, record: { readonly digest: Digest }): TagRecord {
  return {
    tag: tagOf(tag),
    digest: record.digest,
    pushedAtMs: 1_700_000_001_000,
    stamp: `stamp of ${tag}`,
  };
}
