/** What the conformance suite of distribution-spec 1.1.1 asks beyond the newer one. */
import { describe, expect, test } from "bun:test";
import { mediaTypes } from "../../../src/oci/media-type.ts";
import { problems } from "../../../src/oci/problems.ts";
import { localDrivers } from "../../support/wire-rig.ts";
import {
  config,
  descriptorOf,
  emptyJson,
  hello,
  image,
  imageOf,
  manifestOf,
  unknownDigest,
} from "../content.ts";
import { beginUpload, get, play, pushBlob, pushManifest, type Step } from "../wire-case.ts";

const text = new TextDecoder().decode(hello.bytes);
const [head, tail] = [text.slice(0, 5), text.slice(5)];
const end = text.length - 1;

function chunk(body: string, range: string, answer: Pick<Step, "status" | "answers">): Step {
  const headers = { "Content-Range": range };
  return { method: "PATCH", path: "<location>", headers, body, ...answer };
}

/** What an accepted chunk answers, and a refused one, when the session has come that far. */
function taken(range: string): Pick<Step, "status" | "answers"> {
  return { status: 202, answers: { range } };
}
function refused(range: string): Pick<Step, "status" | "answers"> {
  return { status: 416, answers: { range } };
}

function artifact(label: string, artifactType: string, subject = image): Step {
  const manifest = manifestOf({
    schemaVersion: 2,
    mediaType: mediaTypes.ociManifest,
    artifactType,
    config: descriptorOf(emptyJson),
    layers: [descriptorOf(emptyJson)],
    subject: descriptorOf(subject),
    annotations: { "org.opencontainers.conformance.test": label },
  });
  return { ...pushManifest("foo", manifest, manifest.digest), answers: {} };
}

/** The list of referrers, of which only the labels are told. */
function referrers(query: string, labels: readonly string[], digest = image.digest): Step {
  return get(`/v2/foo/referrers/${digest}${query}`, 200, {
    answers: { "content-type": mediaTypes.ociIndex },
    looks: (body) => {
      const found = (JSON.parse(body) as { manifests: { annotations: Record<string, string> }[] })
        .manifests;
      const told = found.map((one) => one.annotations["org.opencontainers.conformance.test"]);
      expect(new Set(told)).toEqual(new Set(labels));
    },
  });
}

const tags = ["test0", "test1", "test2", "test3"];

const scenes: readonly { readonly name: string; readonly steps: readonly Step[] }[] = [
  {
    name: "a chunk that was accepted already answers 416, and the old Location still tells where",
    steps: [
      beginUpload("foo"),
      chunk(head, "0-4", taken("0-4")),
      chunk(head, "0-4", refused("0-4")),
      get("<location>", 204, { answers: { range: "0-4", location: /uploads/ } }),
      chunk(tail, `5-${end}`, taken(`0-${end}`)),
      { method: "PUT", path: `<location>?digest=${hello.digest}`, status: 201 },
    ],
  },
  {
    name: "the last chunk in the PUT",
    steps: [
      beginUpload("foo"),
      chunk(head, "0-4", taken("0-4")),
      {
        method: "PUT",
        path: `<location>?digest=${hello.digest}`,
        headers: { "Content-Range": `5-${end}` },
        body: tail,
        status: 201,
        answers: { location: `/v2/foo/blobs/${hello.digest}` },
      },
    ],
  },
  {
    name: "mounts: of what is there, of what is not, without a source",
    steps: [
      ...pushBlob("bar", hello),
      {
        ...beginUpload("foo"),
        path: `/v2/foo/blobs/uploads/?mount=${hello.digest}&from=bar`,
        status: 201,
        answers: { location: `/v2/foo/blobs/${hello.digest}` },
      },
      { ...beginUpload("foo"), path: `/v2/foo/blobs/uploads/?mount=${unknownDigest}` },
      { ...beginUpload("foo"), path: `/v2/foo/blobs/uploads/?mount=${unknownDigest}&from=bar` },
    ],
  },
  {
    name: "a manifest without layers beside one with, and four tags in pages",
    steps: [
      ...pushBlob("foo", config),
      ...pushBlob("foo", hello),
      pushManifest("foo", imageOf(config, []), "emptylayer"),
      { method: "DELETE", path: "/v2/foo/manifests/emptylayer", status: 202 },
      ...tags.map((tag) => pushManifest("foo", image, tag)),
      get("/v2/foo/tags/list", 200, { json: { name: "foo", tags } }),
      get("/v2/foo/tags/list?n=2", 200, { json: { name: "foo", tags: tags.slice(0, 2) } }),
      get("/v2/foo/tags/list?n=4", 200, { json: { name: "foo", tags } }),
      get("/v2/foo/tags/list?n=2&last=test1", 200, { json: { name: "foo", tags: tags.slice(2) } }),
    ],
  },
  {
    name: "five referrers with their annotations, two of a type, one of a subject that is missing",
    steps: [
      ...pushBlob("foo", emptyJson),
      ...["a", "b", "c"].map((label) => artifact(label, "application/vnd.example.one")),
      ...["d", "e"].map((label) => artifact(label, "application/vnd.example.two")),
      artifact("lost", "application/vnd.example.one", hello),
      referrers("", ["a", "b", "c", "d", "e"]),
      referrers("?artifactType=application/vnd.example.two", ["d", "e"]),
      referrers("", ["lost"], hello.digest),
      referrers("", [], unknownDigest),
    ],
  },
  {
    name: "what is refused with 400 or 404 is refused in the specification's words",
    steps: [
      get(`/v2/foo/blobs/${unknownDigest}`, 404, { code: "BLOB_UNKNOWN" }),
      get("/v2/foo/manifests/none", 404, { code: "MANIFEST_UNKNOWN" }),
      { method: "PUT", path: "/v2/foo/manifests/sha256:totallywrong", body: "{}", status: 400 },
      { method: "PUT", path: "/v2/foo/manifests/none", body: "blablabla", status: 400 },
    ],
  },
];

for (const driver of localDrivers) {
  describe(`conformance 1.1.1 on the ${driver} driver`, () => {
    for (const { name, steps } of scenes) {
      test(name, () => play({ steps }, { driver }));
    }

    test("where deleting is off, a tag cannot be deleted, and the code says so", () =>
      play(
        {
          settings: { STORAGE_DELETE_ENABLED: "false" },
          steps: [
            {
              method: "DELETE",
              path: "/v2/foo/manifests/none",
              status: problems.deleteDisabled.status,
              code: "UNSUPPORTED",
            },
          ],
        },
        { driver },
      ));
  });
}
