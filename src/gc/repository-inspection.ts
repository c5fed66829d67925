import type { Descriptor } from "../oci/descriptor.ts";
import { algorithmOf, type Digest, digestOf, parseDigest } from "../oci/digest.ts";
import { blobsOf, type Manifest, parseManifest } from "../oci/manifest.ts";
import { isManifestMediaType, isNonDistributable } from "../oci/media-type.ts";
import { RegistryError } from "../oci/problems.ts";
import type { RepositoryName } from "../oci/repository-name.ts";
import type { Tag } from "../oci/tag.ts";
import type { RegistryContext } from "../registry/context.ts";
import { storedManifestSizeBytesMax } from "../registry/manifest-reader.ts";
import { isChildRequired } from "../registry/policy.ts";
import {
  layerLinkKey,
  revisionLinkKey,
  tagCurrentKey,
  tagIndexFolder,
  tagIndexKey,
} from "../storage/layout.ts";
import type { Link } from "../storage/link-store.ts";
import type { Quarantine } from "../storage/quarantine.ts";
import type { Suspect } from "./findings.ts";

type Parts = Pick<
  RegistryContext,
  "links" | "blobs" | "reader" | "objects" | "metadata" | "activity" | "policy" | "clock"
> & {
  readonly quarantine: Quarantine;
};

/** The bytes of a manifest: what they mean, or what is wrong with them. */
type ManifestState =
  | { readonly kind: "sound"; readonly manifest: Manifest }
  | { readonly kind: "absent" }
  /** Intact, and yet nothing that Berth serves: an old schema, or somebody's mistake. */
  | { readonly kind: "foreign" }
  | { readonly kind: "corrupt" }
  /** The disk does not give them, perhaps only now. */
  | { readonly kind: "unreadable" };

/**
 * What is wrong with one link, manifest or tag of a repository, asked of the files themselves.
 * Every question can be asked again: nothing is kept between two of them.
 */
export class RepositoryInspection {
  readonly #name: RepositoryName;
  readonly #parts: Parts;

  constructor(name: RepositoryName, parts: Parts) {
    this.#name = name;
    this.#parts = parts;
  }

