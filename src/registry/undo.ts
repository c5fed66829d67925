import type { PageBack } from "../activity/records.ts";
import type { TrashEntry, TrashPage } from "../activity/trash-store.ts";
import { piecesOf } from "../base/pieces.ts";
import { nextTurn, Turns } from "../base/turns.ts";
import type { Digest } from "../oci/digest.ts";
import { RegistryError } from "../oci/problems.ts";
import type { RepositoryName } from "../oci/repository-name.ts";
import type { Tag } from "../oci/tag.ts";
import type { Actor } from "./actor.ts";
import type { RegistryContext } from "./context.ts";
import { shareDigests } from "./lock-digests.ts";
import { restoreManifest } from "./manifest-restorer.ts";
import { moveTag } from "./move-tag.ts";
import { earlierDigestOf, lastPushMs } from "./tag-history.ts";

/** What came of bringing one name back. */
export interface Restored {
  readonly name: RepositoryName;
  /** Absent for a manifest. */
  readonly tag?: Tag;
  /** Undefined only where nothing is known of it. */
  readonly digest?: Digest;
  readonly outcome: RestoreOutcome;
}

export type RestoreOutcome =
  | { readonly kind: "restored"; readonly before: Digest | undefined }
  /** It is there already. */
  | { readonly kind: "unchanged" }
  /** Refused: the tag points elsewhere, and nobody said to move it. */
  | { readonly kind: "moved"; readonly current: Digest }
  /** Refused: these bytes are gone. */
  | { readonly kind: "gone"; readonly missing: readonly Digest[] }
  /** Refused: the configuration lets nobody move that tag. */
  | { readonly kind: "immutable"; readonly why: string }
  /** Neither the history nor the trash knows of it. */
  | { readonly kind: "unknown" };

export interface RestoreOptions {
  readonly actor: Actor;
  /** Moves a tag also when it points to something else by now. */
  readonly isForced: boolean;
  /** Ends it between two names. What is not back by then stays in the trash. */
  readonly signal?: AbortSignal;
  /** Told of each name as it is done: a repository may have had a hundred thousand tags. */
  readonly onRestored?: (restored: Restored) => void;
}

const entriesPerQuery = 1_000;

/**
 * Taking back what was deleted, and moves of tags.
 *
 * Blobs are linked before their manifest, a manifest before its tag; entries leave the trash
 * last. So a restore that a crash breaks off is repeated, and collection finds every byte either
 * referenced or kept at each moment.
 */
export class Undo {
  readonly #context: RegistryContext;

  constructor(context: RegistryContext) {
    this.#context = context;
  }

