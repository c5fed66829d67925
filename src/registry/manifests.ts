import type { Actor } from "../activity/activity-store.ts";
import type { ManifestStat } from "../metadata/metadata-store.ts";
import { algorithmOf, type Digest, type DigestAlgorithm, digestOf } from "../oci/digest.ts";
import { type Manifest, parseManifest } from "../oci/manifest.ts";
import { isManifestMediaType, isSchema1MediaType } from "../oci/media-type.ts";
import { RegistryError } from "../oci/problems.ts";
import type { RepositoryName } from "../oci/repository-name.ts";
import type { Reference, Tag } from "../oci/tag.ts";
import type { RegistryContext } from "./context.ts";
import { shareDigests } from "./lock-digests.ts";
import { immutablePattern } from "./policy.ts";
import { checkReferences } from "./reference-check.ts";

/** All of them: more than a manifest has in practice. */
const tagsOfManifestMax = 10_000_000;

/** A manifest that a client pushes. */
export interface ManifestPush {
  readonly name: RepositoryName;
  readonly reference: Reference;
  /** Further tags, from `?tag=`; only with a digest as reference. */
  readonly tags: readonly Tag[];
  readonly bytes: Uint8Array;
  /** As the client sent it, without parameters; undefined when it sent none. */
  readonly contentType: string | undefined;
  readonly actor: Actor;
}

export interface PushedManifest {
  readonly digest: Digest;
  /** Set when the manifest has a subject: the client is told that it was understood. */
  readonly subject: Digest | undefined;
  readonly tags: readonly Tag[];
}

/** A tag as a rule saw it when it decided that it goes. */
export interface TagRemoval {
  readonly tag: Tag;
  readonly digest: Digest;
  readonly pushedAtMs: number;
  readonly actor: Actor;
}

/** A manifest as a rule saw it when it decided that it goes. */
export interface ManifestRemoval {
  readonly digest: Digest;
  readonly pushedAtMs: number;
  readonly actor: Actor;
}

/** Pushing, pulling and deleting manifests (distribution-spec end-3, end-7, end-9). */
export class Manifests {
  readonly #context: RegistryContext;

  constructor(context: RegistryContext) {
    this.#context = context;
  }

  /** @throws {RegistryError} `manifestUnknown` */
  async stat(name: RepositoryName, reference: Reference): Promise<ManifestStat> {
    const found = await this.#find(name, reference);
    if (found === undefined) throw manifestUnknown(name, reference);
    this.#context.leases.touch(found.digest);
    return found;
  }

