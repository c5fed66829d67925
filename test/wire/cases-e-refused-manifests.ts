/** E, the rest. Manifests that are refused, that name what is not there, or that bring their tags. */
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
  unknownDigest,
} from "./content.ts";
import { get, pushBlob, pushImage, pushManifest, type Step, type WireCase } from "./wire-case.ts";

const pushed = { manifest: image, blobs: [config, hello] };

function refused(manifest: Content, more: Partial<Step> = {}): Step {
  const { answers: _, ...push } = pushManifest("foo", manifest, "latest");
  return { ...push, status: 400, code: "MANIFEST_INVALID", ...more };
}

function text(json: string, mediaType: string = mediaTypes.ociManifest): Content {
  return blobOf(json, { mediaType });
}

const child = JSON.stringify(descriptorOf(config));
const layer = JSON.stringify(descriptorOf(hello));

/** Bodies that one client reads as an image and another as an index (CVE-2021-41190). */
const ambiguous: readonly Content[] = [
  `"config":${child},"layers":[],"manifests":[]`,
  `"config":${child},"layers":[],"manifests":null`,
  `"layers":[],"manifests":[]`,
  `"config":${child},"manifests":[]`,
  `"layers":null,"manifests":[]`,
  `"config":null,"manifests":[]`,
].flatMap((members) => [
  text(`{"schemaVersion":2,"mediaType":"${mediaTypes.ociManifest}",${members}}`),
  text(`{"schemaVersion":2,"mediaType":"${mediaTypes.ociIndex}",${members}}`, mediaTypes.ociIndex),
  text(`{"schemaVersion":2,${members}}`),
]);

/** Bodies of which two parsers read different things. */
const twofold: readonly string[] = [
  `{"schemaVersion":2,"config":${child},"layers":[${layer}],"Layers":[]}`,
  `{"schemaVersion":2,"config":${child},"layers":[${layer}],"layers":[]}`,
  `{"schemaVersion":2,"config":${child},"layers":[],"LAYERS":[${layer}]}`,
  `{"schemaVersion":2,"config":${child},"layer\\u0073":[${layer}],"layers":[]}`,
  `{"schemaVersion":2,"config":${child},"layer\u017f":[${layer}],"layers":[]}`,
  `{"schemaVersion":2,"config":${child},"layers":[],"mediatype":"${mediaTypes.ociIndex}"}`,
  `{"schemaVersion":2,"config":{"digest":"${hello.digest}",${child.slice(1)},"layers":[]}`,
  `{"schemaVersion":2,"config":{"Size":1,${child.slice(1)},"layers":[]}`,
];

function withUrls(...urls: readonly string[]): Content {
  return manifestOf({
    schemaVersion: 2,
    mediaType: mediaTypes.ociManifest,
    config: descriptorOf(config),
    layers: [
      {
        mediaType: "application/vnd.oci.image.layer.nondistributable.v1.tar+gzip",
        digest: unknownDigest,
        size: 123456,
        urls,
      },
    ],
  });
}

function put(reference: string, query: string, more: Partial<Step>): Step {
  return {
    ...pushManifest("foo", image, reference),
    path: `/v2/foo/manifests/${reference}?${query}`,
    answers: {},
    ...more,
  };
}

const ten = Array.from({ length: 10 }, (_, index) => `tag-${index}`);