  /**
   * Points a tag at `digest`; without it, at what it pointed to before its last move or
   * deletion. Taking back the last move needs no force: that is what was asked for.
   */
  async restoreTag(
    name: RepositoryName,
    { tag, digest }: { readonly tag: Tag; readonly digest: Digest | undefined },
    options: RestoreOptions,
  ): Promise<Restored> {
    const current = (await this.#context.lookup.findTag(name, tag))?.digest;
    if (digest !== undefined) return this.#restoreTag({ name, tag, digest }, options);
    const earlier = await earlierDigestOf(name, { tag, current }, this.#context.activity);
    if (earlier === undefined) return { name, tag, outcome: { kind: "unknown" } };
    const replaceable = earlier.isLastMove ? current : undefined;
    return this.#restoreTag({ name, tag, digest: earlier.digest, replaceable }, options);
  }

  /** Brings a manifest back, with the tags that were deleted together with it. */
  async restoreManifest(
    name: RepositoryName,
    digest: Digest,
    options: RestoreOptions,
  ): Promise<readonly Restored[]> {
    const entries = await this.#entriesOf(name, digest);
    // A tag that was deleted by itself, in another call, is no part of the manifest's deletion.
    const operation = entries.find((entry) => entry.action !== "delete tag")?.operation;
    const together = entries.filter((entry) => entry.operation === operation);
    if (together.length > 0) return this.#restoreAll(together, options);
    return [{ name, digest, outcome: await this.#bringManifest({ name, digest }, options) }];
  }

  /** Brings back what the last deletion of the whole repository took; empty when there was none. */
  async restoreRepository(
    name: RepositoryName,
    options: RestoreOptions,
  ): Promise<readonly Restored[]> {
    const operation = await this.#context.activity.trash.lastRemovalOf(name);
    if (operation === undefined) return [];
    return this.#restoreAll(await this.allEntries({ operation, repository: name }), options);
  }

  /** Brings back what was deleted together; empty when the trash has nothing of it. */
  async restoreOperation(operation: string, options: RestoreOptions): Promise<readonly Restored[]> {
    return this.#restoreAll(await this.allEntries({ operation }), options);
  }

  /** Undefined when there is no such entry. */
  async restoreEntry(id: number, options: RestoreOptions): Promise<Restored | undefined> {
    const entry = await this.#context.activity.trash.find(id);
    return entry === undefined ? undefined : this.#restoreOne(entry, options);
  }

  /** What the trash holds whose names are still gone, newest first. */
  async *entries(filter: Omit<TrashPage, "before" | "limit">): AsyncGenerator<TrashEntry> {
    const turns = new Turns();
    for (const entry of await this.allEntries(filter)) {
      await turns.step();
      if (await this.#isGone(entry)) yield entry;
    }
  }

  /** Forgets entries; their bytes go with collection, where nothing else needs them. */
  async purge(entries: readonly TrashEntry[], actor: Actor): Promise<void> {
    const { activity, clock } = this.#context;
    // Together, so that they share their commits: each waits for the disk.
    for (const some of piecesOf(entries, entriesPerQuery)) {
      await activity.trash.remove(some.map((entry) => entry.id));
      const recorded = some.map(({ repository, digest, ...entry }) => {
        const name = entry.kind === "tag" ? `${repository}:${entry.tag}` : repository;
        const target = `${name}@${digest}`;
        return activity.recordAudit({
          ...{ atMs: clock.nowMs(), by: actor },
          ...{ action: "purge trash", target },
        });
      });
      await Promise.all(recorded);
    }
  }

  /** What the trash holds, newest first, also where the name is there again. */
  allEntries(filter: Omit<TrashPage, "before" | "limit">): Promise<readonly TrashEntry[]> {
    const { trash } = this.#context.activity;
    return allPages((page) => trash.list({ ...filter, ...page }));
  }

  /** … of that manifest. A digest may have had any number of tags. */
  #entriesOf(name: RepositoryName, digest: Digest): Promise<readonly TrashEntry[]> {
    const { trash } = this.#context.activity;
    return allPages((page) => trash.ofManifest(name, digest, page));
  }

  async #isGone(entry: TrashEntry): Promise<boolean> {
    const { lookup } = this.#context;
    const { repository, digest } = entry;
    if (entry.kind === "manifest") {
      return (await lookup.findManifest(repository, digest)) === undefined;
    }
    return (await lookup.findTag(repository, entry.tag))?.digest !== digest;
  }

  /**
   * Manifests first: the tags find them in their place. Then the tags as they were pushed, the
   * oldest first: rules of retention go by which is newer.
   */
  async #restoreAll(
    entries: readonly TrashEntry[],
    options: RestoreOptions,
  ): Promise<readonly Restored[]> {
    const tags: { readonly entry: TrashEntry; readonly pushedAtMs: number }[] = [];
    const turns = new Turns();
    for (const entry of entries) {
      if (entry.kind !== "tag") continue;
      await turns.step();
      const pushedAtMs = await lastPushMs(entry.repository, entry, this.#context.activity);
      tags.push({ entry, pushedAtMs });
    }
    tags.sort((a, b) => a.pushedAtMs - b.pushedAtMs);
    const manifests = entries.filter(({ kind }) => kind === "manifest");
    const restored: Restored[] = [];
    for (const entry of [...manifests, ...tags.map((it) => it.entry)]) {
      if (options.signal?.aborted === true) break;
      const one = await this.#restoreOne(entry, options);
      options.onRestored?.(one);
      restored.push(one);
    }
    return restored;
  }

  async #restoreOne(entry: TrashEntry, options: RestoreOptions): Promise<Restored> {
    const { repository: name, digest } = entry;
    if (entry.kind === "tag") {
      const { tag } = entry;
      try {
        return await this.#restoreTag({ name, tag, digest, entry }, options);
      } catch (error) {
        // One tag that may not move keeps nothing else from coming back.
        if (!(error instanceof RegistryError) || error.reason !== "tagImmutable") throw error;
        return { name, tag, digest, outcome: { kind: "immutable", why: error.message } };
      }
    }
    return { name, digest, outcome: await this.#bringManifest({ name, digest, entry }, options) };
  }

  #bringManifest(manifest: Wanted, { actor }: RestoreOptions): Promise<RestoreOutcome> {
    return this.#locked(manifest, (keeps) => this.#linkAgain(manifest, keeps, actor));
  }

  async #restoreTag(
    wanted: Wanted & { readonly tag: Tag; readonly replaceable?: Digest | undefined },
    { actor, isForced }: RestoreOptions,
  ): Promise<Restored> {
    const { name, tag, digest } = wanted;
    const mayReplace = (before: Digest | undefined): boolean =>
      isForced || before === undefined || before === wanted.replaceable;
    const done = (outcome: RestoreOutcome): Restored => ({ name, tag, digest, outcome });
    const current = (await this.#context.lookup.findTag(name, tag))?.digest;
    if (current === digest) {
      await this.#context.links.settleTag(name, tag);
      await this.#forget(wanted);
      return done({ kind: "unchanged" });
    }
    if (current !== undefined && !mayReplace(current)) return done({ kind: "moved", current });
    return this.#locked(wanted, async (keeps) => {
      const manifest = await this.#linkAgain(wanted, keeps, actor);
      if (manifest.kind === "gone" || manifest.kind === "unknown") return done(manifest);
      const { before, isMoved } = await moveTag(
        { name, tag, digest, actor, mayReplace },
        this.#context,
      );
      if (!isMoved && before !== undefined) return done({ kind: "moved", current: before });
      await this.#forget(wanted);
      this.#report({ name, tag, digest }, actor);
      return done({ kind: "restored", before });
    });
  }

