/**
 * What the official conformance suite pushes, told in our own words: a name, blobs, manifests in
 * the order in which they go out, tags, and who refers to whom.
 */
import { gzipSync } from "node:zlib";
import { type DigestAlgorithm, digestOf } from "../../../src/oci/digest.ts";
import { mediaTypes } from "../../../src/oci/media-type.ts";

export interface DataSet {
  readonly name: string;
  readonly blobs: ReadonlyMap<string, Uint8Array>;
  readonly manifests: readonly PushedManifest[];
  readonly tags: ReadonlyMap<string, string>;
  readonly referrers: readonly ExpectedReferrer[];
  /** Tags come with the push by digest instead of a push of their own. */
  readonly hasTagParams: boolean;
}

export interface PushedManifest {
  readonly digest: string;
  readonly mediaType: string;
  readonly bytes: Uint8Array;
  readonly subject: string | undefined;
  /** Sent with two spaces behind it, which its digest does not know of. */
  readonly isCorrupted: boolean;
}

export interface ExpectedReferrer {
  readonly subject: string;
  readonly digest: string;
  readonly mediaType: string;
  readonly size: number;
  readonly artifactType: string | undefined;
  readonly annotations: Readonly<Record<string, string>>;
}

interface Descriptor {
  readonly mediaType: string;
  readonly digest: string;
  readonly size: number;
  readonly [more: string]: unknown;
}

/** What makes one image or index differ from the plain one. */
interface Variant {
  readonly tag?: string;
  readonly algorithm?: DigestAlgorithm;
  readonly annotations?: Readonly<Record<string, string>>;
  readonly artifactType?: string;
  readonly configType?: string;
  readonly configText?: string;
  readonly layerCount?: number;
  readonly layerType?: string;
  readonly layerText?: string;
  readonly subject?: Descriptor;
  readonly isUncompressed?: boolean;
  /** Descriptors carry their content in `data`. */
  readonly hasData?: boolean;
  /** Members that no specification knows. */
  readonly hasExtraFields?: boolean;
  readonly platform?: Platform;
}

interface Platform {
  readonly os: string;
  readonly architecture: string;
}

const layerTypes = {
  plain: "application/vnd.oci.image.layer.v1.tar",
  gzip: "application/vnd.oci.image.layer.v1.tar+gzip",
  elsewhere: "application/vnd.oci.image.layer.nondistributable.v1.tar",
  elsewhereGzip: "application/vnd.oci.image.layer.nondistributable.v1.tar+gzip",
};
const emptyType = "application/vnd.oci.empty.v1+json";
const exampleTypes = ["application/vnd.example.first", "application/vnd.example.second"] as const;
const linux: readonly Platform[] = [
  { os: "linux", architecture: "amd64" },
  { os: "linux", architecture: "arm64" },
];
const artifact: Variant = {
  artifactType: exampleTypes[0],
  configType: emptyType,
  configText: "{}",
  layerCount: 1,
  layerType: exampleTypes[0],
};

let serial = 0;

/** Bytes that no other call has made. */
export function uniqueBytes(sizeBytes: number): Uint8Array {
  serial += 1;
  const seed = serial;
  return Uint8Array.from({ length: sizeBytes }, (_, index) => ((index + 1) * seed * 40_503) >>> 7);
}

function jsonBytes(value: object): Uint8Array {
  return new TextEncoder().encode(JSON.stringify(value));
}

/** Gathers what a data set is made of. */
class Gathering {
  readonly blobs = new Map<string, Uint8Array>();
  readonly manifests: PushedManifest[] = [];
  readonly tags = new Map<string, string>();
  readonly referrers: ExpectedReferrer[] = [];

  blob(mediaType: string, bytes: Uint8Array, { algorithm, hasData }: Variant = {}): Descriptor {
    const digest = digestOf(bytes, algorithm);
    this.blobs.set(digest, bytes);
    const data = hasData === true ? { data: Buffer.from(bytes).toString("base64") } : {};
    return { mediaType, digest, size: bytes.byteLength, ...data };
  }