  /** `user` is a manifest of this repository that names the blob, when there is one. */
  async layer(
    digest: Digest,
    use: { readonly user: Digest | undefined; readonly isKnown: boolean },
  ): Promise<readonly Suspect[]> {
    const { links, metadata, quarantine } = this.#parts;
    const key = layerLinkKey(this.#name, digest);
    const state = await links.stateOf(key, digest);
    if (state.kind === "absent") return [];
    const whereabouts = await this.#whereabouts(digest);
    if (state.kind === "damaged") {
      const mend = async (): Promise<void> => {
        if (whereabouts !== "stored") return void (await quarantine.takeLink(key));
        // The folder says which digest it was: a link could hold no other.
        await quarantine.copyLink(key);
        await this.#linkLayer(digest);
      };
      return [{ code: "link-damaged", subject: key, text: state.why, digest, mend }];
    }
    if (whereabouts === "stored") return [];
    if (whereabouts === "trash" && use.user === undefined) {
      return [{ code: "in-trash", subject: digest, text: "nothing needs it" }];
    }
    if (whereabouts === "trash") return [];
    const { user, isKnown } = use;
    const needed = user === undefined ? "" : `; ${user} needs it: push that image again`;
    const text = `the repository holds the blob, but its bytes are missing${needed}`;
    const suspect = { code: "bytes-missing", subject: digest, text, digest } as const;
    if (user !== undefined || !isKnown) return [suspect];
    // A link that nothing needs, to nothing, promises what is not there.
    const mend = async (): Promise<void> => {
      await quarantine.takeLink(key);
      await metadata.removeBlob(this.#name, digest);
    };
    if (!this.#isOld(state.link)) return [{ ...suspect, mend }];
    // Distribution's collection takes the bytes and leaves all their links: so it is after each.
    const unneeded = "its bytes are gone, and nothing needs them; a collection takes the link";
    return [{ ...suspect, code: "link-unneeded", text: unneeded, mend }];
  }

  async revision(digest: Digest): Promise<readonly Suspect[]> {
    const { links, quarantine } = this.#parts;
    const key = revisionLinkKey(this.#name, digest);
    const link = await links.stateOf(key, digest);
    if (link.kind === "absent") return [];
    const state = await this.manifest(digest);
    if (link.kind === "damaged") {
      const mend = async (): Promise<void> => {
        const isWhole = state.kind === "sound" || state.kind === "foreign";
        if (!isWhole) return void (await quarantine.takeLink(key));
        await quarantine.copyLink(key);
        await this.#linkRevision(digest);
      };
      const suspect = { code: "link-damaged", subject: key, text: link.why, digest } as const;
      // It may be the only one that leads to a manifest that is whole.
      return [state.kind === "unreadable" ? suspect : { ...suspect, mend }];
    }
    switch (state.kind) {
      case "sound":
        return this.#references(digest, state.manifest);
      case "absent": {
        if ((await this.#whereabouts(digest)) === "trash") return [];
        const text = "the bytes of the manifest are missing; push it again";
        return [{ code: "bytes-missing", subject: digest, text, digest }];
      }
      case "foreign": {
        const text = "its bytes are intact but no manifest that Berth serves";
        return [{ code: "manifest-foreign", subject: digest, text, digest }];
      }
      case "corrupt":
      case "unreadable": {
        const text = "the bytes of the manifest are not what its digest says; push it again";
        return [{ code: "blob-corrupt", subject: digest, text, digest, needsHash: true }];
      }
    }
  }

  async tag(tag: Tag): Promise<readonly Suspect[]> {
    const { links, metadata, quarantine } = this.#parts;
    const key = tagCurrentKey(this.#name, tag);
    const link = await links.stateOf(key);
    if (link.kind === "sound") return this.#target(tag, link.link.digest);
    const target = await this.#lastTarget(tag);
    const write = async (isDamaged: boolean, digest: Digest): Promise<void> => {
      if (isDamaged) await quarantine.copyLink(key);
      const { modifiedAtMs, stamp } = await links.writeTag(this.#name, tag, digest);
      await metadata.recordTag(this.#name, { tag, digest, pushedAtMs: modifiedAtMs, stamp });
    };
    if (link.kind === "damaged") {
      const text =
        target === undefined
          ? `its link is damaged (${link.why}) and nothing says what it pointed to: push it again`
          : `its link is damaged (${link.why}); it pointed to ${target}`;
      const suspect = { code: "tag-damaged", subject: tag, text } as const;
      return [target === undefined ? suspect : { ...suspect, mend: () => write(true, target) }];
    }
    // Left by a crash: in a first push, or in a deletion; neither was acknowledged.
    const text = "its folder has no current link: a push or a deletion did not end";
    const suspect = { code: "tag-incomplete", subject: tag, text } as const;
    return [target === undefined ? suspect : { ...suspect, mend: () => write(false, target) }];
  }

  /** The manifest of the stored bytes; read anew, and hashed. */
  async manifest(digest: Digest): Promise<ManifestState> {
    const { blobs } = this.#parts;
    const sizeBytes = await blobs.sizeOf(digest);
    if (sizeBytes === undefined) return { kind: "absent" };
    if (sizeBytes > storedManifestSizeBytesMax) return { kind: "foreign" };
    const bytes = await blobs
      .read(digest, storedManifestSizeBytesMax)
      .catch(() => "unreadable" as const);
    if (bytes === undefined) return { kind: "absent" };
    if (bytes === "unreadable") return { kind: "unreadable" };
    if (digestOf(bytes, algorithmOf(digest)) !== digest) return { kind: "corrupt" };
    try {
      return { kind: "sound", manifest: parseManifest(bytes) };
    } catch (error) {
      if (error instanceof RegistryError) return { kind: "foreign" };
      throw error;
    }
  }

  async #references(parent: Digest, manifest: Manifest): Promise<readonly Suspect[]> {
    const { validation } = this.#parts.policy;
    const suspects: Suspect[] = [];
    for (const blob of blobsOf(manifest)) {
      if (isNonDistributable(blob.mediaType) && (blob.urls ?? []).length > 0) continue;
      suspects.push(...(await this.#blobReference(parent, blob)));
    }
    for (const child of manifest.manifests) {
      const { links } = this.#parts;
      const link = await links.stateOf(revisionLinkKey(this.#name, child.digest), child.digest);
      // Damaged links and missing bytes are found at the child itself.
      if (link.kind !== "absent") continue;
      // Without a link of its own it may be a blob: buildkit's older caches have them.
      const isBlob = !isManifestMediaType(child.mediaType);
      const asLayer = await links.stateOf(layerLinkKey(this.#name, child.digest), child.digest);
      if (asLayer.kind !== "absent") continue;
      if (!isChildRequired(child.platform, validation.indexes)) continue;
      if (isBlob) suspects.push(...(await this.#blobReference(parent, child)));
      else suspects.push(missing(parent, child));
    }
    return validation.isEnabled ? suspects : suspects.filter(({ needsHash }) => needsHash);
  }

  async #blobReference(parent: Digest, blob: Descriptor): Promise<readonly Suspect[]> {
    const { links, blobs } = this.#parts;
    const { digest } = blob;
    const link = await links.stateOf(layerLinkKey(this.#name, digest), digest);
    const sizeBytes = await blobs.sizeOf(digest);
    if (link.kind === "absent") {
      if (sizeBytes === undefined) return [missing(parent, blob)];
      const text = `${parent} needs ${digest}, whose bytes are there without a link`;
      const mend = (): Promise<void> => this.#linkLayer(digest);
      return [{ code: "reference-unlinked", subject: digest, text, digest, mend }];
    }
    if (sizeBytes === undefined || sizeBytes === blob.sizeBytes) return [];
    const text = `${parent} says that it has ${blob.sizeBytes} bytes, and it has ${sizeBytes}`;
    return [{ code: "size-wrong", subject: digest, text, digest, needsHash: true }];
  }

  /** A tag whose link is sound. */
  async #target(tag: Tag, digest: Digest): Promise<readonly Suspect[]> {
    const { links } = this.#parts;
    const link = await links.stateOf(revisionLinkKey(this.#name, digest), digest);
    if (link.kind !== "absent") return [];
    const isMendable = (await this.manifest(digest)).kind === "sound";
    const how = isMendable ? "whose bytes are there without a link" : "which is not there";
    const text = `it points to the manifest ${digest}, ${how}`;
    const suspect = { code: "tag-dangling", subject: tag, text, digest } as const;
    if (!isMendable) return [suspect];
    return [{ ...suspect, mend: () => this.#linkRevision(digest) }];
  }

  /**
   * What a tag without a readable link pointed to, when that is certain: it is still recorded,
   * or its history says it, or it has only ever pointed to one manifest. Undefined also for one
   * that was deleted.
   */
  async #lastTarget(tag: Tag): Promise<Digest | undefined> {
    const { links, metadata, activity } = this.#parts;
    const candidates: Digest[] = [];
    for (const digest of await this.#everTagged(tag)) {
      const entry = await links.stateOf(tagIndexKey(this.#name, tag, digest), digest);
      const revision = await links.stateOf(revisionLinkKey(this.#name, digest), digest);
      if (entry.kind === "sound" && revision.kind === "sound") candidates.push(digest);
    }
    const recorded = await metadata.findTag(this.#name, tag);
    if (recorded !== undefined) return candidates.find((digest) => digest === recorded.digest);
    const [last] = await activity.listTagEvents(this.#name, { tag, limit: 1 });
    if (last !== undefined) return candidates.find((digest) => digest === last.after);
    return candidates.length === 1 ? candidates[0] : undefined;
  }

  // What is mended is recorded as a push would. Not by reading the repository again: rows of what
  // is damaged just now would go, and with them facts that the next push does not bring back.
  async #linkLayer(digest: Digest): Promise<void> {
    const { links, blobs, metadata } = this.#parts;
    await links.writeLayer(this.#name, digest);
    const sizeBytes = await blobs.sizeOf(digest);
    if (sizeBytes !== undefined) await metadata.recordBlob(this.#name, { digest, sizeBytes });
  }

  async #linkRevision(digest: Digest): Promise<void> {
    const { links, reader, metadata } = this.#parts;
    await links.writeRevision(this.#name, digest);
    const link = await links.readRevision(this.#name, digest);
    const record = link && (await reader.record(digest, link.modifiedAtMs));
    if (record !== undefined) await metadata.recordManifest(this.#name, record);
  }

  async #everTagged(tag: Tag): Promise<readonly Digest[]> {
    const { objects } = this.#parts;
    const folder = tagIndexFolder(this.#name, tag);
    const found: Digest[] = [];
    for (const { name: algorithm } of await objects.list(folder)) {
      for (const { name } of await objects.list(`${folder}/${algorithm}`)) {
        const digest = parseDigest(`${algorithm}:${name}`);
        if (digest !== undefined) found.push(digest);
      }
    }
    return found;
  }

  /** Older than any push that is still under way. */
  #isOld({ modifiedAtMs }: Link): boolean {
    const { clock, policy } = this.#parts;
    return modifiedAtMs < clock.nowMs() - policy.leaseMs;
  }

  async #whereabouts(digest: Digest): Promise<"stored" | "trash" | "nowhere"> {
    const { blobs } = this.#parts;
    if ((await blobs.sizeOf(digest)) !== undefined) return "stored";
    return (await blobs.sizeInTrash(digest)) === undefined ? "nowhere" : "trash";
  }
}

function missing(parent: Digest, { digest }: Descriptor): Suspect {
  const text = `${parent} needs ${digest}, which is not there: push that image again`;
  return { code: "reference-missing", subject: digest, text };
}
