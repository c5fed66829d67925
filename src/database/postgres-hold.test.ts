import { describe, expect, test } from "bun:test";
import { postgresSkipReason, testPostgres } from "../../test/support/postgres.ts";
import { messageOf } from "../base/errors.ts";
import { connectPostgres } from "./postgres.ts";
import { holdPostgres } from "./postgres-hold.ts";

const sleep = (delayMs: number): Promise<void> => Bun.sleep(delayMs);

/** A database of its own: the lock is the whole database's. */
async function database(name: string): Promise<string> {
  const { url } = await testPostgres();
  const client = connectPostgres(url, 1);
  await client.unsafe(`create database ${name}`);
  await client.close();
  const own = new URL(url);
  own.pathname = `/${name}`;
  return own.href;
}

describe.skipIf(postgresSkipReason !== undefined)("a PostgreSQL database has one registry", () => {
  test("a second one is refused with who has it, until the first lets go", async () => {
    const url = await database("held_by_one");
    const first = await holdPostgres({ url, waitMs: 0, sleep });
    const second = holdPostgres({ url, waitMs: 0, sleep });
    expect(await second.then(() => "held", messageOf)).toMatch(
      /is in use by another process \(backend \d+.*of its own$/,
    );
    await first.release();
    const third = await holdPostgres({ url, waitMs: 5_000, sleep });
    expect(await third.isLost()).toBe(false);
    await third.release();
  });

  test("one that waits gets it from a process that ends meanwhile", async () => {
    const url = await database("held_in_turn");
    const first = await holdPostgres({ url, waitMs: 0, sleep });
    let slept = 0;
    const waits = async (delayMs: number): Promise<void> => {
      slept += 1;
      if (slept === 1) await first.release();
      await Bun.sleep(delayMs);
    };
    const second = await holdPostgres({ url, waitMs: 10_000, sleep: waits });
    expect(slept).toBeGreaterThan(0);
    await second.release();
  });

  test("a lock that went with its connection is taken again, or another's by now", async () => {
    const url = await database("held_again");
    const first = await holdPostgres({ url, waitMs: 0, sleep });
    const admin = connectPostgres(url, 1);
    const cut = () =>
      admin.unsafe(
        "select pg_terminate_backend(pid, 5000) from pg_locks where locktype = 'advisory' and granted " +
          "and database = (select oid from pg_database where datname = current_database())",
      );
    await cut();
    // The first question finds the connection gone, which is no other registry.
    for (let tries = 0; tries < 50; tries += 1) {
      expect(await first.isLost()).toBe(false);
      const rows: unknown[] = await admin.unsafe(
        "select 1 from pg_locks where locktype = 'advisory' and granted " +
          "and database = (select oid from pg_database where datname = current_database())",
      );
      if (rows.length > 0) break;
      await Bun.sleep(20);
    }
    const other = holdPostgres({ url, waitMs: 0, sleep });
    expect(await other.then(() => "held", messageOf)).toContain("is in use by");
    await cut();
    const second = await holdPostgres({ url, waitMs: 5_000, sleep });
    // As above: the answer after the one that finds the connection gone.
    await first.isLost();
    expect(await first.isLost()).toBe(true);
    await second.release();
    await first.release();
    await admin.close();
  });
});
