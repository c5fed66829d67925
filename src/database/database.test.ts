import { Database as Connection } from "bun:sqlite";
import { afterAll, describe, expect, test } from "bun:test";
import { spawnSync } from "node:child_process";
import { chmodSync, existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { ColumnType, Generated } from "kysely";
import { postgresSkipReason, testPostgres } from "../../test/support/postgres.ts";
import type { Database, DatabaseLocation } from "./database.ts";
import type { Migration } from "./migrations.ts";
import { openDatabase } from "./open-database.ts";
import type { Placeholders } from "./statement.ts";

interface Tables {
  notes: {
    id: Generated<number | string>;
    text: string;
    size: ColumnType<number | string, number>;
  };
}

const migrations: readonly Migration[] = [
  {
    name: "notes",
    statements: ({ id, text, integer }) => [
      `create table notes (id ${id}, text ${text} not null unique, size ${integer} not null)`,
    ],
  },
];

const folder = mkdtempSync(join(tmpdir(), "berth-database-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

function prepareNotes(database: Database<Tables>) {
  return {
    add: database.prepare((query, param: Placeholders<{ text: string; size: number }>) =>
      query.insertInto("notes").values({ text: param.text, size: param.size }),
    ),
    all: database.prepare((query, param: Placeholders<{ after: string }>) =>
      query.selectFrom("notes").select("text").where("text", ">", param.after).orderBy("text"),
    ),
  };
}

const open = (
  location: DatabaseLocation,
  list = migrations,
  durability: "derived" | "records" = "derived",
) =>
  openDatabase<Tables>(location, {
    migrations: list,
    durability,
    refuse: (reason, cause) => new Error(`refused: ${reason}`, { cause }),
  });

/** What both dialects keep. `locate` gives the place of an empty database each time. */
function databaseSuite(name: string, locate: () => Promise<DatabaseLocation>): void {
  describe(name, () => {
    test("what a transaction wrote is there when it resolves, and not when it throws", async () => {
      const database = await open(await locate());
      const notes = prepareNotes(database);
      const failure = new Error("changed my mind");
      await database.transaction(async (transaction) => {
        await transaction.run(notes.add, { text: "kept", size: 1 });
      });
      const broken = database.transaction(async (transaction) => {
        await transaction.run(notes.add, { text: "dropped", size: 2 });
        throw failure;
      });
      expect(broken).rejects.toBe(failure);
      await broken.catch(() => undefined);
      expect(await database.all(notes.all, { after: "" })).toEqual([{ text: "kept" }]);
      await database.close();
    });

    test("a statement that fails in the middle of many fails the transaction", async () => {
      const database = await open(await locate());
      const notes = prepareNotes(database);
      const texts = ["a", "b", "a", "c"];
      const broken = database.transaction((transaction) =>
        transaction.runAll(
          notes.add,
          texts.map((text) => ({ text, size: 1 })),
        ),
      );
      expect(broken).rejects.toThrow(/unique/i);
      await broken.catch(() => undefined);
      expect(await database.all(notes.all, { after: "" })).toEqual([]);
      // The connection goes on being usable.
      await database.transaction(async (transaction) => {
        await transaction.run(notes.add, { text: "next", size: 1 });
      });
      expect(await database.first(notes.all, { after: "" })).toEqual({ text: "next" });
      await database.close();
    });

    test("a reader sees nothing of a transaction that is not committed", async () => {
      const database = await open(await locate());
      const notes = prepareNotes(database);
      const written = Promise.withResolvers<void>();
      const goOn = Promise.withResolvers<void>();
      const transaction = database.transaction(async (it) => {
        await it.run(notes.add, { text: "late", size: 1 });
        written.resolve();
        await goOn.promise;
      });
      await written.promise;
      let hasRead = false;
      const reading = Promise.resolve(database.all(notes.all, { after: "" })).finally(() => {
        hasRead = true;
      });
      const isMemory = database.dialect === "sqlite" && name.includes("memory");
      // In memory there is one connection only, and the reader waits for the writer.
      if (!isMemory) expect(await reading).toEqual([]);
      await Bun.sleep(1);
      expect(hasRead).toBe(!isMemory);
      goOn.resolve();
      await transaction;
      expect(await reading).toEqual(isMemory ? [{ text: "late" }] : []);
      expect(await database.all(notes.all, { after: "" })).toEqual([{ text: "late" }]);
      await database.close();
    });

    test("transactions that are begun at once run one by one, to their end", async () => {
      const database = await open(await locate());
      const notes = prepareNotes(database);
      const works = Array.from({ length: 30 }, (_, index) =>
        database.transaction(async (transaction) => {
          await transaction.run(notes.add, { text: `a${index}`, size: 2 ** 40 });
          await Promise.resolve();
          await transaction.run(notes.add, { text: `b${index}`, size: 1 });
        }),
      );
      await Promise.all(works);
      expect(await database.all(notes.all, { after: "" })).toHaveLength(60);
      await database.close();
    });

    test("a large transaction lets other work have its turns", async () => {
      const database = await open(await locate());
      const notes = prepareNotes(database);
      const done = new AbortController();
      let turns = 0;
      const others = (async () => {
        for (; !done.signal.aborted; turns += 1) {
          await new Promise((resolve) => setImmediate(resolve));
        }
      })();
      await database.transaction(async (transaction) => {
        for (let group = 0; group < 500; group += 1) {
          const rows = ["a", "b", "c"].map((text) => ({ text: `${text}${group}`, size: 1 }));
          await transaction.runAll(notes.add, rows);
        }
      });
      done.abort();
      await others;
      expect(turns).toBeGreaterThan(5);
      await database.close();
    });

    test("text is compared by bytes, and U+0000 is replaced", async () => {
      const database = await open(await locate());
      const notes = prepareNotes(database);
      const texts = ["a", "B", "ä", "a-b", "aB", "_", "\u{1F6A2}", "\uFFEE", "n\u0000l"];
      await database.transaction((transaction) =>
        transaction.runAll(
          notes.add,
          texts.map((text) => ({ text, size: 1 })),
        ),
      );
      const rows = await database.all(notes.all, { after: "B" });
      const inOrder = ["_", "a", "a-b", "aB", "n\uFFFDl", "ä", "\uFFEE", "\u{1F6A2}"];
      expect(rows.map((row) => row.text)).toEqual(inOrder);
      await database.close();
    });

    test("a schema grows by the migrations that it has not seen", async () => {
      const location = await locate();
      // A database in memory is another one each time it is opened.
      if (location.kind === "sqlite" && location.path === ":memory:") return;
      await (await open(location)).close();
      const longer = [
        ...migrations,
        { name: "an index", statements: () => ["create index notes_by_size on notes (size)"] },
      ];
      await (await open(location, longer)).close();
      await (await open(location, longer)).close();
      expect(open(location)).rejects.toThrow(/newer version of this program.*number 2.*knows 1/);
    });

    test("a migration that fails leaves nothing of itself", async () => {
      const location = await locate();
      if (location.kind === "sqlite" && location.path === ":memory:") return;
      const broken = [
        ...migrations,
        { name: "broken", statements: () => ["create table half (id integer)", "nonsense"] },
      ];
      expect(open(location, broken)).rejects.toThrow(/nonsense/);
      await open(location, broken).catch(() => undefined);
      const fixed = [
        ...migrations,
        { name: "fixed", statements: () => ["create table half (id integer)"] },
      ];
      await (await open(location, fixed)).close();
    });

    test("many that open an empty place at once all find the same schema", async () => {
      const location = await locate();
      const databases = await Promise.all(Array.from({ length: 6 }, () => open(location)));
      for (const database of databases) {
        expect(await database.all(prepareNotes(database).all, { after: "" })).toEqual([]);
        await database.close();
      }
    });

    test("a missing argument is a mistake of the program", async () => {
      const database = await open(await locate());
      const notes = prepareNotes(database);
      const args: { after: string } = JSON.parse("{}");
      expect(async () => database.all(notes.all, args)).toThrow(/after/);
      await database.close();
    });
  });
}

let files = 0;
const nextFile = () => join(folder, `sub${(files += 1)}`, "database.sqlite");
databaseSuite("SQLite", async () => ({ kind: "sqlite", path: nextFile() }));
databaseSuite("SQLite in memory", async () => ({ kind: "sqlite", path: ":memory:" }));

const skipped = postgresSkipReason;
if (skipped === undefined) {
  let schemas = 0;
  databaseSuite("PostgreSQL", async () => {
    const { url } = await testPostgres();
    schemas += 1;
    return { kind: "postgres", url, schema: `database "suite" ${schemas}` };
  });
} else {
  describe("PostgreSQL", () => {
    test.skip(skipped, () => undefined);
  });
}

describe("a SQLite file", () => {
  test("that another process is changing is waited for when it is opened", async () => {
    const path = nextFile();
    await (await open({ kind: "sqlite", path })).close();
    const other = new Connection(path, { readwrite: true });
    other.run("begin immediate");
    // With one migration more, so that there is something to write.
    const more = [
      ...migrations,
      { name: "more", statements: () => ["create table more (id integer)"] },
    ];
    const opening = open({ kind: "sqlite", path }, more);
    await Bun.sleep(30);
    other.run("rollback");
    other.close();
    await (await opening).close();
  });

  test("is made anew after it was deleted, also when its log is still there", async () => {
    const path = nextFile();
    const database = await open({ kind: "sqlite", path });
    const notes = prepareNotes(database);
    await database.transaction(async (transaction) => {
      await transaction.run(notes.add, { text: "old", size: 1 });
    });
    rmSync(path);
    expect(existsSync(`${path}-wal`)).toBe(true);
    const again = await open({ kind: "sqlite", path });
    expect(await again.all(prepareNotes(again).all, { after: "" })).toEqual([]);
    await again.close();
    await database.close();
  });

  test("that is none is refused with its path", async () => {
    const path = join(folder, "not-a-database");
    writeFileSync(path, "this is text, and more of it than SQLite's header has bytes".repeat(20));
    for (const [durability, advice] of [
      ["derived", `delete it, with ${path}-wal and ${path}-shm`],
      ["records", "put the one of a backup in its place"],
    ] as const) {
      const opening = open({ kind: "sqlite", path }, migrations, durability);
      const refused = await opening.then(String, String);
      expect(refused).toContain(`cannot open the database ${path}: file is not a database`);
      expect(refused).toContain(advice);
    }
  });

  test("in another user's folder is refused with whose it is, and what to do", () => {
    const locked = join(folder, "locked");
    mkdirSync(locked);
    writeFileSync(join(locked, "theirs.sqlite"), "");
    chmodSync(join(locked, "theirs.sqlite"), 0o444);
    chmodSync(folder, 0o755);
    chmodSync(locked, 0o555);
    const refusal = (name: string): string => {
      const path = JSON.stringify(join(locked, name));
      // Root may write everywhere, so a process without its rights asks, once it has loaded the program.
      const program = `import { openSqlite } from ${JSON.stringify(join(import.meta.dir, "sqlite.ts"))};
        if (process.geteuid() === 0) { process.setgid(65532); process.setuid(65532); }
        await openSqlite(${path}, { migrations: [], durability: "derived", refuse: String }).catch(({ message }) => console.log(message));`;
      return spawnSync(process.execPath, ["-e", program], { encoding: "utf8" }).stdout;
    };
    expect(refusal("new.sqlite")).toContain(`may not write to ${locked}, which belongs to user`);
    chmodSync(locked, 0o777);
    expect(refusal("theirs.sqlite")).toContain(`may not write to ${locked}/theirs.sqlite, which`);
  });

  test("is read while another process writes", async () => {
    const path = nextFile();
    const writer = await open({ kind: "sqlite", path });
    const reader = await open({ kind: "sqlite", path });
    const goOn = Promise.withResolvers<void>();
    const notes = prepareNotes(writer);
    const transaction = writer.transaction(async (it) => {
      await it.run(notes.add, { text: "one", size: 1 });
      await goOn.promise;
    });
    expect(await reader.all(prepareNotes(reader).all, { after: "" })).toEqual([]);
    // Waits for the first without stopping this program, which has to let the first go on.
    const second = reader.transaction(async (it) => {
      await it.run(prepareNotes(reader).add, { text: "two", size: 1 });
    });
    setTimeout(() => goOn.resolve(), 20);
    await Promise.all([transaction, second]);
    expect(await reader.all(prepareNotes(reader).all, { after: "" })).toHaveLength(2);
    await reader.close();
    await writer.close();
  });
});

test("a PostgreSQL that cannot be reached is named, and its password is not", async () => {
  const places = { "127.0.0.1:1": "127.0.0.1:1/x", "/nowhere": "localhost/x?host=%2Fnowhere" };
  for (const [place, rest] of Object.entries(places)) {
    const url = `postgres://berth:hunter2@${rest}`;
    const refused = await open({ kind: "postgres", url, schema: "m" }).catch(String);
    expect(refused).toContain(`cannot open the PostgreSQL schema m at ${place}: `);
    expect(refused).not.toContain("hunter2");
  }
});
