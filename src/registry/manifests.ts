import type { Actor } from "../activity/activity-store.ts";
import type { ManifestStat } from "../metadata/metadata-store.ts";
import { algorithmOf, type Digest, type DigestAlgorithm, digestOf } from "../oci/digest.ts";
import { type Manifest, parseManifest } from "../oci/manifest.ts";
import { isManifestMediaType, isSchema1MediaType } from "../oci/media-type.ts";
import { RegistryError } from "../oci/problems.ts";
import type { RepositoryName } from "../oci/repository-name.ts";
import type { Reference, Tag } from "../oci/tag.ts";
import type { RegistryContext } from "./context.ts";
import { checkReferences } from "./reference-check.ts";

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

/** Pushing, pulling and deleting manifests (distribution-spec end-3, end-7, end-9). */
export class Manifests {
  readonly #context: RegistryContext;

  constructor(context: RegistryContext) {
    this.#context = context;
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
    const { reader, logger, activity, clock } = this.#context;
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
   * @throws {RegistryError} `manifest…`, `digestMismatch`
   */
  async push(push: ManifestPush): Promise<PushedManifest> {
    const { name, reference, bytes } = push;
    const manifest = parseChecked(bytes, push.contentType);
    const digest = digestOf(bytes, algorithmFor(reference));
    if (reference.kind === "digest" && reference.digest !== digest) {
      throw new RegistryError("digestMismatch", { expected: reference.digest, actual: digest });
    }
    const tags = reference.kind === "tag" ? [reference.tag] : push.tags;
    await this.#lockAll([digest, ...digestsNamedBy(manifest)], async () => {
      await checkReferences(name, manifest, this.#context);
      await this.#context.blobs.put(digest, bytes);
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
   * @throws {RegistryError} `manifestUnknown`
   */
  async remove(name: RepositoryName, reference: Reference, actor: Actor): Promise<void> {
    if (reference.kind === "tag") await this.#removeTag(name, reference.tag, actor);
    else await this.#removeManifest(name, reference.digest, actor);
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
    const { links, metadata, locks, lookup, activity, clock } = this.#context;
    const { name, actor } = push;
    await locks.shared(`repository:${name}`, () =>
      locks.exclusive(`tag:${name}:${tag}`, async () => {
        const before = (await lookup.findTag(name, tag))?.digest;
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

  async #removeTag(name: RepositoryName, tag: Tag, actor: Actor): Promise<void> {
    const { links, metadata, locks, lookup, activity, clock } = this.#context;
    await locks.shared(`repository:${name}`, () =>
      locks.exclusive(`tag:${name}:${tag}`, async () => {
        const before = (await lookup.findTag(name, tag))?.digest;
        const isRemoved = await links.removeTag(name, tag);
        await metadata.removeTag(name, tag);
        if (!isRemoved) throw manifestUnknown(name, { kind: "tag", tag });
        await activity.recordTagEvent({
          repository: name,
          tag,
          ...(before !== undefined && { before }),
          atMs: clock.nowMs(),
          by: actor,
        });
      }),
    );
  }

  async #removeManifest(name: RepositoryName, digest: Digest, actor: Actor): Promise<void> {
    const { links, metadata, locks, adoption, activity, clock } = this.#context;
    // Which tags point to the manifest is known for certain only once the repository is adopted.
    await adoption.adopt(name);
    await locks.exclusive(digest, async () => {
      // Not `stat`: a manifest whose bytes are gone can be deleted too.
      const found = await this.#find(name, { kind: "digest", digest });
      if (found === undefined) throw manifestUnknown(name, { kind: "digest", digest });
      for (;;) {
        const tags = await metadata.tagsOfManifest(name, digest, 1000);
        if (tags.length === 0) break;
        for (const tag of tags) await this.#removeTag(name, tag, actor);
      }
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
    });
  }

  /** Holds the shared lock of every digest while `work` runs: none of them can be removed. */
  async #lockAll(digests: readonly Digest[], work: () => Promise<void>): Promise<void> {
    // One order for all, so that two pushes and a deletion cannot wait for each other.
    const ordered = [...new Set(digests)].sort();
    let locked = work;
    for (const digest of ordered.toReversed()) {
      const inner = locked;
      locked = () => this.#context.locks.shared(digest, inner);
    }
    await locked();
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
