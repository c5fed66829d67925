import type { Logger } from "../base/logger.ts";
import { damageWatch } from "../database/damaged-file.ts";
import type { Database, DatabaseLocation, RoomReserve } from "../database/database.ts";
import { openDatabase } from "../database/open-database.ts";
import type { Digest } from "../oci/digest.ts";
import { RegistryError } from "../oci/problems.ts";
import type { RepositoryName } from "../oci/repository-name.ts";
import type { Tag } from "../oci/tag.ts";
import {
  type ActivityStore,
  type Attempt,
  type AuditEntry,
  attemptsKept,
  type DayOfPulls,
  type LastPull,
  type Pull,
  type PullStatistics,
  type TagEvent,
} from "./activity-store.ts";
import { actorOf, actorRow, shortened } from "./actor-columns.ts";
import { CollectedStore } from "./collected-store.ts";
import { GroupCommit } from "./group-commit.ts";
import { beforeNewest, type Entry, type PageBack } from "./records.ts";
import { SqlTrashStore } from "./sql-trash-store.ts";
import { prepareReading, prepareWriting } from "./statements.ts";
import { type Buffered, StatisticsBuffer } from "./statistics-buffer.ts";
import { type ActivityTables, activityMigrations } from "./tables.ts";

export interface ActivityOptions {
  readonly logger: Logger;
  /** How long a pull may wait in memory; 2 seconds when not given. */
  readonly flushIntervalMs?: number;
  readonly reserve?: RoomReserve | undefined;
}

const flushIntervalMsDefault = 2_000;
const entriesPerFlush = 1_000;
const entriesMax = 50_000;

/** Opens the records, or makes an empty database for them. */
export async function openActivityStore(
  location: DatabaseLocation,
  options: ActivityOptions,
): Promise<ActivityStore> {
  const onFailure = damageWatch((cause) => options.logger.error(damageSentence, { error: cause }));
  const database = await openDatabase<ActivityTables>(location, {
    migrations: activityMigrations,
    durability: "records",
    reserve: options.reserve,
    refuse(reason, cause) {
      onFailure(cause);
      return new RegistryError(reason, {}, { cause });
    },
  });
  return new SqlActivityStore(database, options);
}

const damageSentence =
  "the database of records is damaged: stop the registry and put the berth.sqlite of a backup in " +
  "its place; and look whether the disk fails";

class SqlActivityStore implements ActivityStore {
  readonly trash: SqlTrashStore;
  readonly #database: Database<ActivityTables>;
  readonly #reading: ReturnType<typeof prepareReading>;
  readonly #writing: ReturnType<typeof prepareWriting>;
  readonly #buffer: StatisticsBuffer;
  readonly collected: CollectedStore;
  readonly #tagEvents = new GroupCommit<TagEvent>((events) => this.#writeTagEvents(events));
  readonly #audit = new GroupCommit<AuditEntry>((entries) => this.#writeAudit(entries));

