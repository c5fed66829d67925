import type { Digest } from "../oci/digest.ts";
import type { RepositoryName } from "../oci/repository-name.ts";
import type { Tag } from "../oci/tag.ts";

/*
 * The keys of a registry's locks. A misspelt one would compile and keep nobody out, so each is made
 * here. Where several are taken, it is in this order:
 *
 *     a digest      shared by everything that relies on the blob, alone by what removes it
 *     trash         alone and briefly, by what moves bytes into the trash, out of it, or ends them
 *                   or a link to them; whoever reads them looks whether it is taken
 *     repository    shared by every push, alone by adoption and by what removes the folder
 *     tag           alone by every move of the tag
 *
 * The key of a digest is the digest.
 */

export function repositoryLock(name: RepositoryName): string {
  return `repository:${name}`;
}

export function tagLock(name: RepositoryName, tag: Tag): string {
  return `tag:${name}:${tag}`;
}

export function trashLock(digest: Digest): string {
  return `trash:${digest}`;
}
