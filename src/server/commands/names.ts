import { type Digest, parseDigest } from "../../oci/digest.ts";
import { parseRepositoryName, type RepositoryName } from "../../oci/repository-name.ts";
import { parseTag, type Tag } from "../../oci/tag.ts";

/** What a person named: `team/app`, `team/app:v1`, `team/app@sha256:…`, or both. */
export interface Named {
  readonly repository: RepositoryName;
  readonly tag: Tag | undefined;
  readonly digest: Digest | undefined;
}

/** @throws {Error} with a sentence. */
export function repositoryNamed(text: string): RepositoryName {
  const name = parseRepositoryName(text);
  if (name === undefined) throw new Error(`${text} is not a repository name, such as team/app`);
  return name;
}

/** @throws {Error} with a sentence. */
export function tagNamed(text: string): Tag {
  const tag = parseTag(text);
  if (tag === undefined) throw new Error(`${text} is not a tag: letters, digits, _ . and - only`);
  return tag;
}

/** @throws {Error} with a sentence. */
export function digestNamed(text: string): Digest {
  const digest = parseDigest(text);
  if (digest === undefined) throw new Error(`${text} is not a digest, such as sha256:… (64 hex)`);
  return digest;
}

/**
 * `REPO[:TAG][@DIGEST]`, without the address that clients write before it.
 *
 * @throws {Error} with a sentence.
 */
export function parseNamed(text: string): Named {
  const [beforeDigest, digestText] = splitOnce(text, "@");
  const [name, tagText] = splitOnce(beforeDigest, ":");
  // A port: no tag has a slash.
  if (tagText?.includes("/") === true) {
    throw new Error(`${text} begins with an address: leave it out, as in team/app:v1`);
  }
  return {
    repository: repositoryNamed(name),
    tag: tagText === undefined ? undefined : tagNamed(tagText),
    digest: digestText === undefined ? undefined : digestNamed(digestText),
  };
}

function splitOnce(text: string, separator: string): readonly [string, string | undefined] {
  const index = text.indexOf(separator);
  return index < 0 ? [text, undefined] : [text.slice(0, index), text.slice(index + 1)];
}
