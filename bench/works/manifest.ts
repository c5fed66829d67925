/** Manifests by tag, open and behind htpasswd: the request that every pull begins with. */

import type { Answer } from "../load.ts";
import { loadWork } from "../load.ts";
import { manifestMediaType } from "../tree.ts";
import type { Context, Work } from "../work.ts";
import { registries, servers } from "../work.ts";
import { verifyDigest } from "./verify.ts";

const accept = `${manifestMediaType}, application/vnd.oci.image.index.v1+json`;
const checked = "each of the 256 manifests against its digest";

export function manifestByTag(): Work {
  const title = "GET manifest by tag";
  const id = "manifest-by-tag";
  return loadWork({ id, title, contestants: servers, accept, checked, paths, verify });
}

export function manifestWithPassword(): Work {
  return loadWork({
    id: "manifest-htpasswd",
    title: "GET manifest with htpasswd, bcrypt cost 10",
    contestants: registries,
    accept,
    profile: "htpasswd",
    secondsFactor: 4,
    checked: "16 of the manifests against their digests",
    // Few, since each of them costs some contestants a whole bcrypt when it is checked.
    paths: (context) => paths(context).slice(0, 16),
    verify,
  });
}

function paths({ dataset }: Context): readonly string[] {
  return dataset.manifests.map(({ repository, tag }) => `/v2/${repository}/manifests/${tag}`);
}

function verify(answer: Answer, { dataset }: Context): void {
  const found = dataset.manifests.find(
    ({ repository, tag }) => answer.path === `/v2/${repository}/manifests/${tag}`,
  );
  verifyDigest(answer, found?.digest ?? "");
  const mediaType = answer.headers.get("content-type");
  if (mediaType !== manifestMediaType) throw new Error(`${answer.path} is a ${mediaType}`);
}
