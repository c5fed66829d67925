import { Database as Connection, constants, type Statement as NativeStatement } from "bun:sqlite";
import { dirname } from "node:path";
import { messageOf } from "../base/errors.ts";
import { makeFileForOwner, makeFoldersForOwner } from "../base/folder-owner.ts";
import { KeyedMutex } from "../base/mutex.ts";
import { nextTurn } from "../base/turns.ts";
import { ChangeWatch } from "./change-watch.ts";
import type { Database, DatabaseOptions } from "./database.ts";
import { migrate } from "./migrations.ts";
import { openingAdvice } from "./opening-advice.ts";
import { ReadCache, rowsMax } from "./read-cache.ts";
import { SqliteDatabase, type SqliteSession } from "./sqlite-database.ts";
import { isBusy, whenFree } from "./sqlite-failures.ts";
import type { Arguments, Statement, Value } from "./statement.ts";

/** How long a reader may wait for SQLite's own short locks (recovery of a log, its deletion). */
const busyTimeoutMs = 5_000;

/**
 * How long `begin immediate` may stop the whole program. Another process's transaction is waited
 * for by trying again, so that requests go on being answered meanwhile.
 */
const beginBusyTimeoutMs = 2;

/** Rows of one transaction that are written before other work of the program gets its turn. */
const rowsPerTurn = 128;

/** How often each file is open in this process. */
const opened = new Map<string, number>();
const opening = new KeyedMutex();

/** Opens or creates the file at `path`, in write-ahead logging, and brings its schema up. */
export async function openSqlite<Tables>(
  path: string,
  options: DatabaseOptions,
): Promise<Database<Tables>> {
  try {
    if (path === ":memory:") {
      const connection = await openWriter(path, options);
      await migrateSqlite(connection, path, options);
      const session = new Session(connection);
      return new SqliteDatabase<Tables>({
        refuse: options.refuse,
        reader: session,
        writer: session,
      });
    }
    // One after the other: the watch is mapped while nothing of the file is open here.
    return await opening.run(path, () => openFile<Tables>(path, options));
  } catch (cause) {
    const advice = openingAdvice(cause, path, options.durability);
    throw new Error(`cannot open the database ${path}: ${messageOf(cause)}${advice}`, { cause });
  }
}

/**
 * Writes what is committed in the database at `source` to a new file at `target`, which must not
 * be there; the database may be in use. The file is not synced. Everything else of this thread
 * waits meanwhile: about three seconds for a gigabyte.
 */
export function copySqlite(source: string, target: string): void {
  const connection = new Connection(source, { readonly: true, strict: true });
  try {
    connection.run(`pragma busy_timeout = ${busyTimeoutMs}`);
    connection.run("vacuum into ?", [target]);
  } finally {
    connection.close();
  }
}

async function openFile<Tables>(path: string, options: DatabaseOptions): Promise<Database<Tables>> {
  makeFoldersForOwner(dirname(path));
  makeFileForOwner(path);
  await prepareFile(path, options);
  const count = opened.get(path) ?? 0;
  const watch = count === 0 ? ChangeWatch.prepare(path) : undefined;
  const writer = await openWriter(path, options);
  const reader = new Connection(path, { readonly: true, strict: true });
  reader.run(`pragma busy_timeout = ${busyTimeoutMs}`);
  reader.query("select count(*) from sqlite_schema").get();
  const cache = watch?.begin() === true ? new ReadCache(watch) : undefined;
  opened.set(path, count + 1);
  return new SqliteDatabase<Tables>({
    refuse: options.refuse,
    reserve: options.reserve,
    reader: new Session(reader, cache),
    writer: new Session(writer),
    onClose: () => opened.set(path, (opened.get(path) ?? 1) - 1),
  });
}

/** Creates the file if need be, brings its schema up, and leaves the log's files where they are. */
async function prepareFile(path: string, options: DatabaseOptions): Promise<void> {
  const connection = await openWriter(path, options);
  try {
    connection.fileControl(constants.SQLITE_FCNTL_PERSIST_WAL, 1);
    await migrateSqlite(connection, path, options);
  } finally {
    connection.close();
  }
}

async function openWriter(path: string, options: DatabaseOptions): Promise<Connection> {
  const writer = new Connection(path, { create: true, readwrite: true, strict: true });
  try {
    await configureWriter(writer, options);
    return writer;
  } catch (cause) {
    writer.close();
    throw cause;
  }
}

async function configureWriter(writer: Connection, options: DatabaseOptions): Promise<void> {
  // Several processes may start at once, and only one at a time can switch a file to the log.
  writer.run(`pragma busy_timeout = ${beginBusyTimeoutMs}`);
  await whenFree(() => writer.run("pragma journal_mode = wal"));
  writer.run(`pragma synchronous = ${options.durability === "records" ? "full" : "normal"}`);
  writer.run("pragma foreign_keys = on");
}

