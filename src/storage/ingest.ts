import { releaseBytes } from "../base/bytes.ts";
import type { RunningHash } from "./hashing.ts";
import type { Appender } from "./object-store.ts";

/** Bytes are written in strokes of about this size: a system call each, and little memory. */
const strokeSizeBytes = 1 << 18;

/**
 * How much may wait in the page cache before the disk is asked to begin: so that the sync at
 * the end of a large blob finds most of the work done.
 */
const earlySyncBytes = 256 << 20;

/** Bytes on their way from a request into an upload session. */
export interface Flow {
  readonly appender: Appender;
  /** The hash of the bytes before these; undefined when there are none, or nobody has it. */
  hash: RunningHash | undefined;
  /** Makes the hash of the first bytes; absent when bytes lie before them. */
  readonly beginHash: ((isLarge: boolean) => RunningHash) | undefined;
  writtenBytes: number;
  hashedBytes: number;
  /** Set when a sync failed, which costs the session all its bytes. */
  isLost: boolean;
}

/**
 * Writes `source` in strokes. While one stroke is on its way to the disk and into the hash, the
 * runtime receives the next bytes by itself, up to a limit of its own: reading ahead here as
 * well would only take as much memory again. What came before `source` failed is written all
 * the same.
 */
export async function ingest(source: AsyncIterable<Uint8Array>, flow: Flow): Promise<void> {
  let stroke: Uint8Array[] = [];
  let strokeBytes = 0;
  let sinceSyncBytes = 0;
  let syncing = Promise.resolve();

  const flush = async (isLast: boolean): Promise<void> => {
    const pieces = stroke;
    const sizeBytes = strokeBytes;
    stroke = [];
    strokeBytes = 0;
    flow.hash ??= flow.beginHash?.(!isLast);
    await store(pieces, sizeBytes, flow);
    sinceSyncBytes += sizeBytes;
    if (sinceSyncBytes < earlySyncBytes) return;
    sinceSyncBytes = 0;
    await syncing;
    syncing = flow.appender.sync();
    // The rejection is thrown at the next await; until then it must not count as unhandled.
    syncing.catch(() => {
      flow.isLost = true;
    });
  };

  try {
    for await (const piece of source) {
      stroke.push(piece);
      strokeBytes += piece.byteLength;
      if (strokeBytes >= strokeSizeBytes) await flush(false);
    }
  } finally {
    try {
      if (strokeBytes > 0) await flush(true);
    } finally {
      // Whatever else failed: a sync that is on its way needs the file open, and must be heard.
      await syncing;
    }
  }
}

/** Writes and hashes the pieces of one stroke at the same time, and gives their memory back. */
async function store(pieces: readonly Uint8Array[], sizeBytes: number, flow: Flow): Promise<void> {
  const writing = flow.appender.write(pieces);
  writing.catch(() => undefined);
  await flow.hash?.add(pieces);
  flow.hashedBytes += sizeBytes;
  await writing;
  flow.writtenBytes += sizeBytes;
  for (const piece of pieces) releaseBytes(piece);
}
