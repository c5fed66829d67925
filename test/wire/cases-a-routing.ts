/** A. Base and routing. */
import fc from "fast-check";
import { config, hello, image, unknownDigest } from "./content.ts";
import { beginUpload, get, pushBlob, pushImage, type WireCase } from "./wire-case.ts";

const pushed = { manifest: image, blobs: [config, hello] };

/** Names in other scripts, with marks that the name grammar does not have; always the same ones. */
function foreignNames(count: number): readonly string[] {
  const letter = fc.string({ unit: "binary", minLength: 1, maxLength: 12 });
  return fc
    .sample(letter, { seed: 8, numRuns: count })
    .map((text) => encodeURIComponent(`é${text.toWellFormed()}`))
    .map((text) => text.replaceAll(".", "%2E"));
}

export const routingCases: readonly WireCase[] = [
  {
    number: 1,
    source: "D",
    name: "GET /v2/ is an empty JSON object",
    steps: [
      get("/v2/", 200, {
        answers: { "content-type": "application/json", "content-length": "2" },
        text: "{}",
      }),
    ],
  },
  {
    number: 2,
    source: "G",
    name: "GET /v2 without the slash says that this is a registry",
    steps: [get("/v2", 200, { answers: { "docker-distribution-api-version": "registry/2.0" } })],
  },
  {
    number: 3,
    source: "G",
    name: "a path that is none answers 404",
    steps: [
      get("/v2/bad", 404),
      get("/v2/foo/bar", 404),
      get("/v2/_catalogue", 404),
      get("/v3/", 404),
      get("/v2//tags/list", 404),
      // What scripts and UIs make of a base URL that ends in a slash: Distribution answers so too.
      ...[
        ["//v2/", "/v2/"],
        ["/v2//", "/v2/"],
        ["//v2/_catalog?n=5&last=a%2Fb", "/v2/_catalog?n=5&last=a%2Fb"],
        ["/v2/_catalog/", "/v2/_catalog"],
        ["/v2//foo/bar///tags/list/", "/v2/foo/bar/tags/list"],
        [`//v2/foo/blobs/${unknownDigest}`, `/v2/foo/blobs/${unknownDigest}`],
      ].flatMap(([path = "", location = ""]) => [
        get(path, 301, { answers: { location, "content-length": "0" } }),
        { method: "HEAD", path, status: 301, answers: { location } },
      ]),
      ...["//elsewhere.example/v2", "//elsewhere.example/", "//v2/FOO/tags/list", "/v2/foo//"].map(
        (path) => get(path, 404),
      ),
      // Nothing is written at another place than the one that was named.
      { method: "POST", path: "//v2/foo/blobs/uploads/", status: 404 },
      { method: "PUT", path: "/v2/foo/manifests/v1/", status: 404 },
      { method: "DELETE", path: "/v2/foo//manifests/v1", status: 404 },
    ],
  },
  {
    number: 4,
    source: "D",
    name: "names of one part, of many, and like a host are routed",
    steps: ["foo", "a/b/c/d", "docker.com/foo/bar"].flatMap((name) => [
      ...pushImage(name, pushed, "v1"),
      get(`/v2/${name}/tags/list`, 200, { json: { name, tags: ["v1"] } }),
      get(`/v2/${name}/manifests/v1`, 200),
      get(`/v2/${name}/blobs/${hello.digest}`, 200),
      get(`/v2/${name}/referrers/${image.digest}`, 200),
    ]),
  },
  {
    number: 5,
    source: "D",
    name: "foo/bar/manifests is a name like another, and tags a tag",
    steps: [
      ...pushImage("foo/bar/manifests", pushed, "tags"),
      get("/v2/foo/bar/manifests/manifests/tags", 200, { text: image.bytes }),
      get("/v2/foo/bar/manifests/tags", 404, { code: "MANIFEST_UNKNOWN" }),
    ],
  },
  {
    number: 6,
    source: "D",
    name: "…/manifests/tags/list lists the tags of …/manifests",
    steps: [
      ...pushImage("foo/bar/manifests", pushed, "one"),
      get("/v2/foo/bar/manifests/tags/list", 200, {
        json: { name: "foo/bar/manifests", tags: ["one"] },
      }),
    ],
  },
  {
    number: 7,
    source: "D",
    name: "upload ids of any form are routed, and unknown ones answer 404",
    steps: [
      "d95306fa-fad3-4e36-8d41-cf1c93ef8286",
      "D95306FA-FAD3-4E36-8D41-CF1C93EF8286",
      "RDk1MzA2RkEtRkFEMy00RTM2LThENDEtQ0YxQzkzRUY4Mjg2IA==",
      "RDk1MzA2RkEtRkFEMy00RTM2LThENDEtQ0YxQzkzRUY4Mjg2IA_-==",
      "totalandcompletejunk++$$-==",
    ].map((id) => get(`/v2/foo/bar/blobs/uploads/${id}`, 404, { code: "BLOB_UPLOAD_UNKNOWN" })),
  },
  {
    number: 8,
    source: "D",
    name: "a thousand names in other scripts answer 404",
    steps: () => foreignNames(1000).map((name) => get(`/v2/${name}/tags/list`, 404)),
  },
  {
    number: 9,
    source: "D",
    name: "dots and encoded slashes never lead out of the repository that is asked for",
    steps: [
      ...pushBlob("secret", hello),
      // Dots are gone before anybody decides: it is `bar` that is asked for, and it is not there.
      get(`/v2/secret/../bar/blobs/${hello.digest}`, 404, { code: "BLOB_UNKNOWN" }),
      get(`/v2/bar%2f..%2fsecret/blobs/${hello.digest}`, 404, { code: "NAME_INVALID" }),
      get(`/v2/bar/..%2fsecret/blobs/${hello.digest}`, 404, { code: "NAME_INVALID" }),
      get("/v2/foo/%2e%2e%2f%2e%2e%2fetc/passwd", 404),
    ],
  },
  {
    number: 10,
    source: "D",
    name: "with a prefix the API is below it, in every URL that goes out",
    settings: { HTTP_PREFIX: "/prefix/" },
    steps: [
      get("/prefix/v2/", 200),
      get("/v2/", 404),
      {
        method: "POST",
        path: "/prefix/v2/foo/blobs/uploads/",
        status: 202,
        answers: { location: /^\/prefix\/v2\/foo\/blobs\/uploads\/[0-9a-f-]{36}$/ },
      },
      {
        method: "PUT",
        path: `<location>?digest=${hello.digest}`,
        body: hello.bytes,
        status: 201,
        answers: { location: `/prefix/v2/foo/blobs/${hello.digest}` },
      },
      get("<location>", 200, { text: hello.bytes }),
    ],
  },
  {
    number: 11,
    source: "D",
    name: "Locations are paths, or whole URLs where that is configured",
    settings: { HTTP_RELATIVEURLS: "false" },
    steps: [
      {
        method: "POST",
        path: "/v2/foo/blobs/uploads/",
        headers: { Host: "registry.example:5000" },
        status: 202,
        answers: { location: /^http:\/\/registry\.example:5000\/v2\/foo\/blobs\/uploads\// },
      },
    ],
  },
  {
    number: 12,
    source: "Z",
    name: "OPTIONS says what a path takes",
    steps: [
      ["/v2/", "GET, HEAD, OPTIONS"],
      ["/v2/_catalog", "GET, HEAD, OPTIONS"],
      ["/v2/foo/tags/list", "GET, HEAD, OPTIONS"],
      [`/v2/foo/referrers/${unknownDigest}`, "GET, HEAD, OPTIONS"],
      [`/v2/foo/blobs/${unknownDigest}`, "GET, HEAD, DELETE, OPTIONS"],
      ["/v2/foo/manifests/latest", "GET, HEAD, PUT, DELETE, OPTIONS"],
      ["/v2/foo/blobs/uploads/", "POST, OPTIONS"],
      ["/v2/foo/blobs/uploads/id", "GET, PATCH, PUT, DELETE, HEAD, OPTIONS"],
    ].map(([path = "", allow = ""]) => ({
      method: "OPTIONS",
      path,
      status: 204,
      answers: { allow },
    })),
  },
  {
    number: 13,
    source: "G",
    name: "a method that a path does not take answers 405 and says which it takes",
    steps: [
      ["POST", `/v2/foo/blobs/${unknownDigest}`],
      ["PUT", `/v2/foo/blobs/${unknownDigest}`],
      ["PATCH", "/v2/foo/manifests/latest"],
      ["POST", "/v2/foo/manifests/latest"],
      ["PUT", `/v2/foo/referrers/${unknownDigest}`],
      ["DELETE", `/v2/foo/referrers/${unknownDigest}`],
      ["DELETE", "/v2/foo/tags/list"],
      ["GET", "/v2/foo/blobs/uploads/"],
      ["DELETE", "/v2/"],
      ["PROPFIND", "/v2/_catalog"],
    ].map(([method = "", path = ""]) => ({
      method,
      path,
      status: 405,
      code: "UNSUPPORTED" as const,
      answers: { allow: /OPTIONS$/ },
    })),
  },
  {
    number: 14,
    source: "Z",
    name: "no Accept, no User-Agent, or odd ones: the stored manifest is served",
    steps: [
      ...pushImage("foo", pushed, "v1"),
      ...[{}, { Accept: "" }, { Accept: "text/html" }, { "User-Agent": "" }].map((headers) =>
        get("/v2/foo/manifests/v1", 200, {
          headers,
          text: image.bytes,
          answers: { "content-type": image.mediaType },
        }),
      ),
      beginUpload("foo"),
    ],
  },
];