  /** Runs `work` with what the trash keeps of the manifest, under the locks of all of it. */
  async #locked<T>(
    { name, digest, entry }: Wanted,
    work: (keeps: ReadonlySet<Digest>) => Promise<T>,
  ): Promise<T> {
    const { locks, activity } = this.#context;
    const source = entry ?? (await activity.trash.ofManifest(name, digest, { limit: 1 }))[0];
    const keeps = source === undefined ? [] : await activity.trash.keptBy(source.id);
    return shareDigests(locks, [digest, ...keeps], () => work(new Set(keeps)));
  }

  /** The caller holds the locks. */
  async #linkAgain(
    { name, digest }: Wanted,
    keeps: ReadonlySet<Digest>,
    actor: Actor,
  ): Promise<RestoreOutcome> {
    const { links, lookup, activity, clock } = this.#context;
    if ((await lookup.findManifest(name, digest)) !== undefined) {
      await links.settleRevision(name, digest);
      await this.#forget({ name, digest });
      return { kind: "unchanged" };
    }
    // An entry that was purged a moment ago keeps nothing: not its layers either.
    if (!keeps.has(digest)) return { kind: "unknown" };
    const missing = await restoreManifest(name, { digest, keeps }, this.#context);
    if (missing.length > 0) return { kind: "gone", missing };
    await this.#forget({ name, digest });
    const target = `${name}@${digest}`;
    await activity.recordAudit({
      atMs: clock.nowMs(),
      by: actor,
      action: "restore manifest",
      target,
    });
    this.#report({ name, digest }, actor);
    return { kind: "restored", before: undefined };
  }

  /** Takes the entries of a name that is there again out of the trash. */
  async #forget(there: {
    readonly name: RepositoryName;
    readonly digest: Digest;
    readonly tag?: Tag;
  }): Promise<void> {
    const { name: repository, digest, tag } = there;
    await this.#context.activity.trash.removeName({ repository, digest, tag });
  }

  #report(
    {
      name,
      tag,
      digest,
    }: { readonly name: RepositoryName; readonly tag?: Tag; readonly digest: Digest },
    actor: Actor,
  ): void {
    const kind = tag === undefined ? "manifest" : "tag";
    this.#context.restores?.add(1, { kind });
    this.#context.logger.info(`a ${kind} was restored`, {
      repository: name,
      ...(tag !== undefined && { tag }),
      digest,
      by: actor.name ?? "anonymous",
    });
  }
}

async function allPages(
  list: (page: PageBack) => Promise<readonly TrashEntry[]>,
): Promise<readonly TrashEntry[]> {
  const found: TrashEntry[] = [];
  for (;;) {
    const before = found.at(-1)?.id;
    const page = { limit: entriesPerQuery, ...(before !== undefined && { before }) };
    const entries = await list(page);
    found.push(...entries);
    if (entries.length < entriesPerQuery) return found;
    await nextTurn();
  }
}

interface Wanted {
  readonly name: RepositoryName;
  readonly digest: Digest;
  /** Tells what to bring back; without it the newest one of that manifest does. */
  readonly entry?: TrashEntry;
}
