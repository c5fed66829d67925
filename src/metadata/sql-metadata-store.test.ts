import { afterAll, describe, test } from "bun:test";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { postgresSkipReason, testPostgres } from "../../test/support/postgres.ts";
import { metadataStoreSuite } from "./metadata-store.suite.ts";
import { openMetadataStore } from "./sql-metadata-store.ts";

const folder = mkdtempSync(join(tmpdir(), "berth-metadata-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

metadataStoreSuite("SQLite", () =>
  openMetadataStore({ kind: "sqlite", path: join(folder, "made", "metadata.sqlite") }),
);

if (postgresSkipReason === undefined) {
  const schemas: string[] = [];
  metadataStoreSuite("PostgreSQL", async () => {
    const { url, newSchema } = await testPostgres();
    const schema = schemas[0] ?? newSchema();
    schemas[0] = schema;
    return await openMetadataStore({ kind: "postgres", url, schema });
  });
} else {
  describe("PostgreSQL", () => {
    test.skip(postgresSkipReason, () => undefined);
  });
}