  #find(name: RepositoryName, reference: Reference): Promise<ManifestStat | undefined> {
    const { lookup } = this.#context;
    return reference.kind === "tag"
      ? lookup.findTag(name, reference.tag)
      : lookup.findManifest(name, reference.digest);
  }

  /**
   * The bytes as they were pushed.
   *
   * @throws {RegistryError} `manifestUnknown`
   */
  async pull(
    name: RepositoryName,
    reference: Reference,
  ): Promise<ManifestStat & { readonly bytes: Uint8Array }> {
    const { reader, logger, activity, clock, leases } = this.#context;
    const found = await this.#find(name, reference);
    if (found === undefined) throw manifestUnknown(name, reference);
    const bytes = reader.cachedBytes(found.digest) ?? (await reader.bytes(found.digest));
    if (bytes === undefined) {
      logger.error("a manifest is linked but its bytes are missing from the storage", {
        repository: name,
        digest: found.digest,
      });
      throw manifestUnknown(name, reference);
    }
    leases.touch(found.digest);
    activity.countPull({
      repository: name,
      digest: found.digest,
      ...(reference.kind === "tag" && { tag: reference.tag }),
      atMs: clock.nowMs(),
    });
    return { ...found, bytes };
  }

  /**
   * Stores a manifest and points its tags at it. Everything it names is there first, the tag is
   * last: at no moment does a tag lead to something incomplete.
   *
   * @throws {RegistryError} `manifest…`, `digestMismatch`, `tagImmutable`
   */
  async push(push: ManifestPush): Promise<PushedManifest> {
    const { name, reference, bytes } = push;
    const manifest = parseChecked(bytes, push.contentType);
    const digest = digestOf(bytes, algorithmFor(reference));
    if (reference.kind === "digest" && reference.digest !== digest) {
      throw new RegistryError("digestMismatch", { expected: reference.digest, actual: digest });
    }
    const tags = reference.kind === "tag" ? [reference.tag] : push.tags;
    const { locks, leases } = this.#context;
    for (const tag of tags) {
      // Before anything is stored; it is asked once more under the tag's lock.
      const isImmutable = immutablePattern(name, tag, this.#context.policy) !== undefined;
      if (isImmutable) await this.#findMovable(name, tag, digest);
    }
    const digests = [digest, ...digestsNamedBy(manifest)];
    await shareDigests(locks, digests, async () => {
      await checkReferences(name, manifest, this.#context);
      await this.#context.blobs.put(digest, bytes);
      leases.touch(digest);
      this.#context.reader.remember(digest, bytes);
      await this.#link({ name, digest, manifest, sizeBytes: bytes.byteLength });
      for (const tag of tags) await this.#moveTag(push, tag, digest);
    });
    return { digest, subject: manifest.subject?.digest, tags };
  }

  /**
   * Deletes a manifest with every tag that points to it, or one tag alone: the manifest and
   * the other tags stay then.
   *
   * @throws {RegistryError} `manifestUnknown`, `tagImmutable`
   */
  async remove(name: RepositoryName, reference: Reference, actor: Actor): Promise<void> {
    if (reference.kind === "digest") await this.#removeManifest(name, reference.digest, actor);
    else if (!(await this.#removeTag(name, reference.tag, { actor }))) {
      throw manifestUnknown(name, reference);
    }
  }

  /**
   * Deletes a tag by rule; false, and nothing is changed, when it was moved, pushed again or
   * deleted since.
   *
   * @throws {RegistryError} `tagImmutable`
   */
  async removeTagIfSame(name: RepositoryName, { tag, ...seen }: TagRemoval): Promise<boolean> {
    return this.#removeTag(name, tag, { actor: seen.actor, seen });
  }

  /**
   * Deletes a manifest by rule; false, and nothing is changed, when a tag or an index leads to it
   * by now, or when it was pushed again, leased or deleted since.
   */
  async removeManifestIfUnreached(name: RepositoryName, seen: ManifestRemoval): Promise<boolean> {
    const { metadata, locks, links, leases, adoption } = this.#context;
    const { digest, actor } = seen;
    await adoption.adopt(name);
    return locks.exclusive(digest, async () => {
      const link = await links.readRevision(name, digest);
      if (link === undefined || Math.floor(link.modifiedAtMs) > seen.pushedAtMs) return false;
      if ((await metadata.tagsOfManifest(name, digest, 1)).length > 0) return false;
      if ((await metadata.parentsOf(name, digest, 1)).length > 0) return false;
      if (await leases.isLeased(digest)) return false;
      await this.#unlinkManifest(name, digest, actor);
      return true;
    });
  }

  async #link(pushed: {
    readonly name: RepositoryName;
    readonly digest: Digest;
    readonly manifest: Manifest;
    readonly sizeBytes: number;
  }): Promise<void> {
    const { links, metadata, locks, clock, reader } = this.#context;
    const { name, ...record } = pushed;
    const config = await reader.configOf(pushed.manifest);
    await locks.shared(`repository:${name}`, async () => {
      await links.writeRevision(name, pushed.digest);
      await metadata.recordManifest(name, {
        ...record,
        pushedAtMs: clock.nowMs(),
        ...(config !== undefined && { config }),
      });
    });
  }

  async #moveTag(push: ManifestPush, tag: Tag, digest: Digest): Promise<void> {
    const { links, metadata, locks, activity, clock } = this.#context;
    const { name, actor } = push;
    await locks.shared(`repository:${name}`, () =>
      locks.exclusive(`tag:${name}:${tag}`, async () => {
        const before = await this.#findMovable(name, tag, digest);
        const link = await links.writeTag(name, tag, digest);
        await metadata.recordTag(name, {
          tag,
          digest,
          pushedAtMs: link.modifiedAtMs,
          stamp: link.stamp,
        });
        await activity.recordTagEvent({
          repository: name,
          tag,
          ...(before !== undefined && { before }),
          after: digest,
          atMs: clock.nowMs(),
          by: actor,
        });
      }),
    );
  }

  /**
   * What the tag points to.
   *
   * @throws {RegistryError} `tagImmutable` when that may not become `digest`, or nothing.
   */
  async #findMovable(
    name: RepositoryName,
    tag: Tag,
    digest: Digest | undefined,
  ): Promise<Digest | undefined> {
    const { lookup, policy } = this.#context;
    const before = (await lookup.findTag(name, tag))?.digest;
    if (before === undefined || before === digest) return before;
    const pattern = immutablePattern(name, tag, policy);
    if (pattern === undefined) return before;
    throw new RegistryError("tagImmutable", { name, tag, digest: before, pattern });
  }

  /** False when there is no such tag, or when it is not what was `seen` any more. */
  async #removeTag(
    name: RepositoryName,
    tag: Tag,
    { actor, seen }: { readonly actor: Actor; readonly seen?: Omit<TagRemoval, "tag"> },
  ): Promise<boolean> {
    const { links, metadata, locks, activity, clock } = this.#context;
    return locks.shared(`repository:${name}`, () =>
      locks.exclusive(`tag:${name}:${tag}`, async () => {
        if (seen !== undefined) {
          const link = await links.readTag(name, tag);
          if (link?.digest !== seen.digest) return false;
          if (Math.floor(link.modifiedAtMs) > seen.pushedAtMs) return false;
        }
        const before = await this.#findMovable(name, tag, undefined);
        const isRemoved = await links.removeTag(name, tag);
        await metadata.removeTag(name, tag);
        if (!isRemoved) return false;
        await activity.recordTagEvent({
          repository: name,
          tag,
          ...(before !== undefined && { before }),
          atMs: clock.nowMs(),
          by: actor,
        });
        return true;
      }),
    );
  }

  async #removeManifest(name: RepositoryName, digest: Digest, actor: Actor): Promise<void> {
    const { metadata, locks, adoption } = this.#context;
    // Which tags point to the manifest is known for certain only once the repository is adopted.
    await adoption.adopt(name);
    await locks.exclusive(digest, async () => {
      await this.stat(name, { kind: "digest", digest });
      const tags = await metadata.tagsOfManifest(name, digest, tagsOfManifestMax);
      // All or nothing: an immutable tag keeps the others too.
      for (const tag of tags) await this.#findMovable(name, tag, undefined);
      const seen = { digest, pushedAtMs: Infinity, actor };
      // One that was moved to another manifest meanwhile stays.
      for (const tag of tags) await this.#removeTag(name, tag, { actor, seen });
      await this.#unlinkManifest(name, digest, actor);
    });
  }

  /** The caller holds the digest's lock, and no tag leads to it. */
  async #unlinkManifest(name: RepositoryName, digest: Digest, actor: Actor): Promise<void> {
    const { links, metadata, locks, activity, clock } = this.#context;
    await locks.shared(`repository:${name}`, async () => {
      await links.removeRevision(name, digest);
      await metadata.removeManifest(name, digest);
    });
    await activity.recordAudit({
      atMs: clock.nowMs(),
      by: actor,
      action: "delete manifest",
      target: `${name}@${digest}`,
    });
  }
}

