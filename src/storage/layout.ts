import { algorithmOf, type Digest, type DigestAlgorithm, hexOf } from "../oci/digest.ts";
import type { RepositoryName } from "../oci/repository-name.ts";
import type { Tag } from "../oci/tag.ts";
import type { UploadId } from "./upload-id.ts";

/**
 * Where everything lies: the layout of Distribution's `registry/storage/paths.go`, to the byte,
 * so that a volume moves in and out.
 *
 *     docker/registry/v2/
 *     ├── blobs/<alg>/<first two hex>/<hex>/data           bytes, named by their digest
 *     └── repositories/<name>/
 *         ├── _layers/<alg>/<hex>/link                      this repository holds that blob
 *         ├── _manifests/
 *         │   ├── revisions/<alg>/<hex>/link                … and that manifest
 *         │   └── tags/<tag>/
 *         │       ├── current/link                          the digest that the tag names now
 *         │       └── index/<alg>/<hex>/link                digests that it has ever named
 *         └── _uploads/<upload id>/
 *             ├── data                                      bytes so far
 *             ├── startedat                                 RFC 3339
 *             └── state.json                                Berth's own: who, algorithm, offset
 *     berth/
 *     ├── quarantine/<alg>/<hex>                            bytes that are not what their name says
 *     ├── quarantine/links/<path of the link>               links that hold no digest
 *     ├── reserve/00 … 15                                   room for a full disk (drivers/reserve.ts)
 *     ├── trash/blobs/<alg>/<hex>                           blobs that nothing needed
 *     └── tmp/                                              files on their way to their name
 *
 * A link is a text file with nothing but a digest in it. Every function takes parsed values
 * only, so no path can be built from what a client sent.
 */

const root = "docker/registry/v2";
export const repositoriesFolder = `${root}/repositories`;
export const blobsFolder = `${root}/blobs`;
/** What Berth keeps beside the layout; Distribution never looks there. */
const berthFolder = "berth";
export const temporaryFolder = `${berthFolder}/tmp`;
/**
 * A temporary file lives for milliseconds. One that is so old was left by a crash, and goes at the
 * next start; a younger one may be on its way in another process, for commands open the store
 * beside the server.
 */
export const leftOverAgeMs = 3_600_000;
export const quarantineFolder = `${berthFolder}/quarantine`;
export const quarantinedLinksFolder = `${quarantineFolder}/links`;
/** Folders inside a repository's; no component of a repository name can start with `_`. */
export const layersName = "_layers";
export const manifestsName = "_manifests";
export const uploadsName = "_uploads";

export function blobFolder(digest: Digest): string {
  const hex = hexOf(digest);
  return `${blobsFolder}/${algorithmOf(digest)}/${hex.slice(0, 2)}/${hex}`;
}

export function blobKey(digest: Digest): string {
  return `${blobFolder(digest)}/data`;
}

/** Blobs on their way out. Not part of Distribution's layout: it never looks there. */
const trashedBlobsFolder = `${berthFolder}/trash/blobs`;

/** Flat: there are few at a time, and one folder is synced once for all of them. */
export function trashedBlobFolder(algorithm: DigestAlgorithm): string {
  return `${trashedBlobsFolder}/${algorithm}`;
}

export function trashedBlobKey(digest: Digest): string {
  return `${trashedBlobFolder(algorithmOf(digest))}/${hexOf(digest)}`;
}

export function quarantinedBlobKey(digest: Digest): string {
  return `${quarantineFolder}/${algorithmOf(digest)}/${hexOf(digest)}`;
}

/** `linkKey` is a key below the folder of repositories. */
export function quarantinedLinkKey(linkKey: string): string {
  return `${quarantinedLinksFolder}/${linkKey.slice(repositoriesFolder.length + 1)}`;
}

export function repositoryFolder(name: RepositoryName): string {
  return `${repositoriesFolder}/${name}`;
}

export function layersFolder(name: RepositoryName): string {
  return `${repositoryFolder(name)}/${layersName}`;
}

export function layerFolder(name: RepositoryName, digest: Digest): string {
  return `${layersFolder(name)}/${algorithmOf(digest)}/${hexOf(digest)}`;
}

export function revisionsFolder(name: RepositoryName): string {
  return `${repositoryFolder(name)}/${manifestsName}/revisions`;
}

export function revisionFolder(name: RepositoryName, digest: Digest): string {
  return `${revisionsFolder(name)}/${algorithmOf(digest)}/${hexOf(digest)}`;
}

export function tagsFolder(name: RepositoryName): string {
  return `${repositoryFolder(name)}/${manifestsName}/tags`;
}

export function layerLinkKey(name: RepositoryName, digest: Digest): string {
  return `${layerFolder(name, digest)}/link`;
}

export function revisionLinkKey(name: RepositoryName, digest: Digest): string {
  return `${revisionFolder(name, digest)}/link`;
}

export function tagFolder(name: RepositoryName, tag: Tag): string {
  return `${tagsFolder(name)}/${tag}`;
}

export function tagCurrentKey(name: RepositoryName, tag: Tag): string {
  return `${tagFolder(name, tag)}/current/link`;
}

export function tagIndexFolder(name: RepositoryName, tag: Tag): string {
  return `${tagFolder(name, tag)}/index`;
}

export function tagIndexKey(name: RepositoryName, tag: Tag, digest: Digest): string {
  return `${tagIndexFolder(name, tag)}/${algorithmOf(digest)}/${hexOf(digest)}/link`;
}

export function uploadsFolder(name: RepositoryName): string {
  return `${repositoryFolder(name)}/${uploadsName}`;
}

export function uploadFolder(name: RepositoryName, id: UploadId): string {
  return `${uploadsFolder(name)}/${id}`;
}
