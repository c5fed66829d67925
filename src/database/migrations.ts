import type { Dialect } from "./statement.ts";

/** One step of a schema: its number is its place in the list, from 1. */
export interface Migration {
  readonly name: string;
  readonly statements: (types: ColumnTypes) => readonly string[];
}

/** What the dialects spell differently in `create table`. */
export interface ColumnTypes {
  readonly dialect: Dialect;
  /** A number that the database gives, never twice. */
  readonly id: string;
  /** A whole number of up to 53 bits. */
  readonly integer: string;
  /** Compared by bytes, in both dialects. */
  readonly text: string;
  /** After the closing parenthesis of a table that is kept in the order of its primary key. */
  readonly clustered: string;
}

const columnTypes: Readonly<Record<Dialect, ColumnTypes>> = {
  sqlite: {
    dialect: "sqlite",
    id: "integer primary key autoincrement",
    integer: "integer",
    text: "text",
    clustered: " without rowid",
  },
  postgres: {
    dialect: "postgres",
    id: "bigint generated always as identity primary key",
    integer: "bigint",
    text: 'text collate "C"',
    clustered: "",
  },
};

/** What a door gives to {@link migrate}, inside a transaction that holds the schema's lock. */
export interface MigrationTarget {
  readonly dialect: Dialect;
  /** Names the database in errors. */
  readonly label: string;
  readonly readVersion: () => Promise<number | undefined>;
  readonly execute: (statement: string) => Promise<void>;
}

/** Brings the schema to the newest version. The caller's transaction makes it all or nothing. */
export async function migrate(
  target: MigrationTarget,
  migrations: readonly Migration[],
): Promise<void> {
  const types = columnTypes[target.dialect];
  const version = await target.readVersion();
  const newest = migrations.length;
  if (version !== undefined && version > newest) {
    throw new Error(
      `${target.label} was written by a newer version of this program ` +
        `(its schema is number ${version}, this program knows ${newest}): start that version`,
    );
  }
  if (version === undefined) {
    await target.execute(`create table schema_version (version ${types.integer} not null)`);
    await target.execute("insert into schema_version (version) values (0)");
  }
  if (version === newest) return;
  for (const { statements } of migrations.slice(version ?? 0)) {
    for (const statement of statements(types)) await target.execute(statement);
  }
  await target.execute(`update schema_version set version = ${newest}`);
}