export const refusedManifestCases: readonly WireCase[] = [
  {
    number: 85,
    source: "D",
    name: "what could be an image and an index is neither",
    steps: [
      ...pushBlob("foo", config),
      ...pushBlob("foo", hello),
      ...ambiguous.map((manifest) => refused(manifest)),
      get("/v2/foo/tags/list", 200, { json: { name: "foo", tags: [] } }),
    ],
  },
  {
    number: 86,
    source: "ours",
    name: "a Content-Type other than the manifest's own is refused, and so is one of no manifest",
    steps: [
      ...pushImage("foo", pushed, image.digest),
      refused({ ...image, mediaType: mediaTypes.dockerManifest }),
      refused({ ...indexOf([image]), mediaType: mediaTypes.ociManifest }),
      refused({ ...image, mediaType: "application/json" }),
      refused({ ...image, mediaType: "text/html" }),
      refused(text('{"schemaVersion":2,"mediaType":"text/html","layers":[]}')),
      // Parameters and case say nothing.
      {
        ...pushManifest("foo", image, "v1"),
        headers: { "Content-Type": `${image.mediaType}; charset=utf-8` },
      },
      {
        ...pushManifest("foo", image, "v2"),
        headers: { "Content-Type": image.mediaType.toUpperCase() },
      },
      get("/v2/foo/manifests/v1", 200, { answers: { "content-type": image.mediaType } }),
    ],
  },
  {
    number: 87,
    source: "ours",
    name: "members twice, or in another case, are refused",
    steps: [
      ...pushBlob("foo", config),
      ...pushBlob("foo", hello),
      ...twofold.map((json) => refused(text(json))),
    ],
  },
  {
    number: 92,
    source: "O",
    name: "layers that are elsewhere need not be pushed, if they are at http or https",
    steps: [
      ...pushBlob("foo", config),
      pushManifest("foo", withUrls("https://store.example.com/layer"), "foreign"),
      pushManifest("foo", withUrls("http://a.example/1", "https://b.example/2"), "mirrors"),
      ...[
        "file:///etc/passwd",
        "ftp://store.example.com/layer",
        "javascript:alert(1)",
        "//store.example.com/layer",
        "layer",
        "",
        "https://store.example.com/layer#part",
      ].map((url) => refused(withUrls(url))),
      refused(withUrls("https://store.example.com/layer", "ftp://store.example.com/layer")),
      refused(withUrls(), { code: "MANIFEST_BLOB_UNKNOWN" }),
    ],
  },
  {
    number: 93,
    source: "Z",
    name: "tags come with a push by digest: all of them or none",
    steps: [
      ...pushBlob("foo", config),
      ...pushBlob("foo", hello),
      put(image.digest, "tag=", { status: 400, code: "TAG_INVALID" }),
      put(image.digest, "tag=a&tag=-b", { status: 400, code: "TAG_INVALID" }),
      put(image.digest, `tag=${"a".repeat(129)}`, { status: 400, code: "TAG_INVALID" }),
      put(image.digest, "tag=a%2Fb", { status: 400, code: "TAG_INVALID" }),
      put("latest", "tag=a", { status: 400, code: "TAG_INVALID" }),
      put(
        image.digest,
        ten
          .concat(ten, ["more"])
          .map((tag) => `tag=${tag}`)
          .join("&"),
        {
          status: 414,
        },
      ),
      get("/v2/foo/tags/list", 200, { json: { name: "foo", tags: [] } }),
      put(image.digest, "tag=b&tag=a&tag=b", { answers: { "oci-tag": "b, a" } }),
      get("/v2/foo/tags/list", 200, { json: { name: "foo", tags: ["a", "b"] } }),
      put(image.digest, ten.map((tag) => `tag=${tag}`).join("&"), {
        answers: { "oci-tag": ten.join(", ") },
      }),
      get("/v2/foo/manifests/tag-9", 200, { text: image.bytes }),
    ],
  },
  {
    number: 94,
    source: "C",
    name: "a subject may be missing, but not malformed",
    steps: [
      ...pushBlob("foo", config),
      ...pushBlob("foo", hello),
      refused(
        imageOf(config, [hello], { subject: { ...descriptorOf(image), digest: "sha256:x" } }),
      ),
      refused(imageOf(config, [hello], { subject: "x" })),
      {
        ...pushManifest("foo", imageOf(config, [hello], { subject: descriptorOf(image) }), "v1"),
        answers: { "oci-subject": image.digest },
      },
      get(`/v2/foo/manifests/${image.digest}`, 404),
    ],
  },
  {
    number: 96,
    source: "L",
    name: "more than 10,000 layers or children are refused",
    steps: [
      ...pushImage("foo", pushed, image.digest),
      refused(
        imageOf(
          config,
          Array.from({ length: 10_001 }, () => hello),
        ),
      ),
      refused(indexOf(Array.from({ length: 10_001 }, () => image))),
      pushManifest(
        "foo",
        imageOf(
          config,
          Array.from({ length: 1_000 }, () => hello),
        ),
        "many",
      ),
    ],
  },
];
