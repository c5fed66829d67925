import type { Actor } from "../activity/records.ts";
import type { ManifestStat } from "../metadata/metadata-store.ts";
import { algorithmOf, type Digest, type DigestAlgorithm, digestOf } from "../oci/digest.ts";
import { digestsNamedBy, type Manifest, parseManifest } from "../oci/manifest.ts";
import { isManifestMediaType, isSchema1MediaType } from "../oci/media-type.ts";
import { RegistryError } from "../oci/problems.ts";
import type { RepositoryName } from "../oci/repository-name.ts";
import type { Reference, Tag } from "../oci/tag.ts";
import type { RegistryContext } from "./context.ts";
import { findMovable } from "./immutable-tags.ts";
import { linkManifest } from "./link-manifest.ts";
import { isUndisturbed, lockTrash, shareDigests } from "./lock-digests.ts";
import { moveTag } from "./move-tag.ts";
import { immutablePattern } from "./policy.ts";
import { checkReferences } from "./reference-check.ts";
import type { Removals } from "./removals.ts";

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
  /** Asked what the reference leads to now; false refuses the push. */
  readonly mayReplace?: (before: Digest | undefined) => boolean;
}

export interface PushedManifest {
  readonly digest: Digest;
  /** Set when the manifest has a subject: the client is told that it was understood. */
  readonly subject: Digest | undefined;
  readonly tags: readonly Tag[];
}

/** Pushing, pulling and deleting manifests (distribution-spec end-3, end-7, end-9). */
export class Manifests {
  readonly #context: RegistryContext;
  readonly #removals: Removals;

  constructor(context: RegistryContext, removals: Removals) {
    this.#context = context;
    this.#removals = removals;
  }

  /**
   * A manifest whose bytes are gone is not there: a client that asks first must push it again.
   *
   * @throws {RegistryError} `manifestUnknown`
   */
  async stat(name: RepositoryName, reference: Reference): Promise<ManifestStat> {
    const found = await this.#find(name, reference);
    if (found === undefined || !this.#context.reader.has(found.digest)) {
      throw manifestUnknown(name, reference);
    }
    return found;
  }

  /** Leases what it finds: whoever hears of a manifest may push an index that names it. */
  async #find(name: RepositoryName, reference: Reference): Promise<ManifestStat | undefined> {
    const { locks, leases } = this.#context;
    const endsBefore = locks.exclusiveEnds;
    const found = await this.#look(name, reference);
    if (found === undefined) return undefined;
    leases.touch(found.digest);
    if (isUndisturbed(locks, found.digest, endsBefore)) return found;
    return lockTrash(locks, [found.digest], () => this.#look(name, reference));
  }

  #look(name: RepositoryName, reference: Reference): Promise<ManifestStat | undefined> {
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
    const { reader, logger, activity, clock } = this.#context;
    const found = await this.#find(name, reference);
    if (found === undefined) throw manifestUnknown(name, reference);
    const bytes = reader.cachedBytes(found.digest) ?? (await reader.bytes(found.digest));
    if (bytes === undefined) {
      logger.error(
        "a manifest is linked but its bytes are missing or damaged in the storage: berth fsck says more",
        {
          repository: name,
          digest: found.digest,
        },
      );
      throw manifestUnknown(name, reference);
    }
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
   * @throws {RegistryError} `manifest…`, `digestMismatch`, `tagImmutable`, `conditionFailed`
   */
  async push(push: ManifestPush): Promise<PushedManifest> {
    const { name, reference, bytes } = push;
    const manifest = parseChecked(bytes, push.contentType);
    const digest = digestOf(bytes, algorithmFor(reference));
    if (reference.kind === "digest" && reference.digest !== digest) {
      throw new RegistryError("digestMismatch", { expected: reference.digest, actual: digest });
    }
    const tags = reference.kind === "tag" ? [reference.tag] : push.tags;
    const { locks, leases, policy } = this.#context;
    if (push.mayReplace !== undefined) {
      const before = (await this.#look(name, reference))?.digest;
      if (!push.mayReplace(before)) throw conditionFailed(push, before);
    }
    for (const tag of tags) {
      // Before anything is stored; it is asked once more under the tag's lock.
      const isImmutable = immutablePattern(name, tag, policy) !== undefined;
      if (isImmutable) await findMovable({ name, tag, digest }, this.#context);
    }
    const digests = [digest, ...digestsNamedBy(manifest)];
    await shareDigests(locks, digests, async () => {
      await checkReferences(name, manifest, this.#context);
      await this.#context.blobs.put(digest, bytes);
      leases.touch(digest);
      this.#context.reader.remember(digest, bytes);
      const linked = { digest, manifest, sizeBytes: bytes.byteLength };
      await linkManifest(name, linked, this.#context);
      for (const tag of tags) await this.#moveTag(push, { tag, digest });
    });
    return { digest, subject: manifest.subject?.digest, tags };
  }

  /** The condition is of the reference; it is asked once more under the lock of the tag. */
  async #moveTag(
    push: ManifestPush,
    { tag, digest }: { readonly tag: Tag; readonly digest: Digest },
  ): Promise<void> {
    const { name, reference, actor, mayReplace } = push;
    const isConditional = reference.kind === "tag" && mayReplace !== undefined;
    const move = { name, tag, digest, actor, ...(isConditional && { mayReplace }) };
    const { isMoved, before } = await moveTag(move, this.#context);
    if (!isMoved) throw conditionFailed(push, before);
  }

  /**
   * Deletes a manifest with every tag that points to it, or one tag alone: the manifest and
   * the other tags stay then.
   *
   * @throws {RegistryError} `manifestUnknown`, `tagImmutable`
   */
  async remove(name: RepositoryName, reference: Reference, actor: Actor): Promise<void> {
    const target =
      reference.kind === "tag"
        ? ({ kind: "tag", name, tag: reference.tag } as const)
        : ({ kind: "manifest", name, digest: reference.digest } as const);
    await this.#removals.remove([target], actor);
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

function conditionFailed(
  { name, reference }: ManifestPush,
  before: Digest | undefined,
): RegistryError {
  const text = reference.kind === "tag" ? reference.tag : reference.digest;
  return new RegistryError("conditionFailed", {
    name,
    reference: text,
    digest: before ?? "nothing",
  });
}

function manifestUnknown(name: RepositoryName, reference: Reference): RegistryError {
  const text = reference.kind === "tag" ? reference.tag : reference.digest;
  return new RegistryError("manifestUnknown", { reference: text, name });
}
