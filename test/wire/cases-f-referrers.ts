/** F, the rest. Referrers. */
import { mediaTypes } from "../../src/oci/media-type.ts";
import {
  type Content,
  config,
  descriptorOf,
  emptyJson,
  hello,
  image,
  indexOf,
  manifestOf,
  other,
  otherImage,
  unknownDigest,
} from "./content.ts";
import { get, pushBlob, pushImage, pushManifest, type Step, type WireCase } from "./wire-case.ts";

const sbom = "application/vnd.example.sbom";
const signature = "application/vnd.example.signature";

/** An artifact that refers to `subject`, different for each `label`. */
function artifactOf(subject: Content, artifactType: string, label: string): Content {
  return manifestOf({
    schemaVersion: 2,
    mediaType: mediaTypes.ociManifest,
    artifactType,
    config: descriptorOf(emptyJson),
    layers: [descriptorOf(emptyJson)],
    subject: descriptorOf(subject),
    annotations: { label },
  });
}

function pushReferrer(referrer: Content, subject: Content = image): Step {
  return {
    ...pushManifest("foo", referrer, referrer.digest),
    answers: { "oci-subject": subject.digest },
  };
}

/** How a referrer stands in the list. */
function entry(referrer: Content, artifactType: string, label: string): object {
  return { ...descriptorOf(referrer), artifactType, annotations: { label } };
}

/** A page of the list; entries in the order of their digests. */
function listed(
  query: string,
  entries: readonly object[],
  answers: Readonly<Record<string, string | null>> = {},
): Step {
  const manifests = entries.toSorted((a, b) => (digestIn(a) < digestIn(b) ? -1 : 1));
  return get(`/v2/foo/referrers/${image.digest}${query}`, 200, {
    json: { schemaVersion: 2, mediaType: mediaTypes.ociIndex, manifests },
    answers: { "content-type": mediaTypes.ociIndex, link: null, ...answers },
  });
}

function digestIn(entry: object): string {
  return "digest" in entry ? String(entry.digest) : "";
}

const [first, second, third] = [
  artifactOf(image, sbom, "first"),
  artifactOf(image, signature, "second"),
  artifactOf(image, sbom, "third"),
];
const entries = [entry(first, sbom, "first"), entry(second, signature, "second")];
const filtered = { "oci-filters-applied": "artifactType" };

const indexReferrer = indexOf([], { artifactType: sbom, subject: descriptorOf(image) });
const plainIndexReferrer = indexOf([], { subject: descriptorOf(image) });
const plainImage = {
  schemaVersion: 2,
  mediaType: mediaTypes.ociManifest,
  config: descriptorOf(config),
  layers: [],
  subject: descriptorOf(image),
};
const imageReferrer = manifestOf(plainImage);
const emptyTypeReferrer = manifestOf({ ...plainImage, artifactType: "" });

const many = Array.from({ length: 7 }, (_, index) =>
  artifactOf(image, index % 2 === 0 ? sbom : signature, `number ${index}`),
).toSorted((a, b) => (a.digest < b.digest ? -1 : 1));
const manySboms = many.filter(({ bytes }) => new TextDecoder().decode(bytes).includes(sbom));

/** What a client without the referrers API has left behind: an index under the fallback tag. */
const fallbackTag = image.digest.replace(":", "-");
const fallbackIndex = indexOf([otherImage], {});

export const referrerCases: readonly WireCase[] = [
  {
    number: 109,
    source: "O",
    name: "referrers are listed with type and annotations, and filtered by artifact type",
    steps: [
      listed("", []),
      ...pushBlob("foo", emptyJson),
      pushReferrer(first),
      pushReferrer(second),
      listed("", entries),
      listed(`?artifactType=${sbom}`, entries.slice(0, 1), filtered),
      listed("?artifactType=text/plain", [], filtered),
      listed("?artifactType=", entries, { "oci-filters-applied": null }),
    ],
  },
  {
    number: 110,
    source: "G",
    name: "a subject that is no digest answers 400; one that nobody knows, an empty list",
    steps: [
      get("/v2/foo/referrers/latest", 400, { code: "DIGEST_INVALID" }),
      get("/v2/foo/referrers/sha256:x", 400, { code: "DIGEST_INVALID" }),
      get(`/v2/nowhere/referrers/${unknownDigest}`, 200, {
        json: { schemaVersion: 2, mediaType: mediaTypes.ociIndex, manifests: [] },
      }),
    ],
  },
  {
    number: 111,
    source: "C",
    name: "pages of a filtered list are complete, and nothing comes twice",
    steps: () => {
      const url = `/v2/foo/referrers/${image.digest}`;
      const shown = manySboms.map((referrer) =>
        entry(
          referrer,
          sbom,
          JSON.parse(new TextDecoder().decode(referrer.bytes)).annotations.label,
        ),
      );
      const pages = shown.map((one, index) => {
        const last = index === 0 ? "" : `&last=${manySboms[index - 1]?.digest}`;
        const query = new URLSearchParams({
          last: manySboms[index]?.digest ?? "",
          n: "1",
          artifactType: sbom,
        });
        const link = index === shown.length - 1 ? null : `<${url}?${query.toString()}>; rel="next"`;
        return listed(`?artifactType=${sbom}&n=1${last}`, [one], { ...filtered, link });
      });
      return [...pushBlob("foo", emptyJson), ...many.map((one) => pushReferrer(one)), ...pages];
    },
  },
  {
    number: 112,
    source: "C",
    name: "indexes and images with a subject are listed too, an image by its config's type",
    steps: [
      ...pushBlob("foo", config),
      pushReferrer(indexReferrer),
      pushReferrer(plainIndexReferrer),
      pushReferrer(imageReferrer),
      pushReferrer(emptyTypeReferrer),
      listed("", [
        { ...descriptorOf(indexReferrer), artifactType: sbom },
        { ...descriptorOf(plainIndexReferrer) },
        { ...descriptorOf(imageReferrer), artifactType: mediaTypes.ociConfig },
        { ...descriptorOf(emptyTypeReferrer), artifactType: mediaTypes.ociConfig },
      ]),
    ],
  },
  {
    number: 113,
    source: "C",
    name: "a referrer that was deleted is no longer listed",
    steps: [
      ...pushBlob("foo", emptyJson),
      pushReferrer(first),
      pushReferrer(second),
      { method: "DELETE", path: `/v2/foo/manifests/${second.digest}`, status: 202 },
      listed("", entries.slice(0, 1)),
    ],
  },
  {
    number: 114,
    source: "C",
    name: "a referrer stays listed when its tag moves, and under an older subject",
    steps: [
      ...pushImage("foo", { manifest: image, blobs: [config, hello, emptyJson] }, "latest"),
      { ...pushManifest("foo", first, "signed"), answers: {} },
      { ...pushManifest("foo", third, "signed"), answers: {} },
      pushManifest("foo", indexOf([image]), "latest"),
      listed("", [entry(first, sbom, "first"), entry(third, sbom, "third")]),
      // What a client without the API has listed under the fallback tag belongs to it as well.
      ...pushImage("foo", { manifest: otherImage, blobs: [other] }, otherImage.digest),
      pushManifest("foo", fallbackIndex, fallbackTag),
      listed("", [
        entry(first, sbom, "first"),
        entry(third, sbom, "third"),
        descriptorOf(otherImage),
      ]),
    ],
  },
];
