/**
 * The room of the records: what happened, which no layout can tell and people back up. The history
 * of tags, the statistics of pulls, failed pushes, the audit log, what was deleted and can be taken
 * back, and what collection has ended.
 *
 * It owns their tables and how they are written without slowing a request. It refuses to know of
 * HTTP, of the storage, and of how anybody was authenticated. No specification says anything of it.
 */

import type { Digest } from "../oci/digest.ts";
import type { RepositoryName } from "../oci/repository-name.ts";
import type { Tag } from "../oci/tag.ts";
import type { CollectedStore } from "./collected-store.ts";
import type { Actor, Entry, PageBack } from "./records.ts";
import type { TrashStore } from "./trash-store.ts";

/** A tag was set, moved or removed. */
export interface TagEvent {
  readonly repository: RepositoryName;
  readonly tag: Tag;
  /** Absent when the tag was new. */
  readonly before?: Digest;
  /** Absent when the tag was removed. */
  readonly after?: Digest;
  readonly atMs: number;
  readonly by: Actor;
}

export interface Pull {
  readonly repository: RepositoryName;
  readonly digest: Digest;
  /** Absent for a pull by digest. */
  readonly tag?: Tag;
  readonly atMs: number;
}

export interface PullStatistics {
  readonly count: number;
  /** Undefined when it was never pulled. */
  readonly lastAtMs?: number;
}

/** When a manifest was last pulled in one way. */
export interface LastPull {
  readonly digest: Digest;
  /** Absent for pulls by digest. */
  readonly tag?: Tag;
  readonly lastAtMs: number;
}

export interface DayOfPulls {
  /** Days since 1970, UTC. */
  readonly day: number;
  readonly count: number;
}

/** A push that was refused or broke. */
export interface Attempt {
  readonly atMs: number;
  readonly repository: RepositoryName;
  /** A reason of the error table, or a sentence. */
  readonly reason: string;
  readonly by: Actor;
  readonly requestId: string;
}

export interface AuditEntry {
  readonly atMs: number;
  readonly by: Actor;
  /** What was done, as a verb and a noun: `delete tag`, `create user`. */
  readonly action: string;
  /** What it was done to. */
  readonly target: string;
  /** What else a reader needs, as text or JSON. Never a secret. */
  readonly details?: string;
}

/**
 * Pulls and failed pushes are gathered in memory and written together; events and audit entries of
 * requests at the same time share a commit.
 */
export interface ActivityStore {
  /** Resolves when the event is durable. */
  recordTagEvent(event: TagEvent): Promise<void>;
  /** Newest first; of one tag when it is given. */
  listTagEvents(
    repository: RepositoryName,
    page: PageBack & { readonly tag?: Tag },
  ): Promise<readonly Entry<TagEvent>[]>;

  /** Counts in memory, written within seconds. A crash of the program may lose those. */
  countPull(pull: Pull): void;
  pullsOfManifest(repository: RepositoryName, digest: Digest): Promise<PullStatistics>;
  pullsOfTag(repository: RepositoryName, tag: Tag): Promise<PullStatistics>;
  /** Of all manifests of a repository that were ever pulled, in no order. */
  lastPullsOf(repository: RepositoryName): Promise<readonly LastPull[]>;
  /** When a tag last left each manifest of a repository: it was moved away or removed. */
  lastUntaggedOf(repository: RepositoryName): Promise<ReadonlyMap<Digest, number>>;
  /** Days with pulls since `sinceDay`, in order; at most one entry a day. */
  pullsByDay(repository: RepositoryName, sinceDay: number): Promise<readonly DayOfPulls[]>;

  /** Kept in memory, written within seconds; the newest {@link attemptsKept} stay. */
  noteAttempt(attempt: Attempt): void;
  /** Newest first; of one repository when it is given. */
  listAttempts(
    page: PageBack & { readonly repository?: RepositoryName },
  ): Promise<readonly Entry<Attempt>[]>;

  /** Resolves when the entry is durable. */
  recordAudit(entry: AuditEntry): Promise<void>;
  /** Newest first. */
  listAudit(page: PageBack): Promise<readonly Entry<AuditEntry>[]>;

  /** Blobs that collection has ended, and why. */
  readonly collected: CollectedStore;
  /** What was deleted and can be taken back. */
  readonly trash: TrashStore;

  /** Writes what is gathered in memory. */
  flush(): Promise<void>;
  /** Flushes first. */
  close(): Promise<void>;
}

/** Failed pushes are of interest for days, and a broken client makes thousands of them. */
export const attemptsKept = 10_000;

/** The day that a time belongs to, in days since 1970, UTC. */
export function dayOf(atMs: number): number {
  return Math.floor(atMs / 86_400_000);
}