async function migrateSqlite(
  writer: Connection,
  path: string,
  options: DatabaseOptions,
): Promise<void> {
  await whenFree(() => writer.run("begin immediate"));
  try {
    const target = {
      dialect: "sqlite",
      label: path,
      readVersion: () => Promise.resolve(schemaVersion(writer)),
      execute: (statement: string) => Promise.resolve(void writer.run(statement)),
    } as const;
    await migrate(target, options.migrations);
    writer.run("commit");
  } catch (cause) {
    if (writer.inTransaction) writer.run("rollback");
    throw cause;
  }
}

function schemaVersion(connection: Connection): number | undefined {
  const tables = "select 1 from sqlite_schema where name = 'schema_version'";
  if (connection.query(tables).get() === null) return undefined;
  const row = connection.query<{ version: number }, []>("select version from schema_version").get();
  return row?.version;
}

/**
 * Takes the lock that the file at `path` stands for, in a folder that is there, and holds it until
 * it is released or this process ends, however it ends: the lock is the kernel's. Undefined when
 * somebody holds it.
 *
 * An exclusive transaction on an empty database that is never written: SQLite's locks work on
 * every system, across containers and inside one process. Nothing else in this process may open
 * the file: closing any descriptor of it would drop the lock (sqlite.org/howtocorrupt.html, 2.2).
 *
 * @throws {Error} when the file cannot be made, or its file system knows no locks.
 */
export function tryHoldLock(path: string): HeldLock | undefined {
  let connection: Connection | undefined;
  try {
    makeFileForOwner(path);
    connection = new Connection(path, { create: true, readwrite: true, strict: true });
    // No journal on the disk: it would be written at once, which a full disk refuses.
    connection.run("pragma journal_mode = memory");
    connection.run("begin exclusive");
  } catch (cause) {
    connection?.close();
    if (isBusy(cause)) return undefined;
    throw new Error(`cannot lock ${path}: ${messageOf(cause)}`, { cause });
  }
  const held = connection;
  return { release: () => held.close() };
}

/** Lives as long as somebody refers to it: a connection that is collected is closed. */
export interface HeldLock {
  release(): void;
}

/** A connection with its prepared statements. Everything here happens at once. */
class Session implements SqliteSession {
  readonly #connection: Connection;
  readonly #prepared = new Map<Statement<never, unknown>, NativeStatement<unknown, Value[]>>();
  /** Only for a connection that reads: a writer sees what it has not committed. */
  readonly #cache: ReadCache | undefined;
  #rowsInTurn = 0;

  constructor(connection: Connection, cache?: ReadCache) {
    this.#connection = connection;
    this.#cache = cache;
  }

  first<A extends Arguments, R>(statement: Statement<A, R>, args: A): R | undefined {
    const values = statement.bind(args);
    const ask = (): R | undefined => this.#native(statement).get(...values) ?? undefined;
    if (this.#cache === undefined) return ask();
    return this.#cache.answer(statement, ["first", ...values], { ask, isKept: always });
  }

  all<A extends Arguments, R>(statement: Statement<A, R>, args: A): readonly R[] {
    const values = statement.bind(args);
    const ask = (): readonly R[] => this.#native(statement).all(...values);
    const isKept = (rows: readonly R[]): boolean => rows.length <= rowsMax;
    if (this.#cache === undefined) return ask();
    return this.#cache.answer(statement, ["all", ...values], { ask, isKept });
  }

  run<A extends Arguments>(statement: Statement<A, unknown>, args: A): void {
    this.#native(statement).run(...statement.bind(args));
  }

  async runAll<A extends Arguments>(
    statement: Statement<A, unknown>,
    rows: readonly A[],
  ): Promise<void> {
    for (const args of rows) {
      this.run(statement, args);
      this.#rowsInTurn += 1;
      if (this.#rowsInTurn < rowsPerTurn) continue;
      this.#rowsInTurn = 0;
      await nextTurn();
    }
  }

  begin(): void {
    this.#connection.run("begin immediate");
    this.#rowsInTurn = 0;
  }

  /** Brings what is in the log into the database, so that it is written from its beginning. */
  restartLog(): void {
    this.#connection.run("pragma wal_checkpoint(restart)");
  }

  end(command: "commit" | "rollback"): void {
    this.#connection.run(command);
  }

  get inTransaction(): boolean {
    return this.#connection.inTransaction;
  }

  close(): void {
    for (const native of this.#prepared.values()) native.finalize();
    this.#connection.close();
  }

  #native<A extends Arguments, R>(statement: Statement<A, R>): NativeStatement<R, Value[]> {
    const known = this.#prepared.get(statement);
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- stored under its statement
    if (known !== undefined) return known as NativeStatement<R, Value[]>;
    const native = this.#connection.prepare<R, Value[]>(statement.sql);
    this.#prepared.set(statement, native);
    return native;
  }
}

const always = (): boolean => true;
