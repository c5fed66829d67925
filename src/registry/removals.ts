import type { AuditEntry, TagEvent } from "../activity/activity-store.ts";
import type { NewTrashEntry, RemovalAction } from "../activity/trash-store.ts";
import type { ManifestStat } from "../metadata/metadata-store.ts";
import type { Digest } from "../oci/digest.ts";
import { RegistryError } from "../oci/problems.ts";
import type { RepositoryName } from "../oci/repository-name.ts";
import type { Tag } from "../oci/tag.ts";
import type { Link } from "../storage/link-store.ts";
import type { Actor } from "./actor.ts";
import type { RegistryContext } from "./context.ts";
import { isDatabaseFailure, isStorageFull } from "./database-failure.ts";
import { recordMissedMove } from "./found-moves.ts";
import { findMovable } from "./immutable-tags.ts";
import { type Kept, keptFor } from "./kept.ts";
import { lockTrash } from "./lock-digests.ts";
import { repositoryLock, tagLock } from "./lock-keys.ts";
import { adoptForRemoval, noteRemoval, record, recordRemoval } from "./recording.ts";

/** What somebody wants to have removed. */
export type RemovalTarget =
  | {
      readonly kind: "tag";
      readonly name: RepositoryName;
      readonly tag: Tag;
      /** Leaves the tag alone when it points elsewhere by now, or was pushed again since. */
      readonly seen?: SeenManifest | undefined;
    }
  | { readonly kind: "manifest"; readonly name: RepositoryName; readonly digest: Digest }
  | { readonly kind: "repository"; readonly name: RepositoryName };

/** What somebody saw when it was decided that something goes. */
export interface SeenManifest {
  readonly digest: Digest;
  /** Of the link that was looked at; `Infinity` when any will do. */
  readonly pushedAtMs: number;
}

/** A name that is gone. */
export interface Removed {
  readonly name: RepositoryName;
  /** Absent for a manifest. */
  readonly tag?: Tag;
  /** Undefined for a tag that led nowhere. */
  readonly digest: Digest | undefined;
}

export interface Removal {
  /** Names what was removed together, for taking it back. */
  readonly operation: string;
  readonly removed: readonly Removed[];
}

/** One wish that is carried out, with all that goes with it. */
interface Order {
  readonly operation: string;
  readonly action: RemovalAction;
  readonly actor: Actor;
  readonly removed: Removed[];
}

const tagsPerQuery = 1_000;

/**
 * Deleting tags, manifests and whole repositories, in the order that a crash can do no harm in:
 *
 *     into the trash, durable ─► links, tags before manifests ─► history ─► metadata
 *
 * The bytes stay. Collection asks the trash whether something can still be taken back.
 */
export class Removals {
  readonly #context: RegistryContext;

  constructor(context: RegistryContext) {
    this.#context = context;
  }

  /**
   * Removes the targets one after the other, as one operation. Not atomic: what went before a
   * failure is gone, and can be taken back.
   *
   * @throws {RegistryError} `manifestUnknown`, `nameUnknown`, `tagImmutable`
   */
  async remove(targets: readonly RemovalTarget[], actor: Actor): Promise<Removal> {
    const operation = this.#context.random.uuid();
    const removed: Removed[] = [];
    for (const target of targets) {
      const order = { operation, action: `delete ${target.kind}`, actor, removed } as const;
      if (target.kind === "tag") await this.#removeTag(target, order);
      else if (target.kind === "manifest") await this.#removeManifest(target, order);
      else await this.#removeRepository(target.name, order);
    }
    return { operation, removed };
  }

  /**
   * Deletes a tag by rule; false, and nothing is changed, when it was moved, pushed again or
   * deleted since it was seen.
   *
   * @throws {RegistryError} `tagImmutable`
   */
  async removeTagIfSame(
    name: RepositoryName,
    tag: Tag,
    seen: SeenManifest & { readonly actor: Actor },
  ): Promise<boolean> {
    const { removed } = await this.remove([{ kind: "tag", name, tag, seen }], seen.actor);
    return removed.length > 0;
  }

  /**
   * Deletes a manifest by rule; false, and nothing is changed, when a tag or an index leads to it
   * by now, or when it was pushed again, leased or deleted since it was seen.
   */
  async removeManifestIfUnreached(
    name: RepositoryName,
    seen: SeenManifest & { readonly actor: Actor },
  ): Promise<boolean> {
    const { metadata, locks, links, leases, adoption, lookup, random } = this.#context;
    const { digest, actor } = seen;
    await adoption.adopt(name);
    const removeUnreached = async (): Promise<boolean> => {
      if (!isSame(await links.readRevision(name, digest), seen)) return false;
      if ((await metadata.tagsOfManifest(name, digest, 1)).length > 0) return false;
      if ((await metadata.parentsOf(name, digest, 1)).length > 0) return false;
      if (await leases.isLeased(digest)) return false;
      const found = await lookup.findManifest(name, digest);
      if (found === undefined) return false;
      const operation = random.uuid();
      const order: Order = { operation, action: "delete manifest", actor, removed: [] };
      await this.#keep({ ...found, name }, order);
      await this.#unlinkManifest(name, digest, order);
      return true;
    };
    // Who asks for it meanwhile waits, and hears that it is not there.
    return locks.exclusive(digest, () => lockTrash(locks, [digest], removeUnreached));
  }

