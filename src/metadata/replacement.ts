import { piecesOf } from "../base/pieces.ts";
import { Turns } from "../base/turns.ts";
import type { Database, Transaction } from "../database/database.ts";
import type { Digest } from "../oci/digest.ts";
import type { RepositoryName } from "../oci/repository-name.ts";
import type { Tag } from "../oci/tag.ts";
import type { prepareLookups } from "./lookups.ts";
import { fingerprintOf } from "./manifest-rows.ts";
import type {
  BlobRecord,
  ManifestRecord,
  ReplacedSince,
  RepositoryContent,
  TagRecord,
} from "./metadata-store.ts";
import type { Recorder, RowId } from "./recording.ts";
import type { RepositoryRows } from "./repository-rows.ts";
import type { MetadataTables } from "./tables.ts";

/** A manifest is some twenty rows; a push waits for the transaction that it finds under way. */
const manifestsPerTransaction = 20;
const rowsPerTransaction = 500;

const nothing = { manifests: 0, tags: 0 };

/** The revision of a repository that is not recorded. */
const revisionOfNone = "0";

/** Ids are never given twice, so a repository that was removed and made again differs too. */
export function revisionOf(
  row: { readonly id: RowId; readonly revision: number | string } | undefined,
): string {
  return row === undefined ? revisionOfNone : `${row.id}.${row.revision}`;
}

interface Parts {
  readonly database: Database<MetadataTables>;
  readonly recorder: Recorder;
  readonly lookups: ReturnType<typeof prepareLookups>;
}

type Step = (transaction: Transaction, id: RowId) => Promise<void>;

/** How what is recorded of a repository differs from what the layout has. */
interface Differences {
  readonly blobs: readonly BlobRecord[];
  readonly manifests: readonly ManifestRecord[];
  readonly tags: readonly TagRecord[];
  readonly goneBlobs: readonly Digest[];
  readonly goneManifests: readonly Digest[];
  readonly goneTags: readonly Tag[];
}

/**
 * Makes the rows of a repository those of `content`; false, and no more is written, when something
 * else was recorded of it since that revision.
 *
 * In many short transactions: there is one writer, and a repository of 50,000 manifests in one
 * would keep every push of the registry waiting for it. What stops half way has recorded what is
 * true, and the rest differs still. Broken off after any of them, nothing is missing that was
 * there before and is there now:
 *
 *     new blobs ─► new manifests ─► tags ─► what cannot be read ─► gone tags ─► manifests ─► blobs
 */
export async function replaceRows(
  repository: RepositoryName,
  {
    content,
    rows,
    since,
  }: {
    readonly content: RepositoryContent;
    /** Read after the revision. */
    readonly rows: RepositoryRows;
    readonly since: ReplacedSince;
  },
  { database, recorder, lookups }: Parts,
): Promise<boolean> {
  let expected = since.revision;
  const write = async (step: Step): Promise<boolean> => {
    const written = await database.transaction(async (transaction) => {
      const row = await transaction.first(lookups.findRepository, { repository });
      if (revisionOf(row) !== expected) return undefined;
      const id = await recorder.touchRepository(transaction, repository);
      // In PostgreSQL another transaction may have come between that look and the lock.
      const counted = { id: row?.id ?? id, revision: Number(row?.revision ?? 0) + 1 };
      const locked = await transaction.first(lookups.findRepository, { repository });
      if (revisionOf(locked) !== revisionOf(counted)) return undefined;
      await step(transaction, id);
      return revisionOf(counted);
    });
    expected = written ?? expected;
    return written !== undefined;
  };
  const differences = await differencesOf(content, rows);
  for (const step of stepsOf(differences, content.unreadable ?? nothing, recorder)) {
    since.signal?.throwIfAborted();
    if (!(await write(step))) return false;
  }
  return true;
}

function* stepsOf(
  differences: Differences,
  unreadable: NonNullable<RepositoryContent["unreadable"]>,
  recorder: Recorder,
): Generator<Step> {
  for (const blobs of piecesOf(differences.blobs, rowsPerTransaction)) {
    yield (transaction, id) => recorder.writeBlobs(transaction, id, blobs);
  }
  for (const manifests of piecesOf(differences.manifests, manifestsPerTransaction)) {
    yield async (transaction, id) => {
      for (const record of manifests) await recorder.writeManifest(transaction, id, record);
    };
  }
  for (const tags of piecesOf(differences.tags, rowsPerTransaction)) {
    yield (transaction, id) => recorder.writeTags(transaction, id, tags);
  }
  // Before what cannot be read loses its rows: from then on it freezes what it may need.
  yield (transaction, id) => recorder.writeUnreadable(transaction, id, unreadable);
  for (const tags of piecesOf(differences.goneTags, rowsPerTransaction)) {
    yield (transaction, id) => recorder.removeTags(transaction, id, tags);
  }
  for (const digests of piecesOf(differences.goneManifests, manifestsPerTransaction)) {
    yield (transaction, id) => recorder.removeManifests(transaction, id, digests);
  }
  for (const digests of piecesOf(differences.goneBlobs, rowsPerTransaction)) {
    yield (transaction, id) => recorder.unlinkBlobs(transaction, id, digests);
  }
}

async function differencesOf(content: RepositoryContent, rows: RepositoryRows) {
  const turns = new Turns();
  /** Of what there is, what differs from its row; and the keys of rows whose item is gone. */
  async function split<Item, Key, Row>(
    items: readonly Item[],
    known: ReadonlyMap<Key, Row>,
    { keyOf, isSame }: { keyOf: (item: Item) => Key; isSame: (item: Item, row: Row) => boolean },
  ) {
    const gone = new Set(known.keys());
    const changed: Item[] = [];
    for (const item of items) {
      await turns.step();
      const row = known.get(keyOf(item));
      if (row === undefined || !isSame(item, row)) changed.push(item);
      gone.delete(keyOf(item));
    }
    return { changed, gone: [...gone] };
  }
  const blobs = await split(content.blobs, rows.blobs, {
    keyOf: ({ digest }) => digest,
    isSame: ({ sizeBytes }, row) => row === sizeBytes,
  });
  const manifests = await split(content.manifests, rows.manifests, {
    keyOf: ({ digest }) => digest,
    isSame: (record, row) =>
      row.pushedAtMs === Math.floor(record.pushedAtMs) && row.fingerprint === fingerprintOf(record),
  });
  const tags = await split(content.tags, rows.tags, {
    keyOf: ({ tag }) => tag,
    isSame: ({ digest, stamp, pushedAtMs }, row) =>
      row.digest === digest && row.stamp === stamp && row.pushedAtMs === Math.floor(pushedAtMs),
  });
  return {
    ...{ blobs: blobs.changed, manifests: manifests.changed, tags: tags.changed },
    ...{ goneBlobs: blobs.gone, goneManifests: manifests.gone, goneTags: tags.gone },
  } satisfies Differences;
}
