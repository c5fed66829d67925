import { afterAll, describe, test } from "bun:test";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { postgresSkipReason, testPostgres } from "../../test/support/postgres.ts";
import { collectionStoreSuite } from "./collection-store.suite.ts";
import { metadataReplaceSuite } from "./metadata-replace.suite.ts";
import { metadataStoreSuite } from "./metadata-store.suite.ts";
import type { MetadataStore } from "./metadata-store.ts";
import { repositoryViewSuite } from "./repository-view.suite.ts";
import { openMetadataStore } from "./sql-metadata-store.ts";

const folder = mkdtempSync(join(tmpdir(), "berth-metadata-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

function bothSuites(name: string, open: () => Promise<MetadataStore>): void {
  metadataStoreSuite(name, open);
  metadataReplaceSuite(`${name}, replacing and racing`, open);
  collectionStoreSuite(`${name}, collection`, open);
  repositoryViewSuite(`${name}, a whole repository`, open);
}

bothSuites("SQLite", () =>
  openMetadataStore({ kind: "sqlite", path: join(folder, "made", "metadata.sqlite") }),
);

const skipped = postgresSkipReason;
if (skipped === undefined) {
  bothSuites("PostgreSQL", async () => {
    const { url } = await testPostgres();
    return openMetadataStore({ kind: "postgres", url, schema: "metadata_suite" });
  });
} else {
  describe("PostgreSQL", () => {
    test.skip(skipped, () => undefined);
  });
}
