/** E. Manifests: pushing and pulling. What is wrong with some is in the next file. */
import { mediaTypes } from "../../src/oci/media-type.ts";
import {
  blobOf,
  type Content,
  config,
  descriptorOf,
  hello,
  image,
  imageOf,
  indexOf,
  manifestOf,
  other,
  otherImage,
  unknownDigest,
} from "./content.ts";
import { get, pushBlob, pushImage, pushManifest, type Step, type WireCase } from "./wire-case.ts";

const pushed = { manifest: image, blobs: [config, hello] };
const asManifest = { "Content-Type": mediaTypes.ociManifest };

function refused(manifest: Content, more: Partial<Step>): Step {
  const { answers: _, ...push } = pushManifest("foo", manifest, "latest");
  return { ...push, status: 400, ...more };
}

function served(manifest: Content, reference: string): Step {
  return get(`/v2/foo/manifests/${reference}`, 200, {
    text: manifest.bytes,
    answers: { "content-type": manifest.mediaType, "docker-content-digest": manifest.digest },
  });
}

const dockerImage = manifestOf({
  schemaVersion: 2,
  mediaType: mediaTypes.dockerManifest,
  config: descriptorOf(config, { mediaType: mediaTypes.dockerConfig }),
  layers: [descriptorOf(hello, { mediaType: "application/vnd.docker.image.rootfs.diff.tar.gzip" })],
});
const dockerList = manifestOf({
  schemaVersion: 2,
  mediaType: mediaTypes.dockerManifestList,
  manifests: [descriptorOf(dockerImage, { platform: { architecture: "amd64", os: "linux" } })],
});
/** Docker's list without what every entry of one should say: for which platform it is. */
const listWithoutPlatforms = manifestOf({
  schemaVersion: 2,
  mediaType: mediaTypes.dockerManifestList,
  manifests: [descriptorOf(dockerImage)],
});
/** As buildkit wrote its caches before 0.21: an index whose children are blobs. */
const cacheIndex = indexOf([hello, config]);

/** 390 annotations of 10,000 bytes, as in the conformance suite: 3.9 MB. */
const large = imageOf(config, [hello], {
  annotations: Object.fromEntries(
    Array.from({ length: 390 }, (_, index) => [`large-annotation-${index}`, "A".repeat(10_000)]),
  ),
});

const strangeMembers = {
  "x-unknown": { deep: [1, 2, { more: null }] },
  "org.example.number": 12345.678,
  Config: undefined,
};
const strange = imageOf(config, [hello], strangeMembers);
const spaced: Content = blobOf(
  `\n{\t"schemaVersion" : 2, "mediaType": "${mediaTypes.ociManifest}",  "layers": [],` +
    ` "config": ${JSON.stringify(descriptorOf(config))} , "annotations": {"b": "2", "a": "\\u0031"}}\r\n `,
  { mediaType: mediaTypes.ociManifest },
);

const notTags = [".v1", "-v1", "v1%2F", "v%201", "a".repeat(129)];

