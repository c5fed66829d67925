import { type Digest, parseDigest } from "../oci/digest.ts";
import { RegistryError } from "../oci/problems.ts";
import { parseRepositoryName, type RepositoryName } from "../oci/repository-name.ts";
import { parseReference, type Reference } from "../oci/tag.ts";

/**
 * What a request asks for, from method and path alone (distribution-spec, "Endpoints").
 *
 * Everything in a route is parsed: a handler never sees a name, digest or tag as text that a
 * client chose. Only an upload id stays text, because an unknown one and a malformed one are
 * answered alike.
 */
export type Route =
  | { readonly kind: "root" }
  | { readonly kind: "base" }
  | { readonly kind: "catalog" }
  | { readonly kind: "discover" }
  | { readonly kind: "v1Ping" }
  | { readonly kind: "v1Search" }
  | { readonly kind: "tagList"; readonly name: RepositoryName }
  | { readonly kind: "referrers"; readonly name: RepositoryName; readonly digest: Digest }
  | { readonly kind: "blobGet"; readonly name: RepositoryName; readonly digest: Digest }
  | { readonly kind: "blobHead"; readonly name: RepositoryName; readonly digest: Digest }
  | { readonly kind: "blobDelete"; readonly name: RepositoryName; readonly digest: Digest }
  | { readonly kind: "manifestGet"; readonly name: RepositoryName; readonly reference: Reference }
  | { readonly kind: "manifestHead"; readonly name: RepositoryName; readonly reference: Reference }
  | { readonly kind: "manifestPut"; readonly name: RepositoryName; readonly reference: Reference }
  | {
      readonly kind: "manifestDelete";
      readonly name: RepositoryName;
      readonly reference: Reference;
    }
  | { readonly kind: "uploadBegin"; readonly name: RepositoryName }
  | { readonly kind: "uploadStatus"; readonly name: RepositoryName; readonly id: string }
  | { readonly kind: "uploadAppend"; readonly name: RepositoryName; readonly id: string }
  | { readonly kind: "uploadFinish"; readonly name: RepositoryName; readonly id: string }
  | { readonly kind: "uploadCancel"; readonly name: RepositoryName; readonly id: string };

export type RouteKind = Route["kind"];

/** The routes of one path by method. */
type Methods = Readonly<Partial<Record<string, () => Route>>>;

/**
 * The route of a request.
 *
 * @throws {RegistryError} `pathUnknown`, `methodUnsupported` (with `Allow`), `nameInvalid`,
 * `digestInvalid`, `tagInvalid`, `tagImpossible`.
 */
export function parseRoute(method: string, path: string): Route {
  const methods = methodsAt(path);
  const route = methods[method] ?? (method === "HEAD" ? methods["GET"] : undefined);
  if (route !== undefined) return route();
  const allow = allowedMethods(methods);
  throw new RegistryError("methodUnsupported", { method, path }, { headers: { Allow: allow } });
}

/** The value of an `Allow` header for `path`. */
export function allowAt(path: string): string {
  return allowedMethods(methodsAt(path));
}

function allowedMethods(methods: Methods): string {
  const names = Object.keys(methods);
  if (names.includes("GET") && !names.includes("HEAD")) names.push("HEAD");
  return [...names, "OPTIONS"].join(", ");
}

const fixedPaths: Readonly<Record<string, Methods>> = {
  "/": { GET: () => ({ kind: "root" }) },
  "/v2": { GET: () => ({ kind: "base" }) },
  "/v2/": { GET: () => ({ kind: "base" }) },
  "/v2/_catalog": { GET: () => ({ kind: "catalog" }) },
  "/v2/_oci/ext/discover": { GET: () => ({ kind: "discover" }) },
  "/v1/_ping": { GET: () => ({ kind: "v1Ping" }) },
  "/v1/search": { GET: () => ({ kind: "v1Search" }) },
};

const uploadPattern = /^(.+)\/blobs\/uploads(?:\/([^/]*))?$/;

