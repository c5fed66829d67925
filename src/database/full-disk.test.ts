/** SQLite on a disk that is full to the last byte. */
import { Database as Connection } from "bun:sqlite";
import { expect, test } from "bun:test";
import { statSync } from "node:fs";
import { join } from "node:path";
import {
  mountSmallDisk,
  type SmallDisk,
  smallDiskSkipReason,
} from "../../test/support/small-disk.ts";
import type { Database, RoomReserve } from "./database.ts";
import { openDatabase } from "./open-database.ts";
import type { Placeholders } from "./statement.ts";

interface Tables {
  notes: { id: number; text: string };
}

const rowsCount = 16;
/** More than a page. */
const text = (fill: string): string => fill.repeat(5_000);

async function withFullDisk(
  reserve: (disk: SmallDisk) => RoomReserve | undefined,
  work: (full: {
    readonly database: Database<Tables>;
    readonly disk: SmallDisk;
    readonly path: string;
    readonly add: (id: number) => Promise<void>;
    readonly change: (fill: string) => Promise<void>;
  }) => Promise<void>,
): Promise<void> {
  using disk = mountSmallDisk("bytes");
  const path = join(disk.path, "notes.sqlite");
  const database = await openDatabase<Tables>(
    { kind: "sqlite", path },
    {
      migrations: [
        {
          name: "notes",
          statements: () => ["create table notes (id integer primary key, text text)"],
        },
      ],
      durability: "records",
      reserve: reserve(disk),
      refuse: (reason, cause) => new Error(`refused: ${reason}`, { cause }),
    },
  );
  const insert = database.prepare((query, param: Placeholders<{ id: number; text: string }>) =>
    query.insertInto("notes").values({ id: param.id, text: param.text }),
  );
  const update = database.prepare((query, param: Placeholders<{ text: string }>) =>
    query.updateTable("notes").set({ text: param.text }),
  );
  const add = (id: number): Promise<void> =>
    database.transaction(async (transaction) => {
      await transaction.run(insert, { id, text: text("x") });
    });
  const change = (fill: string): Promise<void> =>
    database.transaction(async (transaction) => {
      await transaction.run(update, { text: text(fill) });
    });
  try {
    for (let id = 1; id <= rowsCount; id += 1) await add(id);
    // What is there has its place in the database, and the log is begun anew.
    checkpoint(path);
    for (const fill of "abc") await change(fill);
    disk.fill();
    await work({ database, disk, path, add, change });
  } finally {
    disk.free();
    await database.close();
  }
}

function checkpoint(path: string): void {
  using connection = new Connection(path);
  connection.run("pragma wal_checkpoint(restart)");
}

test.skipIf(smallDiskSkipReason !== undefined)(
  "the reserve is given back for what finds no room, which is then written",
  async () => {
    let asked = 0;
    const giveBack = (disk: SmallDisk) => async (): Promise<boolean> => {
      asked += 1;
      disk.free();
      return true;
    };
    await withFullDisk(
      (disk) => ({ giveBack: giveBack(disk) }),
      async ({ add }) => {
        for (let id = rowsCount + 1; id <= 4 * rowsCount; id += 1) await add(id);
        expect(asked).toBe(1);
      },
    );
  },
);

test.skipIf(smallDiskSkipReason !== undefined)(
  "what is in the log makes room in it for what comes, again and again",
  () =>
    withFullDisk(
      () => undefined,
      async ({ change, path }) => {
        const sizeBefore = statSync(`${path}-wal`).size;
        for (let round = 1; round <= 20; round += 1) await change(String(round % 10));
        expect(statSync(`${path}-wal`).size).toBeLessThan(2 * sizeBefore);
      },
    ),
);

test.skipIf(smallDiskSkipReason !== undefined)(
  "what finds no room then is refused, and the database goes on when there is some",
  () =>
    withFullDisk(
      () => ({ giveBack: () => Promise.resolve(false) }),
      async ({ add, disk, database }) => {
        const addMany = async (): Promise<void> => {
          for (let id = rowsCount + 1; id <= 100 * rowsCount; id += 1) await add(id);
        };
        const failure = await addMany().catch((error: unknown) => error);
        expect(failure).toMatchObject({ message: "refused: storageFull" });
        disk.free();
        await add(100_000);
        expect(database.dialect).toBe("sqlite");
      },
    ),
);
