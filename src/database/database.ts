/**
 * The door to SQL: opening, migrations, statements and transactions, in SQLite and PostgreSQL.
 *
 * Statements are built with Kysely, once, and run by the doors `sqlite.ts` and `postgres.ts`, which `open-database.ts` chooses from.
 * What the tables mean is not known here: `metadata/`, `activity/` and `accounts/` bring their
 * own. Reads outside a transaction never wait for a writer, in both dialects.
 */
import type { Migration } from "./migrations.ts";
import type { Arguments, Build, Dialect, Statement } from "./statement.ts";

/** SQLite answers at once, PostgreSQL later; `await` takes both. */
export type MaybePromise<T> = T | Promise<T>;

export interface Reader {
  /** The first row, or undefined. */
  first<A extends Arguments, R>(
    statement: Statement<A, R>,
    args: NoInfer<A>,
  ): MaybePromise<R | undefined>;
  all<A extends Arguments, R>(
    statement: Statement<A, R>,
    args: NoInfer<A>,
  ): MaybePromise<readonly R[]>;
}

export interface Transaction extends Reader {
  run<A extends Arguments>(statement: Statement<A, unknown>, args: NoInfer<A>): MaybePromise<void>;
  /** One run for each of `rows`; in PostgreSQL they share their way to the server and back. */
  runAll<A extends Arguments>(
    statement: Statement<A, unknown>,
    rows: readonly NoInfer<A>[],
  ): Promise<void>;
}

export interface Database<Tables> extends Reader {
  readonly dialect: Dialect;
  prepare<A extends Arguments, R>(build: Build<Tables, A, R>): Statement<A, R>;
  /**
   * Runs `work` in a transaction that is committed when it resolves and rolled back when it
   * throws. `work` uses only the transaction that it is given, and may be called again: in
   * PostgreSQL after a deadlock or a lost race.
   */
  transaction<T>(work: (transaction: Transaction) => Promise<T>): Promise<T>;
  /** Waits for the transactions that have begun. */
  close(): Promise<void>;
}

export type DatabaseLocation =
  /** `path` may be `:memory:`, a database of this process that goes when it is closed. */
  | { readonly kind: "sqlite"; readonly path: string }
  /** A socket's folder goes into the URL as `?host=/folder`. The schema is made when missing. */
  | { readonly kind: "postgres"; readonly url: string; readonly schema: string };

export interface DatabaseOptions {
  /** From the first to the newest; only ever added to. */
  readonly migrations: readonly Migration[];
  /**
   * `records` survive a power cut after each commit. `derived` data may lose the last commits
   * then, never its consistency: it can be read from the layout again. Both survive a crash of
   * the program. For SQLite; a PostgreSQL server decides by its own `synchronous_commit`.
   */
  readonly durability: "records" | "derived";
  /** Room that is kept for when the disk is full; for SQLite. */
  readonly reserve?: RoomReserve | undefined;
  /** Makes the error to throw when it is the database that failed, and not the question. */
  readonly refuse: Refuse;
}

export interface RoomReserve {
  /** Gives back what it holds; says whether there is more room now. */
  giveBack(): Promise<boolean>;
}

/**
 * `storageFull`: there is no room for what was to be written. `databaseUnavailable`: it is down,
 * locked by another process for a minute, read-only, damaged, or its disk fails.
 */
export type Refuse = (reason: "storageFull" | "databaseUnavailable", cause: unknown) => Error;
