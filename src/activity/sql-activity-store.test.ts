import { afterAll, describe, test } from "bun:test";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { postgresSkipReason, testPostgres } from "../../test/support/postgres.ts";
import { silentLogger } from "../base/logger.ts";
import { activityStoreSuite } from "./activity-store.suite.ts";
import { openActivityStore } from "./sql-activity-store.ts";
import { trashStoreSuite } from "./trash-store.suite.ts";

const folder = mkdtempSync(join(tmpdir(), "berth-activity-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const options = { logger: silentLogger };

const openSqlite = () =>
  openActivityStore({ kind: "sqlite", path: join(folder, "berth.sqlite") }, options);
activityStoreSuite("SQLite", openSqlite);
trashStoreSuite("SQLite", openSqlite);

const skipped = postgresSkipReason;
if (skipped === undefined) {
  const openPostgres = async () => {
    const { url } = await testPostgres();
    return openActivityStore({ kind: "postgres", url, schema: "activity_suite" }, options);
  };
  activityStoreSuite("PostgreSQL", openPostgres);
  trashStoreSuite("PostgreSQL", openPostgres);
} else {
  describe("PostgreSQL", () => {
    test.skip(skipped, () => undefined);
  });
}
