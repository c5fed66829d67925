import { posix } from "node:path";
import type { Logger } from "../base/logger.ts";
import { Turns } from "../base/turns.ts";
import { type Digest, digestAlgorithms, parseDigest } from "../oci/digest.ts";
import type { RepositoryName } from "../oci/repository-name.ts";
import { parseTag, type Tag } from "../oci/tag.ts";
import {
  layerFolder,
  layerLinkKey,
  layersFolder,
  layersName,
  manifestsName,
  repositoriesFolder,
  repositoryFolder,
  revisionFolder,
  revisionLinkKey,
  revisionsFolder,
  tagCurrentKey,
  tagFolder,
  tagIndexKey,
  tagsFolder,
  uploadsFolder,
  uploadsName,
} from "./layout.ts";
import type { ObjectStore } from "./object-store.ts";
import { walkRepositories } from "./repository-walk.ts";

/** A link file as it was read. */
export interface Link {
  readonly digest: Digest;
  readonly modifiedAtMs: number;
  readonly stamp: string;
}

/** A link file, whatever is in it. */
export type LinkState =
  | { readonly kind: "absent" }
  | { readonly kind: "damaged"; readonly why: string }
  | { readonly kind: "sound"; readonly link: Link };

/** A link holds one digest; anything longer is not a link. */
const linkSizeBytesMax = 1024;

/**
 * The pointers of the layout: which blobs, manifests and tags each repository has.
 *
 * Real volumes have scars: links that a crash left empty, stray files, half-deleted folders.
 * What cannot be read counts as absent and is reported; nothing of it is removed.
 */
export class LinkStore {
  readonly #objects: ObjectStore;
  readonly #logger: Logger;

  constructor(objects: ObjectStore, logger: Logger) {
    this.#objects = objects;
    this.#logger = logger;
  }

  async readTag(name: RepositoryName, tag: Tag): Promise<Link | undefined> {
    return this.#read(tagCurrentKey(name, tag));
  }