/** The word before the last path element says what a path of a repository is. */
const resources: Readonly<Record<string, (name: RepositoryName, last: string) => Methods>> = {
  manifests: manifestMethods,
  blobs: blobMethods,
  referrers: referrersMethods,
};

function methodsAt(path: string): Methods {
  if (Object.hasOwn(fixedPaths, path)) return fixedPaths[path] ?? {};
  if (!path.startsWith("/v2/")) throw new RegistryError("pathUnknown", { path });
  // From the right: a repository may be called `foo/manifests` or `blobs/uploads`.
  const rest = path.slice("/v2/".length);
  if (rest.endsWith("/tags/list")) {
    const name = nameOf(rest, "/tags/list");
    return { GET: () => ({ kind: "tagList", name }) };
  }
  if (rest.endsWith("/_oci/ext/discover")) {
    nameOf(rest, "/_oci/ext/discover");
    return { GET: () => ({ kind: "discover" }) };
  }
  const upload = rest.includes("/blobs/uploads") ? uploadPattern.exec(rest) : null;
  if (upload !== null) return uploadMethods(parseName(upload[1] ?? ""), upload[2] ?? "");
  const slash = rest.lastIndexOf("/");
  const wordStart = rest.lastIndexOf("/", slash - 1);
  const word = rest.slice(wordStart + 1, slash);
  if (wordStart < 1 || !Object.hasOwn(resources, word)) {
    throw new RegistryError("pathUnknown", { path });
  }
  return resources[word]?.(parseName(rest.slice(0, wordStart)), rest.slice(slash + 1)) ?? {};
}

function manifestMethods(name: RepositoryName, last: string): Methods {
  const reference = parseReference(last);
  if (reference === undefined) {
    if (last.includes(":")) throw new RegistryError("digestInvalid", { digest: last });
    return methodsOfNoTag(last);
  }
  return {
    GET: () => ({ kind: "manifestGet", name, reference }),
    HEAD: () => ({ kind: "manifestHead", name, reference }),
    PUT: () => ({ kind: "manifestPut", name, reference }),
    DELETE: () => ({ kind: "manifestDelete", name, reference }),
  };
}

/**
 * What no tag can be is asked for like what no tag is: it is not there (end-3, end-9: 404), and a
 * client need not tell the two apart. Only a push asks for something that cannot be done.
 */
function methodsOfNoTag(tag: string): Methods {
  const isNowhere = (): never => {
    throw new RegistryError("tagImpossible", { tag });
  };
  return {
    GET: isNowhere,
    HEAD: isNowhere,
    PUT: () => {
      throw new RegistryError("tagInvalid", { tag });
    },
    DELETE: isNowhere,
  };
}

function blobMethods(name: RepositoryName, last: string): Methods {
  const digest = requireDigest(last);
  return {
    GET: () => ({ kind: "blobGet", name, digest }),
    HEAD: () => ({ kind: "blobHead", name, digest }),
    DELETE: () => ({ kind: "blobDelete", name, digest }),
  };
}

function referrersMethods(name: RepositoryName, last: string): Methods {
  const digest = requireDigest(last);
  return { GET: () => ({ kind: "referrers", name, digest }) };
}

function uploadMethods(name: RepositoryName, id: string): Methods {
  if (id === "") return { POST: () => ({ kind: "uploadBegin", name }) };
  return {
    GET: () => ({ kind: "uploadStatus", name, id }),
    PATCH: () => ({ kind: "uploadAppend", name, id }),
    PUT: () => ({ kind: "uploadFinish", name, id }),
    DELETE: () => ({ kind: "uploadCancel", name, id }),
  };
}

/** @throws {RegistryError} `digestInvalid` */
export function requireDigest(text: string): Digest {
  const digest = parseDigest(text);
  if (digest === undefined) throw new RegistryError("digestInvalid", { digest: text });
  return digest;
}

function nameOf(rest: string, suffix: string): RepositoryName {
  return parseName(rest.slice(0, -suffix.length));
}

function parseName(text: string): RepositoryName {
  const name = parseRepositoryName(text);
  if (name === undefined) throw new RegistryError("nameInvalid", { name: text });
  return name;
}