/** A manifest pushed by digest is stored under that algorithm; by tag, under sha256. */
function algorithmFor(reference: Reference): DigestAlgorithm {
  return reference.kind === "digest" ? algorithmOf(reference.digest) : "sha256";
}

function parseChecked(bytes: Uint8Array, contentType: string | undefined): Manifest {
  if (contentType !== undefined) {
    if (isSchema1MediaType(contentType)) throw new RegistryError("manifestSchema1");
    if (!isManifestMediaType(contentType)) {
      throw new RegistryError("manifestMediaTypeInvalid", { mediaType: contentType });
    }
  }
  const manifest = parseManifest(bytes);
  if (contentType !== undefined && contentType !== manifest.mediaType) {
    const why = `its media type is ${manifest.mediaType} but the Content-Type is ${contentType}`;
    throw new RegistryError("manifestInvalid", { why });
  }
  return manifest;
}

function digestsNamedBy(manifest: Manifest): readonly Digest[] {
  const { config, layers, manifests } = manifest;
  const descriptors = [...(config === undefined ? [] : [config]), ...layers, ...manifests];
  return descriptors.map((descriptor) => descriptor.digest);
}

function manifestUnknown(name: RepositoryName, reference: Reference): RegistryError {
  const text = reference.kind === "tag" ? reference.tag : reference.digest;
  return new RegistryError("manifestUnknown", { reference: text, name });
}
