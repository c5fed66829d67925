import type { Descriptor } from "./descriptor.ts";
import { type Digest, parseDigest } from "./digest.ts";
import {
  isIndexMediaType,
  isManifestMediaType,
  isSchema1MediaType,
  type ManifestMediaType,
  mediaTypes,
} from "./media-type.ts";
import type { Platform } from "./platform.ts";
import { RegistryError } from "./problems.ts";
import { isObject, type JsonObject, parseStrictJson, refuse } from "./strict-json.ts";

/**
 * What a registry needs to know of a manifest. The bytes stay what the client sent: this is
 * read from them and never written back.
 */
export interface Manifest {
  readonly mediaType: ManifestMediaType;
  /** `image` has config and layers, `index` has children. */
  readonly kind: "image" | "index";
  /** As the referrers API reports it: the manifest's own, else the config's media type. */
  readonly artifactType?: string;
  readonly subject?: Descriptor;
  readonly annotations: Readonly<Record<string, string>>;
  readonly config?: Descriptor;
  readonly layers: readonly Descriptor[];
  /** The children of an index. Buildkit's cache indexes have layer blobs here. */
  readonly manifests: readonly Descriptor[];
}

/** More descriptors than any known tool writes; a registry has to look at each. */
const descriptorsMax = 10_000;

/**
 * Reads a manifest of one of the four media types that Berth stores.
 *
 * The media type follows from the bytes alone, because Distribution's layout keeps nothing
 * else: one digest can never be served as two types (CVE-2021-41190).
 *
 * @throws {RegistryError} `manifestInvalid`, `manifestSchema1` or `manifestMediaTypeInvalid`.
 */
export function parseManifest(bytes: Uint8Array): Manifest {
  const root = asObject(parseStrictJson(bytes), "it");
  if (root["schemaVersion"] === 1) throw new RegistryError("manifestSchema1");
  if (root["schemaVersion"] !== 2) refuse("schemaVersion is not 2");
  const mediaType = mediaTypeOf(root);
  const isIndex = isIndexMediaType(mediaType);
  if (isIndex && ("layers" in root || "config" in root)) {
    refuse("an index has neither config nor layers");
  }
  if (!isIndex && "manifests" in root) refuse("an image manifest has no manifests");
  const manifest = isIndex ? parseIndex(root) : parseImage(root);
  const own = optionalString(root, "artifactType") ?? "";
  // An image whose type is "empty or missing" MUST be listed with that of its config (end-12a).
  const artifactType = own === "" ? manifest.config?.mediaType : own;
  return {
    mediaType,
    kind: isIndex ? "index" : "image",
    ...(artifactType !== undefined && artifactType !== "" && { artifactType }),
    ...("subject" in root &&
      root["subject"] !== null && {
        subject: parseDescriptor(root["subject"], "subject"),
      }),
    annotations: parseAnnotations(root),
    layers: [],
    manifests: [],
    ...manifest,
  };
}

/** The blobs that a manifest names: the config of an image and then its layers; none of an index. */
export function blobsOf({ config, layers }: Manifest): readonly Descriptor[] {
  return config === undefined ? layers : [config, ...layers];
}

/** What a manifest needs to be whole: its blobs, and the children of an index. Not its subject. */
export function digestsNamedBy(manifest: Manifest): readonly Digest[] {
  return [...blobsOf(manifest), ...manifest.manifests].map((descriptor) => descriptor.digest);
}

/** The media type of a manifest, from its `mediaType` or, where that is absent, its shape. */
function mediaTypeOf(root: JsonObject): ManifestMediaType {
  const declared = optionalString(root, "mediaType");
  if (declared === undefined) {
    return "manifests" in root ? mediaTypes.ociIndex : mediaTypes.ociManifest;
  }
  if (isSchema1MediaType(declared)) throw new RegistryError("manifestSchema1");
  if (!isManifestMediaType(declared)) {
    throw new RegistryError("manifestMediaTypeInvalid", { mediaType: declared });
  }
  return declared;
}

function parseImage(root: JsonObject): Pick<Manifest, "config" | "layers"> {
  return {
    config: parseDescriptor(root["config"], "config"),
    layers: parseDescriptors(root["layers"], "layers"),
  };
}

function parseIndex(root: JsonObject): Pick<Manifest, "manifests"> & { config?: never } {
  return { manifests: parseDescriptors(root["manifests"], "manifests") };
}

function parseDescriptors(value: unknown, path: string): readonly Descriptor[] {
  // Some builders write null for an empty list; Go clients take both.
  if (value === null || value === undefined) return [];
  if (!Array.isArray(value)) return refuse(`${path} is not a list`);
  if (value.length > descriptorsMax) refuse(`${path} has more than ${descriptorsMax} entries`);
  return value.map((entry, index) => parseDescriptor(entry, `${path}[${index}]`));
}

function parseDescriptor(value: unknown, path: string): Descriptor {
  const object = asObject(value, path);
  const digestText = optionalString(object, "digest") ?? "";
  const digest = parseDigest(digestText);
  if (digest === undefined) return refuse(`${path}.digest is not a digest`);
  const size = object["size"];
  if (typeof size !== "number" || !Number.isSafeInteger(size) || size < 0) {
    return refuse(`${path}.size is not a whole number of bytes`);
  }
  const artifactType = optionalString(object, "artifactType");
  const platform = parsePlatform(object["platform"], `${path}.platform`);
  const urls = parseUrls(object["urls"], `${path}.urls`);
  return {
    mediaType: optionalString(object, "mediaType") ?? "",
    digest,
    sizeBytes: size,
    ...(artifactType !== undefined && { artifactType }),
    ...(object["annotations"] !== undefined && { annotations: parseAnnotations(object) }),
    ...(platform !== undefined && { platform }),
    ...(urls !== undefined && { urls }),
  };
}

function parsePlatform(value: unknown, path: string): Platform | undefined {
  if (value === undefined || value === null) return undefined;
  const object = asObject(value, path);
  const variant = optionalString(object, "variant");
  const osVersion = optionalString(object, "os.version");
  return {
    architecture: optionalString(object, "architecture") ?? "",
    os: optionalString(object, "os") ?? "",
    ...(variant !== undefined && { variant }),
    ...(osVersion !== undefined && { osVersion }),
  };
}

function parseUrls(value: unknown, path: string): readonly string[] | undefined {
  if (value === undefined || value === null) return undefined;
  if (!Array.isArray(value)) return refuse(`${path} is not a list`);
  const urls: string[] = [];
  for (const url of value) {
    if (typeof url !== "string") return refuse(`${path} has an entry that is not a string`);
    urls.push(url);
  }
  return urls;
}

function parseAnnotations(object: JsonObject): Readonly<Record<string, string>> {
  const value = object["annotations"];
  if (value === undefined || value === null) return {};
  // fromEntries makes own properties, so a key such as __proto__ is only a key.
  return Object.fromEntries(
    Object.entries(asObject(value, "annotations")).map(([key, text]) => {
      if (typeof text !== "string") return refuse("an annotation is not a string");
      return [key, text];
    }),
  );
}

function optionalString(object: JsonObject, key: string): string | undefined {
  const value = Object.hasOwn(object, key) ? object[key] : undefined;
  if (value === undefined || value === null) return undefined;
  return typeof value === "string" ? value : refuse(`${key} is not a string`);
}

function asObject(value: unknown, path: string): JsonObject {
  return isObject(value) ? value : refuse(`${path} is not an object`);
}
