import { statSync } from "node:fs";
import { link } from "node:fs/promises";
import type { BytePace } from "../../base/byte-pace.ts";
import { codeOf } from "../../base/errors.ts";
import type { Random } from "../../base/random.ts";
import { algorithmOf, createHasher, type Digest } from "../../oci/digest.ts";
import { blobKey, temporaryFolder } from "../../storage/layout.ts";
import type { Stores } from "./stores.ts";

export interface BlobCopyOptions {
  readonly source: Stores;
  readonly target: Stores;
  readonly targetFolder: string;
  /** Give the bytes a second name instead of copying them, where both are on one file system. */
  readonly links: boolean;
  readonly random: Random;
  readonly pace: BytePace;
}

/** What came of one blob. */
export type CopiedBlob =
  | { readonly kind: "copied" | "linked" | "there"; readonly sizeBytes: number }
  /** Not at the source; `isHeld` when an earlier copy has it. */
  | { readonly kind: "missing"; readonly isHeld: boolean }
  /** The source's bytes are not what their name says; nothing was copied. */
  | { readonly kind: "corrupt"; readonly isHeld: boolean };

/**
 * Brings one blob to the target, durably, under its final name or not at all. What is copied is
 * hashed on the way: a damaged blob must not replace a good one, nor pass for one.
 */
export async function copyBlob(digest: Digest, options: BlobCopyOptions): Promise<CopiedBlob> {
  const { source, target } = options;
  const heldBytes = await target.blobs.sizeOf(digest);
  const sizeBytes = await source.blobs.sizeOf(digest);
  if (sizeBytes === undefined) return { kind: "missing", isHeld: heldBytes !== undefined };
  const isHeld = heldBytes === sizeBytes;
  // A second name must go where a copy is asked for; and where names will do, one of bytes that
  // were healed since is better than what an earlier backup has.
  if (isHeld && isSameFile(digest, options) === options.links) return { kind: "there", sizeBytes };
  const temporary = `${temporaryFolder}/${options.random.uuid()}`;
  try {
    const isLinked = await linkBytes(digest, temporary, options);
    if (!isLinked && isHeld && options.links) return { kind: "there", sizeBytes };
    // A copy of its own is given up only for bytes that were looked at.
    if (isLinked && isHeld && !(await isSound(digest, options))) return { kind: "corrupt", isHeld };
    const kind = isLinked ? "linked" : await copyBytes(digest, { temporary, sizeBytes }, options);
    if (kind === "corrupt") return { kind, isHeld: heldBytes !== undefined };
    await target.objects.move(temporary, blobKey(digest));
    return { kind, sizeBytes };
  } catch (error) {
    // Collected while it was read: its links went before it.
    if ((await source.blobs.sizeOf(digest)) === undefined) {
      return { kind: "missing", isHeld: heldBytes !== undefined };
    }
    throw error;
  } finally {
    await target.objects.remove(temporary);
  }
}

/** True when source and target are two names of the same bytes. */
function isSameFile(digest: Digest, { source, target }: BlobCopyOptions): boolean {
  const [one, other] = [source, target].map(({ blobs }) => {
    const content = blobs.content(digest);
    return content?.kind === "file" ? statSync(content.path, { throwIfNoEntry: false }) : undefined;
  });
  if (one === undefined || other === undefined) return false;
  return one.ino === other.ino && one.dev === other.dev;
}

/** False when the two folders are not on one file system, or it has no such names. */
async function linkBytes(
  digest: Digest,
  temporary: string,
  { links, source, targetFolder }: BlobCopyOptions,
): Promise<boolean> {
  const content = links ? source.blobs.content(digest) : undefined;
  if (content?.kind !== "file") return false;
  try {
    await link(content.path, `${targetFolder}/${temporary}`);
    return true;
  } catch (error) {
    const unsupported = ["EXDEV", "EPERM", "EMLINK", "ENOTSUP", "EOPNOTSUPP"];
    if (unsupported.includes(codeOf(error))) return false;
    throw error;
  }
}

async function isSound(digest: Digest, { source, pace }: BlobCopyOptions): Promise<boolean> {
  const onPiece = (sizeBytes: number): Promise<void> => pace.spend(sizeBytes);
  return (await source.blobs.rehash(digest, onPiece))?.actual === digest;
}

async function copyBytes(
  digest: Digest,
  { temporary, sizeBytes }: { readonly temporary: string; readonly sizeBytes: number },
  { source, target, pace }: BlobCopyOptions,
): Promise<"copied" | "corrupt"> {
  const hasher = createHasher(algorithmOf(digest));
  const appender = await target.objects.openAppend(temporary, 0);
  if (appender === undefined) throw new Error(`${temporary} cannot be written`);
  try {
    const range = { start: 0, end: sizeBytes };
    for await (const piece of source.objects.readStream(blobKey(digest), range)) {
      hasher.update(piece);
      await appender.write([piece]);
      await pace.spend(piece.byteLength);
    }
    await appender.sync();
  } finally {
    await appender.close();
  }
  return hasher.digest() === digest ? "copied" : "corrupt";
}