  /** The stamp of a tag's link, to tell without reading whether it changed. */
  async stampOfTag(name: RepositoryName, tag: Tag): Promise<string | undefined> {
    return (await this.#objects.stat(tagCurrentKey(name, tag)))?.stamp;
  }

  /** False when a manifest or a blob has a folder here and no link in it. */
  async hasLinkOf(
    kind: "revision" | "layer",
    name: RepositoryName,
    digest: Digest,
  ): Promise<boolean> {
    const linkKey = kind === "revision" ? revisionLinkKey : layerLinkKey;
    // Asked of every link at each start: a look that does not leave the thread is ten times quicker.
    return this.#objects.content(linkKey(name, digest)) !== undefined;
  }

  /** Points the tag at the manifest. `current/link` is last: before it, the tag is unchanged. */
  async writeTag(name: RepositoryName, tag: Tag, digest: Digest): Promise<Link> {
    await this.#write(tagIndexKey(name, tag, digest), digest);
    await this.#write(tagCurrentKey(name, tag), digest);
    const written = await this.#objects.stat(tagCurrentKey(name, tag));
    if (written === undefined) throw new Error(`the link of ${name}:${tag} is gone`);
    return { digest, modifiedAtMs: written.modifiedAtMs, stamp: written.stamp };
  }

  /** Makes sure that a link which is there outlives a power cut, whoever wrote it. */
  async settleTag(name: RepositoryName, tag: Tag): Promise<void> {
    await this.#objects.settle(tagCurrentKey(name, tag));
  }

  /**
   * Makes sure that a tag which is gone does not come back with a power cut, whoever removed it;
   * false when its link is there.
   */
  async settleRemovedTag(name: RepositoryName, tag: Tag): Promise<boolean> {
    if ((await this.stampOfTag(name, tag)) !== undefined) return false;
    await this.#objects.settleRemoval(tagCurrentKey(name, tag));
    return true;
  }

  /** Removes the pointer first, then what is left of its folder. */
  async removeTag(name: RepositoryName, tag: Tag): Promise<boolean> {
    const removed = await this.#objects.remove(tagCurrentKey(name, tag));
    return (await this.#objects.removeFolder(tagFolder(name, tag))) || removed;
  }

  /** Tags that have a folder, in no order. Whether the link in it can be read is another matter. */
  async listTags(name: RepositoryName): Promise<readonly Tag[]> {
    const tags: Tag[] = [];
    for (const entry of await this.#objects.list(tagsFolder(name))) {
      const tag = entry.isFolder ? parseTag(entry.name) : undefined;
      if (tag !== undefined) tags.push(tag);
      else this.#reportStray(`${tagsFolder(name)}/${entry.name}`);
    }
    return tags;
  }

  async readRevision(name: RepositoryName, digest: Digest): Promise<Link | undefined> {
    return this.#readNamed(revisionLinkKey(name, digest), digest);
  }

  async writeRevision(name: RepositoryName, digest: Digest): Promise<void> {
    await this.#write(revisionLinkKey(name, digest), digest);
  }

  /** As `settleTag`. */
  async settleRevision(name: RepositoryName, digest: Digest): Promise<void> {
    await this.#objects.settle(revisionLinkKey(name, digest));
  }

  /** As `settleRemovedTag`. */
  async settleRemovedRevision(name: RepositoryName, digest: Digest): Promise<boolean> {
    if (await this.hasLinkOf("revision", name, digest)) return false;
    await this.#objects.settleRemoval(revisionLinkKey(name, digest));
    return true;
  }

  async removeRevision(name: RepositoryName, digest: Digest): Promise<boolean> {
    return this.#removeLinkFolder(revisionFolder(name, digest));
  }

  async listRevisions(name: RepositoryName): Promise<readonly Digest[]> {
    return this.#listDigests(revisionsFolder(name));
  }

  async readLayer(name: RepositoryName, digest: Digest): Promise<Link | undefined> {
    return this.#readNamed(layerLinkKey(name, digest), digest);
  }

  async writeLayer(name: RepositoryName, digest: Digest): Promise<void> {
    await this.#write(layerLinkKey(name, digest), digest);
  }

  /** As `settleTag`. */
  async settleLayer(name: RepositoryName, digest: Digest): Promise<void> {
    await this.#objects.settle(layerLinkKey(name, digest));
  }

  async removeLayer(name: RepositoryName, digest: Digest): Promise<boolean> {
    return this.#removeLinkFolder(layerFolder(name, digest));
  }

  /** As `removeLayer` for many; durable together. */
  async removeLayers(name: RepositoryName, digests: readonly Digest[]): Promise<void> {
    await this.#objects.removeAllWithFolders(digests.map((digest) => layerLinkKey(name, digest)));
  }

  async listLayers(name: RepositoryName): Promise<readonly Digest[]> {
    return this.#listDigests(layersFolder(name));
  }

  /**
   * What `readTag` and the others take for absent, told apart: for repairs. `digest` is the one
   * that the link's folder is named after, where it is.
   */
  async stateOf(key: string, digest?: Digest): Promise<LinkState> {
    const found = await this.#objects.stat(key);
    if (found === undefined) return { kind: "absent" };
    const { sizeBytes, modifiedAtMs, stamp } = found;
    if (sizeBytes === 0) return { kind: "damaged", why: "it is empty" };
    const isLonger = sizeBytes > linkSizeBytesMax;
    const bytes = isLonger ? undefined : await this.#objects.read(key, linkSizeBytesMax);
    const held = bytes === undefined ? undefined : parseDigest(new TextDecoder().decode(bytes));
    if (held === undefined) return { kind: "damaged", why: "it holds no digest" };
    if (digest === undefined || held === digest) {
      return { kind: "sound", link: { digest: held, modifiedAtMs, stamp } };
    }
    return { kind: "damaged", why: `it holds ${held}` };
  }

  /** Every repository that has a folder of its own and comes after that text, in ASCII order. */
  listRepositories(after = ""): AsyncGenerator<RepositoryName> {
    return walkRepositories(this.#objects, { after, onStray: (key) => this.#reportStray(key) });
  }

  /** Removes everything of a repository: pointers first, so nothing dangles on the way. */
  async removeRepository(name: RepositoryName): Promise<boolean> {
    let isRemoved = await this.#objects.removeFolder(tagsFolder(name));
    for (const part of [manifestsName, layersName, uploadsName]) {
      const folder = `${repositoryFolder(name)}/${part}`;
      isRemoved = (await this.#objects.removeFolder(folder)) || isRemoved;
    }
    return isRemoved;
  }

  /**
   * Finishes deletes that were broken off: folders of manifests, blobs and tags whose link is gone
   * already. The caller holds the repository's lock; a push that makes the same folder meanwhile
   * finds its way, because only what is empty goes.
   */
  async clearRemnants(name: RepositoryName): Promise<void> {
    const folders: string[] = [];
    const turns = new Turns();
    for (const digest of await this.listRevisions(name)) {
      await turns.step();
      if (await this.hasLinkOf("revision", name, digest)) continue;
      folders.push(revisionFolder(name, digest));
    }
    for (const digest of await this.listLayers(name)) {
      await turns.step();
      if (await this.hasLinkOf("layer", name, digest)) continue;
      folders.push(layerFolder(name, digest));
    }
    await this.#objects.removeEmptyFolders(folders);
    for (const tag of await this.listTags(name)) {
      if ((await this.stampOfTag(name, tag)) === undefined) await this.removeTag(name, tag);
    }
  }

  /**
   * Removes the folders of a repository that has nothing any more; false when it has something.
   * The caller holds the repository's lock; an upload that begins meanwhile finds its way.
   */
  async removeIfEmpty(name: RepositoryName): Promise<boolean> {
    if ((await this.listTags(name)).length > 0) return false;
    if ((await this.listRevisions(name)).length > 0) return false;
    if ((await this.listLayers(name)).length > 0) return false;
    if ((await this.#objects.list(uploadsFolder(name))).length > 0) return false;
    const folder = repositoryFolder(name);
    const [manifests, layers] = [`${folder}/${manifestsName}`, layersFolder(name)];
    const byAlgorithm = (above: string) => digestAlgorithms.map((it) => `${above}/${it}`);
    const parents: string[] = [];
    for (let parent = folder; parent !== repositoriesFolder; parent = posix.dirname(parent)) {
      parents.push(parent);
    }
    await this.#objects.removeEmptyFolders([
      ...byAlgorithm(revisionsFolder(name)),
      ...[revisionsFolder(name), tagsFolder(name), manifests],
      ...[...byAlgorithm(layers), layers, uploadsFolder(name)],
      ...parents,
    ]);
    return true;
  }

  async #read(key: string): Promise<Link | undefined> {
    const state = await this.stateOf(key);
    if (state.kind === "sound") return state.link;
    if (state.kind === "damaged") {
      this.#logger.warn("a link in the storage holds no digest; it counts as absent", { key });
    }
    return undefined;
  }

  /** A link whose folder is named after its digest; one that holds another digest is damaged. */
  async #readNamed(key: string, digest: Digest): Promise<Link | undefined> {
    const link = await this.#read(key);
    if (link === undefined || link.digest === digest) return link;
    this.#logger.warn("a link in the storage holds another digest than its folder names", {
      key,
      digest: link.digest,
    });
    return undefined;
  }

  async #write(key: string, digest: Digest): Promise<void> {
    await this.#objects.put(key, new TextEncoder().encode(digest));
  }

  async #removeLinkFolder(folder: string): Promise<boolean> {
    const removed = await this.#objects.remove(`${folder}/link`);
    await this.#objects.removeFolder(folder);
    return removed;
  }

  async #listDigests(folder: string): Promise<readonly Digest[]> {
    const digests: Digest[] = [];
    for (const algorithm of digestAlgorithms) {
      for (const entry of await this.#objects.list(`${folder}/${algorithm}`)) {
        const digest = parseDigest(`${algorithm}:${entry.name}`);
        if (digest !== undefined) digests.push(digest);
        else this.#reportStray(`${folder}/${algorithm}/${entry.name}`);
      }
    }
    return digests;
  }

  #reportStray(key: string): void {
    this.#logger.debug("something in the storage is not part of the layout; it is left alone", {
      key,
    });
  }
}
