import { codeOf, reasonsOf } from "../base/errors.ts";
import type { SharedLocks } from "../base/shared-lock.ts";
import type { Digest } from "../oci/digest.ts";
import type { ManifestReader } from "../registry/manifest-reader.ts";
import type { BlobStore } from "../storage/blob-store.ts";
import type { Quarantine } from "../storage/quarantine.ts";

export interface BlobCheckParts {
  readonly blobs: BlobStore;
  readonly quarantine: Quarantine;
  readonly reader: ManifestReader;
  readonly locks: SharedLocks;
}

export interface BlobCheckOptions {
  /** Awaited between two pieces with the size of the one before; may throw to end. */
  readonly onPiece: (sizeBytes: number) => Promise<void>;
  /** Also moves aside what the disk refuses to read, twice. */
  readonly movesUnreadable: boolean;
  /** False only says what is wrong. */
  readonly moves: boolean;
}

/** What hashing a blob found. */
export type BlobCheck =
  | { readonly kind: "intact"; readonly sizeBytes: number }
  | { readonly kind: "absent" }
  | { readonly kind: "corrupt"; readonly why: string; readonly isMoved: boolean }
  /** `isMoved` after the disk failed twice at it. */
  | { readonly kind: "unreadable"; readonly why: string; readonly isMoved: boolean };

/**
 * Hashes a blob, and moves it aside when it is damaged.
 *
 *     hash, slowly ── as it should be ──────────────────────────► intact
 *         └── differs, or cannot be read
 *               └── alone with the digest: hash again ── well ──► intact: it was being replaced
 *                         └── differs again ── move, forget the bytes in memory ──► corrupt
 *
 * The second look makes a mistake impossible: nobody of this process removes or replaces the
 * bytes during it, and a file that another process replaced is told by its stamp.
 */
export async function checkBlob(
  digest: Digest,
  parts: BlobCheckParts,
  options: BlobCheckOptions,
): Promise<BlobCheck> {
  const first = await look(digest, parts, options.onPiece);
  if (first.kind === "intact" || first.kind === "absent") return first;
  return parts.locks.exclusive(digest, async () => {
    const second = await look(digest, parts, async () => undefined);
    if (second.kind === "intact" || second.kind === "absent") return second;
    const isCertain = second.kind === "corrupt" || (isOfDisk(first) && isOfDisk(second));
    const mayMove = second.kind === "corrupt" || options.movesUnreadable;
    if (!isCertain || !mayMove || !options.moves) return { ...second, isMoved: false };
    try {
      await parts.quarantine.takeBlob(digest);
    } catch (error) {
      const why = `${second.why}; it could not be moved aside: ${reasonsOf(error)}`;
      return { ...second, why, isMoved: false };
    }
    parts.reader.forget(digest);
    return { ...second, isMoved: true };
  });
}

type Look =
  | Exclude<BlobCheck, { readonly isMoved: boolean }>
  | { readonly kind: "corrupt"; readonly why: string }
  | { readonly kind: "unreadable"; readonly why: string; readonly error: unknown };

async function look(
  digest: Digest,
  { blobs }: BlobCheckParts,
  onPiece: (sizeBytes: number) => Promise<void>,
): Promise<Look> {
  // An end that the caller asked for is not a failure to read.
  let end: { readonly cause: unknown } | undefined;
  const notingEnd = async (sizeBytes: number): Promise<void> => {
    try {
      await onPiece(sizeBytes);
    } catch (cause) {
      end = { cause };
      throw cause;
    }
  };
  try {
    const found = await blobs.rehash(digest, notingEnd);
    if (found === undefined) return { kind: "absent" };
    const { actual, sizeBytes, wasReplaced } = found;
    if (actual === digest) return { kind: "intact", sizeBytes };
    if (wasReplaced) throw new Error("it was replaced while it was read");
    return { kind: "corrupt", why: `its ${sizeBytes} bytes are ${actual}` };
  } catch (error) {
    if (end !== undefined) throw end.cause;
    return { kind: "unreadable", why: reasonsOf(error), error };
  }
}

/** True when the disk itself could not read; not for want of descriptors, rights or memory. */
function isOfDisk(look: Look): boolean {
  if (look.kind !== "unreadable") return false;
  for (let error = look.error; error instanceof Error; error = error.cause) {
    if (codeOf(error) === "EIO") return true;
  }
  return false;
}
