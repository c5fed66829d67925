import { SQL } from "bun";
import { codeOf, messageOf } from "../base/errors.ts";
import type {
  Database,
  DatabaseLocation,
  DatabaseOptions,
  MaybePromise,
  Refuse,
  Transaction,
} from "./database.ts";
import { migrate } from "./migrations.ts";
import {
  type Arguments,
  type Build,
  compileStatement,
  queryBuilder,
  type Statement,
  type Value,
} from "./statement.ts";

type PostgresLocation = Extract<DatabaseLocation, { kind: "postgres" }>;

const connectionsMax = 10;
const connectionTimeoutSeconds = 10;
const transactionAttemptsMax = 5;

/** Rows sent before the first answer is waited for. */
const rowsInFlightMax = 256;

/**
 * Serialization failure, deadlock, and a row that another transaction removed between two of
 * our statements (foreign_key_violation): the same work, done again, finds a settled state.
 */
const retriedStates: ReadonlySet<string> = new Set(["40001", "40P01", "23503"]);

/**
 * Connection lost, resources used up, shut down or starting, its disk fails, its data are damaged,
 * a standby that takes no writes; and what was retried in vain
 * (postgresql.org/docs/current/errcodes-appendix.html).
 */
const unavailableStates = /^(?:08|53|57P|58|XX|25006|40|55P03)/;
const diskFullState = "53100";
/** What the client says when there is no server to give a state. */
const unavailableCodes =
  /^(?:ERR_POSTGRES_(?:CONNECTION|IDLE|LIFETIME)|ECONN|ENOENT|EPIPE|ETIMEDOUT|EHOST|ENET|FailedToOpenSocket)/;

/** Names the lock that keeps two starting processes from migrating the same schema at once. */
const migrationLock = 0x62_65_72_74;

export async function openPostgres<Tables>(
  location: PostgresLocation,
  options: DatabaseOptions,
): Promise<Database<Tables>> {
  const client = connectPostgres(location.url, connectionsMax);
  try {
    await migratePostgres(client, location.schema, options);
  } catch (cause) {
    await client.close();
    const { searchParams, host } = new URL(location.url);
    const place = searchParams.get("host") ?? host;
    const failure = `cannot open the PostgreSQL schema ${location.schema} at ${place}`;
    throw new Error(`${failure}: ${messageOf(cause)}`, { cause });
  }
  return new PostgresDatabase<Tables>(client, location.schema, options.refuse);
}

/** A pool of connections to the server that a URL names; `max` of them at once. */
export function connectPostgres(url: string, max: number): SQL {
  return new SQL(clientOptions(url, max));
}

function clientOptions(text: string, max: number): SQL.Options {
  const url = new URL(text);
  const base = {
    adapter: "postgres",
    max,
    connectionTimeout: connectionTimeoutSeconds,
  } as const;
  const folder = url.searchParams.get("host");
  if (folder?.startsWith("/") !== true) return { ...base, url };
  return {
    ...base,
    path: `${folder}/.s.PGSQL.${url.searchParams.get("port") ?? "5432"}`,
    username: decodeURIComponent(url.username),
    password: decodeURIComponent(url.password),
    database: decodeURIComponent(url.pathname.slice(1)),
  };
}

async function migratePostgres(
  client: SQL,
  schema: string,
  options: DatabaseOptions,
): Promise<void> {
  const quoted = `"${schema.replaceAll('"', '""')}"`;
  await client.begin(async (transaction) => {
    await transaction.unsafe("select pg_advisory_xact_lock($1, hashtext($2))", [
      migrationLock,
      schema,
    ]);
    await transaction.unsafe(`create schema if not exists ${quoted}`);
    await transaction.unsafe(`set local search_path to ${quoted}`);
    const target = {
      dialect: "postgres",
      label: `the PostgreSQL schema ${schema}`,
      readVersion: () => schemaVersion(transaction, schema),
      execute: async (statement: string) => void (await transaction.unsafe(statement)),
    } as const;
    await migrate(target, options.migrations);
  });
}

