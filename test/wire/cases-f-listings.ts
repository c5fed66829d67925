/** F. Tags and the catalog. Referrers are in the next file. */
import { config, hello, image, imageOf, other, otherImage } from "./content.ts";
import { get, pushBlob, pushImage, pushManifest, type Step, type WireCase } from "./wire-case.ts";

const pushed = { manifest: image, blobs: [config, hello] };
const list = "/v2/foo/tags/list";

function tags(query: string, found: readonly string[], link: string | null = null): Step {
  return get(`${list}${query}`, 200, { json: { name: "foo", tags: found }, answers: { link } });
}

function repositories(query: string, found: readonly string[], link: string | null = null): Step {
  const answers = { link };
  return get(`/v2/_catalog${query}`, 200, { json: { repositories: found }, answers });
}

function next(path: string, query: string): string {
  return `<${path}?${query}>; rel="next"`;
}

function pushTags(...names: readonly string[]): readonly Step[] {
  return pushImage("foo", pushed, ...names);
}

function pushRepositories(...names: readonly string[]): readonly Step[] {
  return names.flatMap((name) => pushImage(name, pushed, "latest"));
}

export const listingCases: readonly WireCase[] = [
  {
    number: 97,
    source: "D",
    name: "the tags of an unknown repository answer 404",
    steps: [
      get(list, 404, { code: "NAME_UNKNOWN" }),
      get(`${list}?n=0`, 404, { code: "NAME_UNKNOWN" }),
      get(`${list}?last=z`, 404, { code: "NAME_UNKNOWN" }),
    ],
  },
  {
    number: 98,
    source: "D",
    name: "a page has as many tags as were asked for, and a Link to the next",
    steps: [
      ...pushTags("c", "a", "d", "b", "e"),
      tags("", ["a", "b", "c", "d", "e"]),
      tags("?n=2", ["a", "b"], next(list, "last=b&n=2")),
      tags("?last=b&n=2", ["c", "d"], next(list, "last=d&n=2")),
      tags("?last=d&n=2", ["e"]),
      tags("?n=5", ["a", "b", "c", "d", "e"]),
    ],
  },
  {
    number: 99,
    source: "D",
    name: "a page starts after `last`, be it a tag or not",
    steps: [
      ...pushTags("a", "b", "d"),
      tags("?last=c", ["d"]),
      tags("?last=a.5", ["b", "d"]),
      tags("?last=Z", ["a", "b", "d"]),
      tags("?last=%00", ["a", "b", "d"]),
      tags("?last=..%2F..%2Fetc", ["a", "b", "d"]),
    ],
  },
  {
    number: 100,
    source: "D",
    name: "n=0 is an empty page without a next one",
    steps: [...pushTags("a"), tags("?n=0", []), tags("?n=0&last=0", [])],
  },
  {
    number: 101,
    source: "D",
    name: "an n that is no number answers 400",
    steps: [
      ...pushTags("a"),
      ...["-1", "foo", "1.5", "0x10", "1e3", "+1", "%201", "NaN"].flatMap((n) => [
        get(`${list}?n=${n}`, 400, { code: "PAGINATION_NUMBER_INVALID" }),
        get(`/v2/_catalog?n=${n}`, 400, { code: "PAGINATION_NUMBER_INVALID" }),
      ]),
    ],
  },
  {
    number: 102,
    source: "D",
    name: "an empty n or last counts as absent",
    steps: [
      ...pushTags("a", "b"),
      tags("?n=&last=", ["a", "b"]),
      tags("?n=1&last=", ["a"], next(list, "last=a&n=1")),
      repositories("?n=&last=", ["foo"]),
    ],
  },
  {
    number: 103,
    source: "D",
    name: "the page after the last is an empty list, not null",
    steps: [
      ...pushTags("a"),
      tags("?last=a", []),
      repositories("?last=foo", []),
      { method: "DELETE", path: "/v2/foo/manifests/a", status: 202 },
      tags("", []),
    ],
  },
  {
    number: 104,
    source: "D",
    name: "tags that begin like others are all there, in ASCII order",
    steps: [
      ...pushTags("v1", "v1-rc", "v1.0", "v10", "V1", "_v", "v1_0"),
      tags("", ["V1", "_v", "v1", "v1-rc", "v1.0", "v10", "v1_0"]),
      tags("?n=3&last=_v", ["v1", "v1-rc", "v1.0"], next(list, "last=v1.0&n=3")),
      tags("?last=v1.0", ["v10", "v1_0"]),
    ],
  },
  {
    number: 105,
    source: "D",
    name: "the catalog pages like the tags, and cuts an n that is too large",
    settings: { CATALOG_MAXENTRIES: "3" },
    steps: [
      repositories("", []),
      ...pushRepositories("foo", "foo/bar", "foo-bar", "foo/bar/baz", "foobar"),
      repositories("", ["foo", "foo-bar", "foo/bar"], next("/v2/_catalog", "last=foo%2Fbar&n=3")),
      repositories("?last=foo%2Fbar&n=3", ["foo/bar/baz", "foobar"]),
      repositories(
        "?n=1000000",
        ["foo", "foo-bar", "foo/bar"],
        next("/v2/_catalog", "last=foo%2Fbar&n=3"),
      ),
      repositories("?n=0", []),
      repositories(
        "?n=2&last=foo",
        ["foo-bar", "foo/bar"],
        next("/v2/_catalog", "last=foo%2Fbar&n=2"),
      ),
    ],
  },
  {
    number: 108,
    source: "D",
    name: "an n over the maximum is cut to it, and the Link goes on",
    settings: { TAGS_MAXTAGS: "2" },
    steps: [
      ...pushTags("a", "b", "c"),
      ...["3", "10000", "1000000000", "9223372036854775808", "1".repeat(400)].map((n) =>
        tags(`?n=${n}`, ["a", "b"], next(list, "last=b&n=2")),
      ),
      tags("?last=b&n=10000", ["c"]),
    ],
  },
  {
    number: 115,
    source: "C",
    name: "the catalog shows repositories with a manifest, and nothing else",
    steps: [
      ...pushRepositories("foo"),
      ...pushBlob("only/blobs", hello),
      { method: "POST", path: "/v2/only/uploads/blobs/uploads/", status: 202 },
      ...pushImage(
        "by/digest",
        { manifest: otherImage, blobs: [config, other] },
        otherImage.digest,
      ),
      repositories("", ["by/digest", "foo"]),
    ],
  },
  {
    number: 116,
    source: "D",
    name: "a tag has 128 characters at most, of letters, digits, dots, dashes and underscores",
    steps: [
      ...pushTags("a".repeat(128), "_", "0", "A.b-c_D"),
      ...["a".repeat(129), "-a", ".a", "a+b", "a%20b", "a%2Fb", "%C3%A9", "a%00", "a~b"].map(
        (tag): Step => ({
          ...pushManifest("foo", imageOf(config, [hello]), tag),
          status: [400, 404],
          answers: {},
        }),
      ),
      tags("", ["0", "A.b-c_D", "_", "a".repeat(128)]),
    ],
  },
  {
    number: 118,
    source: "ours",
    name: "a Link is a path, whatever Host or proxy the request names",
    settings: { HTTP_RELATIVEURLS: "false" },
    steps: [
      ...pushTags("a", "b"),
      ...pushRepositories("bar"),
      ...[{ Host: "evil.example" }, { "X-Forwarded-Host": "evil.example" }].flatMap((headers) => [
        { ...tags("?n=1", ["a"], next(list, "last=a&n=1")), headers },
        { ...repositories("?n=1", ["bar"], next("/v2/_catalog", "last=bar&n=1")), headers },
      ]),
    ],
  },
];
