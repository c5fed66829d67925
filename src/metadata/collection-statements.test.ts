import { Database as Connection } from "bun:sqlite";
import { expect, test } from "bun:test";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { openDatabase } from "../database/open-database.ts";
import { nameOf } from "../oci/test-support.ts";
import { prepareCollectionReading } from "./collection-statements.ts";
import { digestOfText } from "./metadata-samples.ts";
import { type MetadataTables, metadataMigrations } from "./tables.ts";

// SQLite answers on the thread of the requests. What was slow once was a question about all
// manifests of a repository, or all uses of a blob, asked again for every row that was found.
test("no statement of collection walks a table for each row that it finds", async () => {
  const folder = mkdtempSync(join(tmpdir(), "berth-plans-"));
  const path = join(folder, "metadata.sqlite");
  try {
    const database = await openDatabase<MetadataTables>(
      { kind: "sqlite", path },
      { migrations: metadataMigrations, durability: "derived", refuse: (reason) => Error(reason) },
    );
    const { looseLinks, unreferenced, trashed, state, windowEnd } =
      prepareCollectionReading(database);
    const args = {
      ...{ after: 0, upTo: 1_000, limit: 100, touchedBeforeMs: 1, trashedBeforeMs: 1 },
      ...{ digest: digestOfText("any"), repository: nameOf("any") },
    };
    const connection = new Connection(path, { readonly: true });
    const planOf = (statement: typeof state | typeof looseLinks): readonly string[] =>
      connection
        .query<{ detail: string }, (string | number | null)[]>(
          `explain query plan ${statement.sql}`,
        )
        .all(...statement.bind(args))
        .map((row) => row.detail);
    for (const statement of [unreferenced, trashed, state, windowEnd] as (typeof state)[]) {
      expect(planOf(statement).filter((step) => step.startsWith("SCAN blob"))).toEqual([]);
    }
    expect(planOf(looseLinks).filter((step) => step.startsWith("CORRELATED"))).toEqual([]);
    connection.close();
    await database.close();
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});
