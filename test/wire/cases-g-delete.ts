/** G. Deleting, and what a registry does not allow. */
import { config, hello, image, other, otherImage, unknownDigest } from "./content.ts";
import { get, pushBlob, pushImage, pushManifest, type Step, type WireCase } from "./wire-case.ts";

const pushed = { manifest: image, blobs: [config, hello] };

function remove(path: string, status: number, more: Partial<Step> = {}): Step {
  return { method: "DELETE", path, status, ...more };
}

export const deleteCases: readonly WireCase[] = [
  {
    number: 119,
    source: "D",
    name: "a manifest is deleted by its digest, once",
    steps: [
      ...pushImage("foo", pushed, image.digest),
      remove(`/v2/foo/manifests/${image.digest}`, 202, { answers: { "content-length": "0" } }),
      get(`/v2/foo/manifests/${image.digest}`, 404, { code: "MANIFEST_UNKNOWN" }),
      remove(`/v2/foo/manifests/${image.digest}`, 404, { code: "MANIFEST_UNKNOWN" }),
      remove(`/v2/nowhere/manifests/${image.digest}`, 404, { code: "MANIFEST_UNKNOWN" }),
    ],
  },
  {
    number: 120,
    source: "D",
    name: "where deleting is off, no blob, manifest or tag is deleted",
    settings: { STORAGE_DELETE_ENABLED: "false" },
    steps: [
      ...pushImage("foo", pushed, "v1"),
      remove("/v2/foo/manifests/v1", 405, {
        code: "UNSUPPORTED",
        answers: { allow: "GET, HEAD, PUT, OPTIONS" },
      }),
      remove(`/v2/foo/manifests/${image.digest}`, 405, { code: "UNSUPPORTED" }),
      remove(`/v2/foo/blobs/${hello.digest}`, 405, { code: "UNSUPPORTED" }),
      get("/v2/foo/manifests/v1", 200),
      get(`/v2/foo/blobs/${hello.digest}`, 200),
      // An upload that was begun may still be given up: nothing that was pushed goes with it.
      { method: "POST", path: "/v2/foo/blobs/uploads/", status: 202 },
      remove("<location>", 204),
    ],
  },
  {
    number: 121,
    source: "D",
    name: "a tag is deleted alone; a manifest takes its tags along",
    steps: [
      ...pushImage("foo", pushed, "one", "two", "three"),
      remove("/v2/foo/manifests/one", 202),
      get("/v2/foo/manifests/one", 404, { code: "MANIFEST_UNKNOWN" }),
      get("/v2/foo/manifests/two", 200),
      get(`/v2/foo/manifests/${image.digest}`, 200),
      get("/v2/foo/tags/list", 200, { json: { name: "foo", tags: ["three", "two"] } }),
      remove(`/v2/foo/manifests/${image.digest}`, 202),
      get("/v2/foo/manifests/two", 404),
      get("/v2/foo/tags/list", 200, { json: { name: "foo", tags: [] } }),
    ],
  },
  {
    number: 122,
    source: "D",
    name: "what was deleted and pushed again is pulled again",
    steps: [
      ...pushImage("foo", pushed, "v1"),
      remove(`/v2/foo/manifests/${image.digest}`, 202),
      remove(`/v2/foo/blobs/${hello.digest}`, 202),
      get(`/v2/foo/blobs/${hello.digest}`, 404),
      { ...pushManifest("foo", image, "v1"), status: 400, answers: {} },
      ...pushBlob("foo", hello),
      pushManifest("foo", image, "v1"),
      get("/v2/foo/manifests/v1", 200, { text: image.bytes }),
      get(`/v2/foo/blobs/${hello.digest}`, 200, { text: hello.bytes }),
      get("/v2/foo/tags/list", 200, { json: { name: "foo", tags: ["v1"] } }),
    ],
  },
  {
    number: 123,
    source: "Z",
    name: "a blob that another repository holds too stays there, and stays deleted here",
    steps: [
      ...pushBlob("foo", hello),
      ...pushBlob("bar", hello),
      remove(`/v2/foo/blobs/${hello.digest}`, 202),
      get(`/v2/bar/blobs/${hello.digest}`, 200, { text: hello.bytes }),
      // Not even after the other repository has asked for it (CVE-2026-35172).
      get(`/v2/foo/blobs/${hello.digest}`, 404, { code: "BLOB_UNKNOWN" }),
      remove(`/v2/foo/blobs/${hello.digest}`, 404, { code: "BLOB_UNKNOWN" }),
    ],
  },
  {
    number: 124,
    source: "D",
    name: "an unknown tag or blob cannot be deleted",
    steps: [
      remove("/v2/foo/manifests/latest", 404, { code: "MANIFEST_UNKNOWN" }),
      ...pushImage("foo", { manifest: otherImage, blobs: [config, other] }, "v1"),
      remove("/v2/foo/manifests/v2", 404, { code: "MANIFEST_UNKNOWN" }),
      remove(`/v2/foo/blobs/${unknownDigest}`, 404, { code: "BLOB_UNKNOWN" }),
      get("/v2/foo/manifests/v1", 200),
    ],
  },
];