  async #removeTag(
    target: Extract<RemovalTarget, { kind: "tag" }>,
    order: Order,
    known?: Kept,
  ): Promise<void> {
    const { links, metadata, locks, activity, clock } = this.#context;
    const { name, tag, seen } = target;
    await locks.shared(repositoryLock(name), () =>
      locks.exclusive(tagLock(name, tag), async () => {
        if (seen !== undefined && !isSame(await links.readTag(name, tag), seen)) return;
        const before = await findMovable({ name, tag, digest: undefined }, this.#context);
        if (before !== undefined) await this.#keep({ ...before, name, tag, known }, order);
        const missed = () => recordMissedMove(name, tag, this.#context);
        await noteRemoval({ repository: name, tag }, this.#context, missed);
        const isRemoved = await record(name, this.#context, () => links.removeTag(name, tag));
        if (isRemoved) {
          const event: TagEvent = {
            repository: name,
            tag,
            ...(before !== undefined && { before: before.digest }),
            atMs: clock.nowMs(),
            by: order.actor,
          };
          await noteRemoval({ ...event }, this.#context, () => activity.recordTagEvent(event));
        }
        await recordRemoval(name, this.#context, async () => {
          // Whoever asks for names that never were makes no row.
          if (!isRemoved && !(await metadata.hasRepository(name))) return;
          await metadata.removeTag(name, tag);
        });
        if (!isRemoved) throw new RegistryError("manifestUnknown", { reference: tag, name });
        this.#report("a tag was deleted", { name, tag, digest: before?.digest }, order);
      }),
    );
  }

  async #removeManifest(
    { name, digest }: Extract<RemovalTarget, { kind: "manifest" }>,
    order: Order,
  ): Promise<void> {
    const { lookup, locks } = this.#context;
    await locks.exclusive(digest, async () => {
      const found = await lookup.findManifest(name, digest);
      if (found === undefined) return this.#removeScar(name, digest, order);
      // All or nothing: an immutable tag keeps the others too.
      for (const tag of await this.#tagsOf(name, digest)) {
        await findMovable({ name, tag, digest: undefined }, this.#context);
      }
      const known = await this.#keep({ ...found, name }, order);
      await this.#removeTagsOf(name, digest, { order, known });
      await this.#unlinkManifest(name, digest, order);
    });
  }

  /**
   * A link to a manifest that cannot be read: it freezes collection, so it has to be possible to
   * be rid of it. It has nothing that could be taken back. The caller holds the digest's lock.
   */
  async #removeScar(name: RepositoryName, digest: Digest, order: Order): Promise<void> {
    const { links } = this.#context;
    if (!(await links.hasLinkOf("revision", name, digest))) {
      throw new RegistryError("manifestUnknown", { reference: digest, name });
    }
    for (const tag of await links.listTags(name)) {
      const seen = { digest, pushedAtMs: Infinity };
      await this.#removeTag({ kind: "tag", name, tag, seen }, order);
    }
    await this.#unlinkManifest(name, digest, order);
  }

  /** The tags of a manifest whose lock the caller holds, so that no push adds one. */
  async #removeTagsOf(
    name: RepositoryName,
    digest: Digest,
    { order, known }: { readonly order: Order; readonly known: Kept | undefined },
  ): Promise<void> {
    for (;;) {
      const countBefore = order.removed.length;
      const tags = await this.#tagsOf(name, digest);
      for (const tag of tags) {
        // One that another push has moved on meanwhile is not this manifest's any more.
        const seen = { digest, pushedAtMs: Infinity };
        await this.#removeTag({ kind: "tag", name, tag, seen }, order, known);
      }
      if (order.removed.length === countBefore) return;
    }
  }

  /** Some of the tags that point to the manifest; none when there are none. */
  async #tagsOf(name: RepositoryName, digest: Digest): Promise<readonly Tag[]> {
    const { adoption, links, metadata } = this.#context;
    try {
      // Known for certain only once the repository is adopted.
      await adoption.adopt(name);
      return await metadata.tagsOfManifest(name, digest, tagsPerQuery);
    } catch (error) {
      // A database that takes no writes cannot adopt. The layout knows as well, only slower.
      if (!isDatabaseFailure(error)) throw error;
    }
    const tags: Tag[] = [];
    for (const tag of await links.listTags(name)) {
      if ((await links.readTag(name, tag))?.digest === digest) tags.push(tag);
    }
    return tags;
  }

  async #unlinkManifest(name: RepositoryName, digest: Digest, order: Order): Promise<void> {
    const { links, metadata, locks, activity, clock } = this.#context;
    await locks.shared(repositoryLock(name), async () => {
      await record(name, this.#context, () => links.removeRevision(name, digest));
      await recordRemoval(name, this.#context, () => metadata.removeManifest(name, digest));
    });
    const entry: AuditEntry = {
      atMs: clock.nowMs(),
      by: order.actor,
      action: "delete manifest",
      target: `${name}@${digest}`,
    };
    await noteRemoval({ ...entry }, this.#context, () => activity.recordAudit(entry));
    this.#report("a manifest was deleted", { name, digest }, order);
  }

  /**
   * What is pushed meanwhile may stay: a repository is not locked for as long as this takes. An
   * upload under way goes on.
   */
  async #removeRepository(name: RepositoryName, order: Order): Promise<void> {
    const { links, lookup, metadata, locks, activity, clock } = this.#context;
    await adoptForRemoval(name, this.#context);
    if (!(await lookup.hasRepository(name))) throw new RegistryError("nameUnknown", { name });
    // All or nothing: found out half way, an immutable tag would keep half of a repository.
    for (const tag of await links.listTags(name)) {
      await findMovable({ name, tag, digest: undefined }, this.#context);
    }
    const layers = await links.listLayers(name);
    for (const digest of await links.listRevisions(name)) {
      // A folder without a link is what a deletion has left that was broken off.
      if (!(await links.hasLinkOf("revision", name, digest))) continue;
      await this.#removeManifest({ kind: "manifest", name, digest }, order);
    }
    // Tags that are left lead nowhere.
    for (const tag of await links.listTags(name)) {
      if ((await lookup.findTag(name, tag)) !== undefined) continue;
      await this.#removeTag({ kind: "tag", name, tag }, order);
    }
    for (const digest of layers) await this.#unlinkLayer(name, digest);
    await locks.exclusive(repositoryLock(name), async () => {
      if (!(await links.removeIfEmpty(name))) return;
      await recordRemoval(name, this.#context, () => metadata.removeRepository(name));
    });
    const [atMs, by] = [clock.nowMs(), order.actor];
    const entry: AuditEntry = { atMs, by, action: "delete repository", target: name };
    await noteRemoval({ ...entry }, this.#context, () => activity.recordAudit(entry));
  }

  /** Unless a manifest that was pushed meanwhile names it. */
  async #unlinkLayer(name: RepositoryName, digest: Digest): Promise<void> {
    const { links, metadata, locks } = this.#context;
    await locks.exclusive(digest, async () => {
      if (!(await metadata.collection.isLoose(name, digest))) return;
      await locks.shared(repositoryLock(name), async () => {
        await record(name, this.#context, () => links.removeLayer(name, digest));
        await recordRemoval(name, this.#context, () => metadata.removeBlob(name, digest));
      });
    });
  }

  /** Puts a name into the trash before it goes, and tells what it keeps. */
  async #keep(
    name: ManifestStat & {
      readonly name: RepositoryName;
      readonly tag?: Tag;
      readonly known?: Kept | undefined;
    },
    { operation, action, actor }: Order,
  ): Promise<Kept | undefined> {
    const { activity, policy, clock, logger } = this.#context;
    if (policy.trashRetentionMs === 0) return undefined;
    const { name: repository, tag, digest, mediaType } = name;
    const kept = name.known ?? (await keptFor(repository, digest, this.#context));
    if (kept === undefined) return undefined;
    const atMs = clock.nowMs();
    const entry: NewTrashEntry = {
      ...{ operation, action, repository, digest, mediaType, atMs, by: actor },
      ...(tag === undefined ? { kind: "manifest" } : { kind: "tag", tag }),
      sizeBytes: kept.sizeBytes,
      expiresAtMs: atMs + policy.trashRetentionMs,
      keeps: kept.digests,
    };
    try {
      await activity.trash.add([entry]);
    } catch (error) {
      // Deleting is how a full disk is dug out: it must not need room.
      if (!isStorageFull(error)) throw error;
      logger.warn("a deletion is final: the disk is full, and nothing goes into the trash", {
        ...{ repository, tag, digest, error },
      });
    }
    return kept;
  }

  #report(message: string, removed: Removed, order: Order): void {
    order.removed.push(removed);
    const { name: repository, tag, digest } = removed;
    this.#context.logger.info(message, {
      repository,
      ...(tag !== undefined && { tag }),
      ...(digest !== undefined && { digest }),
      operation: order.operation,
      by: whoIs(order.actor),
    });
  }
}

/** A rule of the registry itself came from nowhere, and is known by what it calls itself. */
function whoIs({ name, address, client }: Actor): string {
  return name ?? (address === undefined ? client : undefined) ?? "anonymous";
}

function isSame(link: Link | undefined, seen: SeenManifest): boolean {
  return link?.digest === seen.digest && Math.floor(link.modifiedAtMs) <= seen.pushedAtMs;
}