  image(variant: Variant = {}): Descriptor {
    const { layerCount = 2, configType = mediaTypes.ociConfig, configText } = variant;
    const layers = Array.from({ length: layerCount }, () => this.#layer(variant));
    const config = {
      ...(variant.platform ?? linux[0]),
      rootfs: { type: "layers", diff_ids: layers.map(({ digest }) => digest) },
      ...extraFields(variant),
    };
    const bytes = configText === undefined ? jsonBytes(config) : Buffer.from(configText);
    return this.imageOf(this.blob(configType, bytes, variant), layers, variant);
  }

  imageOf(config: Descriptor, layers: readonly Descriptor[], variant: Variant = {}): Descriptor {
    const artifactType = variant.artifactType ?? config.mediaType;
    const own = { mediaType: mediaTypes.ociManifest, config, layers };
    return this.#manifest(own, { ...variant, effectiveType: artifactType });
  }

  index(children: readonly Descriptor[], variant: Variant = {}): Descriptor {
    const own = { mediaType: mediaTypes.ociIndex, manifests: children };
    return this.#manifest(own, { ...variant, effectiveType: variant.artifactType });
  }

  /** An index of an image for each platform; what varies, varies in the images too. */
  fullIndex(variant: Variant = {}, platforms = linux): Descriptor {
    const { tag: _, ...ofChildren } = variant;
    const children = platforms.map((platform) => ({
      ...this.image({ ...ofChildren, platform }),
      platform,
    }));
    return this.index(children, variant);
  }

  finish(name: string, options: { readonly hasTagParams?: boolean } = {}): DataSet {
    const { blobs, manifests, tags, referrers } = this;
    return { name, blobs, manifests, tags, referrers, hasTagParams: options.hasTagParams === true };
  }

  #layer(variant: Variant): Descriptor {
    const { layerType, layerText, isUncompressed } = variant;
    if (layerType !== undefined) {
      const bytes = layerText === undefined ? uniqueBytes(2048) : Buffer.from(layerText);
      return this.blob(layerType, bytes, variant);
    }
    const tar = Buffer.concat([uniqueBytes(512), new Uint8Array(1024)]);
    return isUncompressed === true
      ? this.blob(layerTypes.plain, tar, variant)
      : this.blob(layerTypes.gzip, gzipSync(tar), variant);
  }

  #manifest(
    own: { readonly mediaType: string },
    variant: Variant & { readonly effectiveType: string | undefined },
  ): Descriptor {
    const { subject, annotations, artifactType, tag, algorithm } = variant;
    const bytes = jsonBytes({
      schemaVersion: 2,
      ...own,
      ...(artifactType !== undefined && { artifactType }),
      ...(subject !== undefined && { subject }),
      ...(annotations !== undefined && { annotations }),
      ...extraFields(variant),
    });
    const digest = digestOf(bytes, algorithm);
    const { mediaType } = own;
    this.manifests.push({ digest, mediaType, bytes, subject: subject?.digest, isCorrupted: false });
    if (subject !== undefined) {
      this.referrers.push({
        subject: subject.digest,
        digest,
        mediaType,
        size: bytes.byteLength,
        artifactType: variant.effectiveType,
        annotations: annotations ?? {},
      });
    }
    if (tag !== undefined) this.tags.set(tag, digest);
    return { mediaType, digest, size: bytes.byteLength };
  }
}

function extraFields({ hasExtraFields }: Variant): object {
  return hasExtraFields === true ? { "org.example.unknown": `value ${(serial += 1)}` } : {};
}

function annotated(label: string): { readonly annotations: Readonly<Record<string, string>> } {
  return { annotations: { "org.example.greeting": "hello", [`org.example.${label}`]: label } };
}

/** A data set of one image or index. */
function single(name: string, build: (set: Gathering) => void): DataSet {
  const set = new Gathering();
  build(set);
  return set.finish(name);
}

const largeAnnotations = Object.fromEntries(
  Array.from({ length: 390 }, (_, index) => [`large-annotation-${index}`, "A".repeat(10_000)]),
);

