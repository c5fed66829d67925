import { nextTurn } from "../base/turns.ts";
import type { Database } from "../database/database.ts";
import type { Digest } from "../oci/digest.ts";
import type { Tag } from "../oci/tag.ts";
import type { prepareSnapshots } from "./lookups.ts";
import type { RowId } from "./recording.ts";
import type { MetadataTables } from "./tables.ts";

/** Rows that are read at once, some 2 ms in SQLite. */
const rowsPerPage = 2_000;

export interface TagFacts {
  readonly digest: Digest;
  readonly stamp: string;
  readonly pushedAtMs: number;
}

export interface ManifestFacts {
  readonly fingerprint: Digest;
  readonly pushedAtMs: number;
}

export interface RepositoryRows {
  readonly tags: ReadonlyMap<Tag, TagFacts>;
  readonly manifests: ReadonlyMap<Digest, ManifestFacts>;
  readonly blobs: ReadonlyMap<Digest, number>;
}

/**
 * All that is recorded of a repository, read in pieces: requests have their turn in between, and
 * what is recorded meanwhile may be in it or not. The repository's revision tells.
 */
export async function readRows(
  database: Database<MetadataTables>,
  statements: ReturnType<typeof prepareSnapshots>,
  repositoryId: RowId,
): Promise<RepositoryRows> {
  const page = { repositoryId, limit: rowsPerPage };
  const tags = new Map<Tag, TagFacts>();
  await inPages(async (last?: { readonly name: Tag }) => {
    const rows = await database.all(statements.tags, { ...page, after: last?.name ?? "" });
    for (const { name, digest, stamp, pushed_at_ms } of rows) {
      tags.set(name, { digest, stamp, pushedAtMs: Number(pushed_at_ms) });
    }
    return rows;
  });
  const manifests = new Map<Digest, ManifestFacts>();
  await inPages(async (last?: { readonly digest: Digest }) => {
    const rows = await database.all(statements.manifests, { ...page, after: last?.digest ?? "" });
    for (const { digest, fingerprint, pushed_at_ms } of rows) {
      manifests.set(digest, { fingerprint, pushedAtMs: Number(pushed_at_ms) });
    }
    return rows;
  });
  const blobs = new Map<Digest, number>();
  await inPages(async (last?: { readonly blob_id: RowId }) => {
    const rows = await database.all(statements.blobs, { ...page, after: last?.blob_id ?? 0 });
    for (const { digest, size_bytes } of rows) blobs.set(digest, Number(size_bytes));
    return rows;
  });
  return { tags, manifests, blobs };
}

async function inPages<Row>(read: (last?: Row) => Promise<readonly Row[]>): Promise<void> {
  for (let last: Row | undefined; ; await nextTurn()) {
    const rows = await read(last);
    last = rows.at(-1);
    if (rows.length < rowsPerPage) return;
  }
}
