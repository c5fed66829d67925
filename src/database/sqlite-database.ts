import { KeyedMutex } from "../base/mutex.ts";
import type { Database, MaybePromise, Refuse, RoomReserve, Transaction } from "./database.ts";
import { sqliteCodeOf, unavailableCodes, whenFree } from "./sqlite-failures.ts";
import {
  type Arguments,
  type Build,
  compileStatement,
  queryBuilder,
  type Statement,
} from "./statement.ts";

/** A connection. What it reads is there at once. */
export interface SqliteSession extends Transaction {
  first<A extends Arguments, R>(statement: Statement<A, R>, args: A): R | undefined;
  all<A extends Arguments, R>(statement: Statement<A, R>, args: A): readonly R[];
  begin(): void;
  end(command: "commit" | "rollback"): void;
  readonly inTransaction: boolean;
  restartLog(): void;
  close(): void;
}

/** A connection that writes, and one that reads beside it. */
export class SqliteDatabase<Tables> implements Database<Tables> {
  readonly dialect = "sqlite";
  readonly #reader: SqliteSession;
  readonly #writer: SqliteSession;
  readonly #builder = queryBuilder<Tables>("sqlite");
  readonly #mutex = new KeyedMutex();
  readonly #onClose: (() => void) | undefined;
  readonly #refuse: Refuse;
  readonly #reserve: RoomReserve | undefined;
  #isClosed = false;

  constructor(parts: {
    readonly refuse: Refuse;
    readonly reserve?: RoomReserve | undefined;
    readonly reader: SqliteSession;
    readonly writer: SqliteSession;
    readonly onClose?: () => void;
  }) {
    this.#refuse = parts.refuse;
    this.#reserve = parts.reserve;
    this.#reader = parts.reader;
    this.#writer = parts.writer;
    this.#onClose = parts.onClose;
  }

  prepare<A extends Arguments, R>(build: Build<Tables, A, R>): Statement<A, R> {
    return compileStatement("sqlite", this.#builder, build);
  }

  first<A extends Arguments, R>(statement: Statement<A, R>, args: A): MaybePromise<R | undefined> {
    return this.#read(() => this.#reader.first(statement, args));
  }

  all<A extends Arguments, R>(statement: Statement<A, R>, args: A): MaybePromise<readonly R[]> {
    return this.#read(() => this.#reader.all(statement, args));
  }

  transaction<T>(work: (transaction: Transaction) => Promise<T>): Promise<T> {
    return this.#alone(async () => {
      if (this.#isClosed) throw new Error("the database is closed");
      try {
        return await this.#attemptTwice(work);
      } catch (cause) {
        throw this.#translated(cause);
      }
    });
  }

  close(): Promise<void> {
    return this.#alone(() => {
      if (!this.#isClosed) {
        this.#isClosed = true;
        if (this.#reader !== this.#writer) this.#reader.close();
        this.#writer.close();
        this.#onClose?.();
      }
      return Promise.resolve();
    });
  }

  /**
   * A second time on a full disk: with the room that is kept for that, and with the log's own. The
   * log grows to a thousand pages before SQLite writes it from its beginning again, and all of
   * them could be used at once.
   */
  async #attemptTwice<T>(work: (transaction: Transaction) => Promise<T>): Promise<T> {
    try {
      return await this.#attempt(work);
    } catch (cause) {
      if (!sqliteCodeOf(cause).startsWith("SQLITE_FULL")) throw cause;
      await this.#reserve?.giveBack();
      try {
        this.#writer.restartLog();
      } catch {
        // A part of the log may have found its place. If it was not enough, the next line tells.
      }
      return this.#attempt(work);
    }
  }

  async #attempt<T>(work: (transaction: Transaction) => Promise<T>): Promise<T> {
    await whenFree(() => this.#writer.begin());
    try {
      const result = await work(this.#writer);
      this.#writer.end("commit");
      return result;
    } catch (cause) {
      // A full disk makes SQLite roll back by itself.
      if (this.#writer.inTransaction) this.#writer.end("rollback");
      throw cause;
    }
  }

  #read<T>(ask: () => T): MaybePromise<T> {
    const answer = (): T => {
      try {
        return ask();
      } catch (cause) {
        throw this.#translated(cause);
      }
    };
    return this.#readsWait() ? this.#alone(async () => answer()) : answer();
  }

  #translated(cause: unknown): unknown {
    const code = sqliteCodeOf(cause);
    if (code.startsWith("SQLITE_FULL")) return this.#refuse("storageFull", cause);
    return unavailableCodes.test(code) ? this.#refuse("databaseUnavailable", cause) : cause;
  }

  /** A database in memory has one connection, whose reads would see what is not committed. */
  #readsWait(): boolean {
    return this.#reader === this.#writer && this.#writer.inTransaction;
  }

  #alone<T>(work: () => Promise<T>): Promise<T> {
    return this.#mutex.run("writer", work);
  }
}