/** Every data set that has to pass with the default configuration, in the suite's order. */
export function conformanceDataSets(): readonly DataSet[] {
  return [
    single("image", (set) => set.image({ tag: "image" })),
    single("image-uncompressed", (set) => set.image({ tag: "plain", isUncompressed: true })),
    single("large-manifest", (set) => set.image({ tag: "large", annotations: largeAnnotations })),
    single("index", (set) => set.fullIndex({ tag: "index" })),
    single("nested-index", (set) =>
      set.index([set.fullIndex(), set.fullIndex()], { tag: "index-of-index" }),
    ),
    single("empty-index", (set) => set.index([], { tag: "index" })),
    single("artifact", (set) => set.image({ ...artifact, tag: "artifact" })),
    single("artifact-index", (set) => set.fullIndex({ ...artifact, tag: "artifact-index" })),
    single("artifact-without-layers", (set) =>
      set.image({ ...artifact, tag: "no-content", layerType: emptyType, layerText: "{}" }),
    ),
    single("artifacts-with-subject", (set) => {
      const subject = set.image({ tag: "image" });
      const [first, second] = exampleTypes;
      set.image({ subject });
      set.image({ ...artifact, ...annotated("a"), subject, tag: "tagged-1", artifactType: first });
      set.image({ ...artifact, ...annotated("b"), subject, tag: "tagged-2", artifactType: second });
    }),
    single("index-with-subject", (set) => {
      const subject = set.fullIndex({ tag: "index" });
      set.fullIndex({ ...artifact, ...annotated("c"), subject, tag: "tagged" });
    }),
    single("missing-subject", (set) => {
      const digest = digestOf(uniqueBytes(64));
      const subject = { mediaType: mediaTypes.ociManifest, digest, size: 123 };
      set.image({ ...artifact, ...annotated("d"), subject, tag: "tagged" });
    }),
    single("data-field", (set) => set.image({ tag: "data", hasData: true })),
    single("non-distributable-layers", (set) => {
      const elsewhere = [layerTypes.elsewhereGzip, layerTypes.elsewhere].map((mediaType) => {
        const digest = digestOf(uniqueBytes(256));
        return { mediaType, digest, size: 12_345, urls: [`https://store.example.com/${digest}`] };
      });
      const here = set.blob(layerTypes.gzip, gzipSync(uniqueBytes(512)));
      const config = set.blob(mediaTypes.ociConfig, jsonBytes({ ...linux[0], serial }));
      set.imageOf(config, [...elsewhere, here], { tag: "elsewhere" });
    }),
    single("custom-fields", (set) => set.fullIndex({ tag: "custom", hasExtraFields: true })),
    single("no-layers", (set) => set.image({ tag: "no-layers", layerCount: 0 })),
    single("sha512", (set) => set.fullIndex({ algorithm: "sha512" })),
    tagParams("tag-param-sha256", "sha256"),
    tagParams("tag-param-sha512", "sha512"),
    corrupted(),
  ];
}

/** An index whose images have a tag each, and the index two. */
function tagParams(name: string, algorithm: DigestAlgorithm): DataSet {
  const set = new Gathering();
  set.fullIndex({ algorithm, tag: name });
  for (const [index, { digest }] of set.manifests.entries()) {
    set.tags.set(`${name}-${index}`, digest);
  }
  return set.finish(name, { hasTagParams: true });
}

function corrupted(): DataSet {
  const set = new Gathering();
  set.image();
  const { manifests, ...rest } = set.finish("bad-digest-image");
  return {
    ...rest,
    manifests: manifests.map((manifest) => ({
      ...manifest,
      bytes: Buffer.concat([manifest.bytes, Buffer.from("  ")]),
      isCorrupted: true,
    })),
  };
}

/** Manifests of what was never pushed: stored only where validation is off. */
export function sparseDataSet(): DataSet {
  return single("sparse", (set) => {
    set.image({ tag: "sparse-image" });
    const layer = [...set.blobs].find(([, bytes]) => bytes[0] === 0x1f);
    if (layer !== undefined) set.blobs.delete(layer[0]);
    const missing = digestOf(uniqueBytes(1024));
    set.index(
      [
        { ...set.image(), platform: linux[0] },
        { mediaType: mediaTypes.ociManifest, digest: missing, size: 1024, platform: linux[1] },
      ],
      { tag: "sparse-index" },
    );
  });
}
