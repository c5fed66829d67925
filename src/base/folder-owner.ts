import { closeSync, fchownSync, lchownSync, mkdirSync, openSync, statSync } from "node:fs";
import { dirname } from "node:path";
import { codeOf } from "./errors.ts";

/*
 * Whose the files are that root makes. A registry is served by a user of its own, and an operator's
 * command runs as root: what it makes would be root's, and the server could not write to it later.
 * So what root makes in somebody else's folder belongs to that somebody, as the folder does.
 *
 * For everybody but root all of this is a question to the process and nothing more.
 */

/** Numbers of the system's users and groups. */
export interface Owner {
  readonly userId: number;
  readonly groupId: number;
}

/** What the kernel calls users that have no number in this container: nobody can be given to them. */
const overflowId = 65_534;

/**
 * In a folder that everybody may write to, root may have come by that right and no other: without
 * CAP_DAC_OVERRIDE it could not write to what it has given away.
 */
const anybodyMayWrite = 0o002;

/**
 * Whose has to be what this process makes at `path`: the owner of the folder that it lies in, or of
 * the next one above that is there. Undefined when it is this process's own as it is.
 */
export function ownerToBe(path: string): Owner | undefined {
  if (process.geteuid?.() !== 0) return undefined;
  for (let folder = dirname(path); ; folder = dirname(folder)) {
    const found = statSync(folder, { throwIfNoEntry: false });
    if (found !== undefined) {
      const isOwn =
        found.uid === 0 || found.uid === overflowId || (found.mode & anybodyMayWrite) !== 0;
      return isOwn ? undefined : { userId: found.uid, groupId: found.gid };
    }
    if (folder === dirname(folder)) return undefined;
  }
}

/** Gives the file or folder at `path` to `owner`, where that can be done. */
export function give(path: string, owner: Owner | undefined): void {
  if (owner === undefined) return;
  try {
    lchownSync(path, owner.userId, owner.groupId);
  } catch {
    // A container without that right, a file system without owners: it is as it always was there.
  }
}

/** The folder `path` and those above it that are missing, for the owner of the one that is there. */
export function makeFoldersForOwner(path: string): void {
  const owner = ownerToBe(path);
  const first = mkdirSync(path, { recursive: true });
  if (first === undefined || owner === undefined) return;
  for (let made = path; made.length >= first.length; made = dirname(made)) give(made, owner);
}

/**
 * An empty file for the owner of its folder, where there is none and root would make one; SQLite
 * opens it as a new database, and gives the files beside it to the same owner by itself.
 */
export function makeFileForOwner(path: string): void {
  const owner = ownerToBe(path);
  if (owner === undefined) return;
  let file: number;
  try {
    // Never through a symbolic link: the folder is in the hands of somebody who is not root.
    file = openSync(path, "wx");
  } catch (error) {
    if (codeOf(error) === "EEXIST") return;
    throw error;
  }
  try {
    fchownSync(file, owner.userId, owner.groupId);
  } catch {
    // As above.
  } finally {
    closeSync(file);
  }
}