  constructor(database: Database<ActivityTables>, options: ActivityOptions) {
    this.#database = database;
    this.#reading = prepareReading(database);
    this.#writing = prepareWriting(database);
    this.collected = new CollectedStore(database);
    this.trash = new SqlTrashStore(database);
    this.#buffer = new StatisticsBuffer({
      write: (buffered) => this.#writeBuffered(buffered),
      logger: options.logger,
      flushIntervalMs: options.flushIntervalMs ?? flushIntervalMsDefault,
      entriesPerFlush,
      entriesMax,
    });
  }

  recordTagEvent(event: TagEvent): Promise<void> {
    return this.#tagEvents.add(event);
  }

  async listTagEvents(
    repository: RepositoryName,
    page: PageBack & { readonly tag?: Tag },
  ): Promise<readonly Entry<TagEvent>[]> {
    const { tag, before = beforeNewest, limit } = page;
    const args = { repository, before, limit };
    const rows = await (tag === undefined
      ? this.#database.all(this.#reading.tagEvents, args)
      : this.#database.all(this.#reading.tagEventsOfTag, { ...args, tag }));
    return rows.map((row) => ({
      id: Number(row.id),
      repository: row.repository,
      tag: row.tag,
      ...(row.digest_before === null ? {} : { before: row.digest_before }),
      ...(row.digest_after === null ? {} : { after: row.digest_after }),
      atMs: Number(row.at_ms),
      by: actorOf(row),
    }));
  }

  countPull(pull: Pull): void {
    this.#buffer.countPull(pull);
  }

  async pullsOfManifest(repository: RepositoryName, digest: Digest): Promise<PullStatistics> {
    const args = { repository, digest };
    return statisticsOf(await this.#database.first(this.#reading.pullsOfManifest, args));
  }

  async pullsOfTag(repository: RepositoryName, tag: Tag): Promise<PullStatistics> {
    return statisticsOf(await this.#database.first(this.#reading.pullsOfTag, { repository, tag }));
  }

  async lastPullsOf(repository: RepositoryName): Promise<readonly LastPull[]> {
    const rows = await this.#database.all(this.#reading.lastPulls, { repository });
    return rows.map(({ digest, tag, last_at_ms: lastAtMs }) => ({
      digest,
      ...(tag !== "" && { tag }),
      lastAtMs: Number(lastAtMs),
    }));
  }

  async lastUntaggedOf(repository: RepositoryName): Promise<ReadonlyMap<Digest, number>> {
    const rows = await this.#database.all(this.#reading.lastUntagged, { repository });
    return new Map(
      rows.flatMap(({ digest_before: digest, last_at_ms: lastAtMs }) =>
        digest === null ? [] : [[digest, Number(lastAtMs)] as const],
      ),
    );
  }

  async pullsByDay(repository: RepositoryName, sinceDay: number): Promise<readonly DayOfPulls[]> {
    const rows = await this.#database.all(this.#reading.pullsByDay, { repository, sinceDay });
    return rows.map((row) => ({ day: Number(row.day), count: Number(row.count) }));
  }

  noteAttempt(attempt: Attempt): void {
    this.#buffer.noteAttempt(attempt);
  }

  async listAttempts(
    page: PageBack & { readonly repository?: RepositoryName },
  ): Promise<readonly Entry<Attempt>[]> {
    const { repository, before = beforeNewest, limit } = page;
    const args = { before, limit };
    const rows = await (repository === undefined
      ? this.#database.all(this.#reading.attempts, args)
      : this.#database.all(this.#reading.attemptsOfRepository, { ...args, repository }));
    return rows.map((row) => ({
      id: Number(row.id),
      atMs: Number(row.at_ms),
      repository: row.repository,
      reason: row.reason,
      by: actorOf(row),
      requestId: row.request_id,
    }));
  }

  recordAudit(entry: AuditEntry): Promise<void> {
    return this.#audit.add(entry);
  }

  async listAudit({
    before = beforeNewest,
    limit,
  }: PageBack): Promise<readonly Entry<AuditEntry>[]> {
    const rows = await this.#database.all(this.#reading.audit, { before, limit });
    return rows.map((row) => ({
      id: Number(row.id),
      atMs: Number(row.at_ms),
      by: actorOf(row),
      action: row.action,
      target: row.target,
      ...(row.details === null ? {} : { details: row.details }),
    }));
  }

  flush(): Promise<void> {
    return this.#buffer.flush();
  }

  async close(): Promise<void> {
    try {
      await this.#buffer.flush();
      await this.#tagEvents.settled();
      await this.#audit.settled();
      await this.trash.settled();
    } finally {
      await this.#database.close();
    }
  }

  #writeTagEvents(events: readonly TagEvent[]): Promise<void> {
    return this.#database.transaction((transaction) =>
      transaction.runAll(
        this.#writing.tagEvent,
        events.map((event) => ({
          ...actorRow(event.by),
          atMs: Math.floor(event.atMs),
          repository: event.repository,
          tag: event.tag,
          before: event.before ?? null,
          after: event.after ?? null,
        })),
      ),
    );
  }

  #writeAudit(entries: readonly AuditEntry[]): Promise<void> {
    return this.#database.transaction((transaction) =>
      transaction.runAll(
        this.#writing.audit,
        entries.map((entry) => ({
          ...actorRow(entry.by),
          atMs: Math.floor(entry.atMs),
          action: entry.action,
          target: entry.target,
          details: entry.details ?? null,
        })),
      ),
    );
  }

  #writeBuffered({ pulls, days, attempts }: Buffered): Promise<void> {
    // Sorted, so that two processes never wait for each other's rows crosswise.
    const pullRows = pulls
      .map(({ tag, ...rest }) => ({ ...rest, tag: tag ?? ("" as const) }))
      .map((row) => ({ ...row, lastAtMs: Math.floor(row.lastAtMs) }))
      .sort((a, b) => compareText(keyOf(a), keyOf(b)));
    const dayRows = [...days].sort(
      (a, b) => compareText(a.repository, b.repository) || a.day - b.day,
    );
    const attemptRows = attempts.map((attempt) => ({
      ...actorRow(attempt.by),
      atMs: Math.floor(attempt.atMs),
      repository: attempt.repository,
      reason: shortened(attempt.reason),
      requestId: shortened(attempt.requestId),
    }));
    return this.#database.transaction(async (transaction) => {
      await transaction.runAll(this.#writing.pull, pullRows);
      await transaction.runAll(this.#writing.pullDay, dayRows);
      if (attemptRows.length === 0) return;
      await transaction.runAll(this.#writing.attempt, attemptRows);
      await transaction.run(this.#writing.trimAttempts, { skip: attemptsKept });
    });
  }
}

interface StatisticsRow {
  readonly count: number | string | null;
  readonly last_at_ms: number | string | null;
}

/** A sum over no rows is null in both dialects. */
function statisticsOf(row: StatisticsRow | undefined): PullStatistics {
  if (row === undefined || row.count === null || row.last_at_ms === null) return { count: 0 };
  return { count: Number(row.count), lastAtMs: Number(row.last_at_ms) };
}

function keyOf(row: {
  readonly repository: string;
  readonly digest: string;
  readonly tag: string;
}) {
  return `${row.repository} ${row.digest} ${row.tag}`;
}

function compareText(a: string, b: string): number {
  if (a === b) return 0;
  return a < b ? -1 : 1;
}
