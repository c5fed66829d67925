import { afterAll, describe, test } from "bun:test";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { postgresSkipReason, testPostgres } from "../../test/support/postgres.ts";
import { silentLogger } from "../base/logger.ts";
import { activityStoreSuite } from "./activity-store.suite.ts";
import { openActivityStore } from "./sql-activity-store.ts";

const folder = mkdtempSync(join(tmpdir(), "berth-activity-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const options = { logger: silentLogger };

activityStoreSuite("SQLite", () =>
  openActivityStore({ kind: "sqlite", path: join(folder, "berth.sqlite") }, options),
);

const skipped = postgresSkipReason;
if (skipped === undefined) {
  activityStoreSuite("PostgreSQL", async () => {
    const { url } = await testPostgres();
    return openActivityStore({ kind: "postgres", url, schema: "activity_suite" }, options);
  });
} else {
  describe("PostgreSQL", () => {
    test.skip(skipped, () => undefined);
  });
}