async function schemaVersion(client: Pick<SQL, "unsafe">, schema: string) {
  const tables: unknown[] = await client.unsafe(
    "select 1 from pg_tables where schemaname = $1 and tablename = 'schema_version'",
    [schema],
  );
  if (tables.length === 0) return undefined;
  const rows: { version: string }[] = await client.unsafe("select version from schema_version");
  return Number(rows[0]?.version);
}

/** The statements of one connection, or of the pool. Bun prepares each once a connection. */
class Session implements Transaction {
  readonly #client: Pick<SQL, "unsafe">;

  constructor(client: Pick<SQL, "unsafe">) {
    this.#client = client;
  }

  async first<A extends Arguments, R>(statement: Statement<A, R>, args: A): Promise<R | undefined> {
    return (await this.all(statement, args))[0];
  }

  all<A extends Arguments, R>(statement: Statement<A, R>, args: A): Promise<readonly R[]> {
    return this.#send<R>(statement.sql, statement.bind(args));
  }

  async run<A extends Arguments>(statement: Statement<A, unknown>, args: A): Promise<void> {
    await this.#send(statement.sql, statement.bind(args));
  }

  async runAll<A extends Arguments>(
    statement: Statement<A, unknown>,
    rows: readonly A[],
  ): Promise<void> {
    for (let start = 0; start < rows.length; start += rowsInFlightMax) {
      const batch = rows.slice(start, start + rowsInFlightMax);
      // All are waited for, also after a failure: none may run on into the next transaction.
      const results = await Promise.allSettled(batch.map((args) => this.run(statement, args)));
      // The first failure is the cause; PostgreSQL refuses all that follow it.
      for (const result of results) if (result.status === "rejected") throw result.reason;
    }
  }

  #send<R>(text: string, values: Value[]): Promise<R[]> {
    return this.#client.unsafe<R[]>(text, values);
  }
}

class PostgresDatabase<Tables> implements Database<Tables> {
  readonly dialect = "postgres";
  readonly #client: SQL;
  readonly #reader: Session;
  readonly #builder;

  readonly #refuse: Refuse;

  constructor(client: SQL, schema: string, refuse: Refuse) {
    this.#client = client;
    this.#refuse = refuse;
    this.#reader = new Session(client);
    this.#builder = queryBuilder<Tables>("postgres", schema);
  }

  prepare<A extends Arguments, R>(build: Build<Tables, A, R>): Statement<A, R> {
    return compileStatement("postgres", this.#builder, build);
  }

  first<A extends Arguments, R>(statement: Statement<A, R>, args: A): MaybePromise<R | undefined> {
    return this.#translating(this.#reader.first(statement, args));
  }

  all<A extends Arguments, R>(statement: Statement<A, R>, args: A): MaybePromise<readonly R[]> {
    return this.#translating(this.#reader.all(statement, args));
  }

  async transaction<T>(work: (transaction: Transaction) => Promise<T>): Promise<T> {
    for (let attempts = 1; ; attempts += 1) {
      try {
        return await this.#attempt(work);
      } catch (cause) {
        if (isRetried(cause) && attempts < transactionAttemptsMax) continue;
        throw this.#translated(cause);
      }
    }
  }

  close(): Promise<void> {
    return this.#client.close();
  }

  async #translating<T>(answer: Promise<T>): Promise<T> {
    try {
      return await answer;
    } catch (cause) {
      throw this.#translated(cause);
    }
  }

  #translated(cause: unknown): unknown {
    if (!(cause instanceof Error)) return cause;
    const state = cause instanceof SQL.PostgresError ? (cause.errno ?? "") : "";
    if (state === diskFullState) return this.#refuse("storageFull", cause);
    const isDown = unavailableStates.test(state) || unavailableCodes.test(codeOf(cause));
    return isDown ? this.#refuse("databaseUnavailable", cause) : cause;
  }

  async #attempt<T>(work: (transaction: Transaction) => Promise<T>): Promise<T> {
    let result: { readonly value: T } | undefined;
    await this.#client.begin(async (client) => {
      result = { value: await work(new Session(client)) };
    });
    if (result === undefined) throw new Error("a transaction ended without its work");
    return result.value;
  }
}

function isRetried(cause: unknown): boolean {
  return cause instanceof SQL.PostgresError && retriedStates.has(cause.errno ?? "");
}