export const manifestCases: readonly WireCase[] = [
  {
    number: 71,
    source: "D",
    name: "an unknown manifest answers 404, by tag and by digest",
    steps: [
      get("/v2/foo/manifests/latest", 404, { code: "MANIFEST_UNKNOWN" }),
      get(`/v2/foo/manifests/${unknownDigest}`, 404, { code: "MANIFEST_UNKNOWN" }),
      ...pushImage("foo", pushed, "v1"),
      get("/v2/foo/manifests/v2", 404, { code: "MANIFEST_UNKNOWN" }),
      // What no tag can be is as unknown as what no tag is; only a push is told that it is wrong.
      ...["GET", "HEAD", "DELETE"].flatMap((method) =>
        notTags.map((text) => ({ method, path: `/v2/foo/manifests/${text}`, status: 404 })),
      ),
      get("/v2/foo/manifests/.v1", 404, { code: "MANIFEST_UNKNOWN" }),
      { ...pushManifest("foo", image, ".v1"), answers: {}, status: 400, code: "TAG_INVALID" },
      get("/v2/foo/tags/list", 200, { json: { name: "foo", tags: ["v1"] } }),
    ],
  },
  {
    number: 72,
    source: "D",
    name: "a manifest of blobs that are not there is refused, with an error for each",
    steps: [refused(image, { code: "MANIFEST_BLOB_UNKNOWN", errors: 2 })],
  },
  {
    number: 73,
    source: "D",
    name: "a manifest of which a layer is missing is refused",
    steps: [
      ...pushBlob("foo", config),
      refused(image, { code: "MANIFEST_BLOB_UNKNOWN" }),
      ...pushBlob("bar", hello),
      refused(image, { code: "MANIFEST_BLOB_UNKNOWN" }),
      get("/v2/foo/manifests/latest", 404),
    ],
  },
  {
    number: 74,
    source: "D",
    name: "a manifest is pushed by tag and served as it came",
    steps: [...pushImage("foo", pushed, "latest"), served(image, "latest")],
  },
  {
    number: 75,
    source: "D",
    name: "the same manifest by digest is the same",
    steps: [
      ...pushImage("foo", pushed, "latest", image.digest, "latest"),
      served(image, image.digest),
    ],
  },
  {
    number: 76,
    source: "D",
    name: "a manifest pushed with another's digest is refused",
    steps: [
      ...pushBlob("foo", config),
      ...pushBlob("foo", hello),
      refused(image, {
        path: `/v2/foo/manifests/${unknownDigest}`,
        code: "DIGEST_INVALID",
      }),
      get(`/v2/foo/manifests/${unknownDigest}`, 404),
      get(`/v2/foo/manifests/${image.digest}`, 404),
    ],
  },
  {
    number: 77,
    source: "D",
    name: "an index of a manifest that is not there is refused",
    steps: [
      ...pushImage("foo", pushed, image.digest),
      refused(indexOf([image, otherImage]), { code: "MANIFEST_BLOB_UNKNOWN" }),
    ],
  },
  {
    number: 78,
    source: "G",
    name: "an index of manifests that are there is stored, also one of indexes, and of nothing",
    steps: [
      ...pushImage("foo", pushed, image.digest),
      pushManifest("foo", indexOf([image]), "one"),
      pushManifest("foo", indexOf([indexOf([image])]), "nested"),
      pushManifest("foo", indexOf([]), "none"),
      served(indexOf([indexOf([image])]), "nested"),
      pushManifest("foo", cacheIndex, "cache"),
    ],
  },
  {
    number: 79,
    source: "G",
    name: "an index that is not JSON is refused",
    steps: ["", "nonsense", "{", "[]", "null", '"text"', "1", "{}{}"].map((text) =>
      refused(blobOf(text, { mediaType: mediaTypes.ociIndex }), { code: "MANIFEST_INVALID" }),
    ),
  },
  {
    number: 80,
    source: "D",
    name: "Accept in any form is no reason to refuse: the stored manifest is served",
    steps: [
      ...pushImage("foo", pushed, "v1"),
      ...[
        [mediaTypes.ociIndex, mediaTypes.ociManifest],
        [`${mediaTypes.dockerManifest};q=0.5 , ${mediaTypes.ociIndex} ; q = 1.0,*/*;q=0.1`],
        [mediaTypes.dockerManifestList],
        [mediaTypes.dockerSchema1],
        ["nonsense, ;;;q=,"],
      ].map((accept) => ({ ...served(image, "v1"), headers: { Accept: accept } })),
    ],
  },
  {
    number: 81,
    source: "D",
    name: "If-None-Match answers 304 by tag and by digest, until the tag moves",
    steps: [
      ...pushImage("foo", pushed, "v1"),
      ...["v1", image.digest].flatMap((reference) =>
        ["GET", "HEAD"].map((method) => ({
          method,
          path: `/v2/foo/manifests/${reference}`,
          headers: { "If-None-Match": `"${image.digest}"` },
          status: 304,
          answers: { etag: `"${image.digest}"`, "docker-content-digest": image.digest },
        })),
      ),
      ...pushImage("foo", { manifest: otherImage, blobs: [other] }, "v1"),
      { ...served(otherImage, "v1"), headers: { "If-None-Match": `"${image.digest}"` } },
    ],
  },
  {
    number: 82,
    source: "D",
    name: "HEAD tells what GET would, without the body",
    steps: [
      ...pushImage("foo", pushed, "v1"),
      ...["v1", image.digest].map((reference) => ({
        method: "HEAD",
        path: `/v2/foo/manifests/${reference}`,
        status: 200,
        answers: {
          "content-length": String(image.bytes.byteLength),
          "content-type": mediaTypes.ociManifest,
          "docker-content-digest": image.digest,
        },
      })),
    ],
  },
  {
    number: 83,
    source: "Z",
    name: "a manifest over the limit answers 413, its length declared or not",
    settings: { HTTP_LIMITS_MANIFESTBYTES: "64KiB" },
    steps: [undefined, 1000].map((chunkBytes) => ({
      method: "PUT",
      path: "/v2/foo/manifests/latest",
      headers: asManifest,
      body: new Uint8Array(65_537),
      ...(chunkBytes !== undefined && { chunkBytes }),
      status: 413,
      code: "MANIFEST_INVALID" as const,
    })),
  },
  {
    number: 84,
    source: "O",
    name: "a manifest of 3.9 MB is stored",
    steps: [
      ...pushImage("foo", { manifest: large, blobs: [config, hello] }, "large"),
      served(large, "large"),
    ],
  },
  {
    number: 88,
    source: "O",
    name: "an image without layers is stored",
    steps: [
      ...pushBlob("foo", config),
      pushManifest("foo", imageOf(config, []), "empty"),
      served(imageOf(config, []), "empty"),
    ],
  },
  {
    number: 89,
    source: "O",
    name: "members that nobody knows, and every space, stay as they came",
    steps: [
      ...pushImage("foo", { manifest: strange, blobs: [config, hello] }, "strange"),
      served(strange, "strange"),
      pushManifest("foo", spaced, "spaced"),
      served(spaced, "spaced"),
    ],
  },
  {
    number: 90,
    source: "O",
    name: "Docker's schema 2 and lists are stored; schema 1 is refused with what to do",
    steps: [
      ...pushImage("foo", { manifest: dockerImage, blobs: [config, hello] }, "docker"),
      pushManifest("foo", dockerList, "list"),
      served(dockerImage, "docker"),
      served(dockerList, "list"),
      ...[mediaTypes.dockerSchema1, mediaTypes.dockerSchema1Signed, mediaTypes.ociManifest].map(
        (mediaType) =>
          refused(manifestOf({ schemaVersion: 1, name: "foo", tag: "v1" }, { mediaType }), {
            code: "MANIFEST_INVALID",
          }),
      ),
    ],
  },
  {
    number: 91,
    source: "C",
    name: "a list that does not say the platforms is stored all the same",
    steps: [
      ...pushImage("foo", { manifest: dockerImage, blobs: [config, hello] }, dockerImage.digest),
      pushManifest("foo", listWithoutPlatforms, "list"),
      served(listWithoutPlatforms, "list"),
    ],
  },
  {
    number: 95,
    source: "Z",
    name: "a manifest deleted by digest takes all of its tags along, and no others",
    steps: [
      ...pushImage("foo", pushed, "one", "two"),
      ...pushImage("foo", { manifest: otherImage, blobs: [other] }, "three"),
      { method: "DELETE", path: `/v2/foo/manifests/${image.digest}`, status: 202 },
      get("/v2/foo/manifests/one", 404),
      get("/v2/foo/manifests/two", 404),
      get("/v2/foo/tags/list", 200, { json: { name: "foo", tags: ["three"] } }),
    ],
  },
];
