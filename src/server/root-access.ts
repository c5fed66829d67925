import { accessSync, constants, type Stats, statSync } from "node:fs";
import { join } from "node:path";
import { codeOf } from "../base/errors.ts";
import { blobsFolder, repositoriesFolder } from "../storage/layout.ts";

/** Whose a file is, and who asks: numbers of the system's users. */
interface Ownership {
  readonly path: string;
  readonly ownerId: number;
  readonly groupId: number;
  readonly userId: number;
}

/** What the registry keeps for itself; without it nothing goes. */
const ownNames = ["", "berth", "berth/lock.sqlite", "berth/berth.sqlite", "berth/metadata.sqlite"];
/** What pushes write to, and pulls do not. */
const pushedToNames = [repositoriesFolder, blobsFolder, `${blobsFolder}/sha256`];

/**
 * Why this process cannot serve `rootFolder` at all, as a sentence; undefined when it can. A
 * registry that ran as root, as the official image does, leaves a folder that nobody else may
 * write to.
 */
export function servingObstacle(rootFolder: string): string | undefined {
  return obstacle(rootFolder, ownNames);
}

/** Why pushes will fail while pulls go on, as a sentence; undefined when they will not. */
export function pushObstacle(rootFolder: string): string | undefined {
  return obstacle(rootFolder, pushedToNames);
}

function obstacle(rootFolder: string, names: readonly string[]): string | undefined {
  for (const name of names) {
    const path = join(rootFolder, name);
    const found = look(path);
    if (found === undefined || mayWrite(path, found.isDirectory())) continue;
    const userId = process.geteuid?.() ?? -1;
    return accessAdvice({ path, ownerId: found.uid, groupId: found.gid, userId }, rootFolder);
  }
  return undefined;
}

/** Undefined for what is not there, or cannot be reached: opening it has its own words for that. */
function look(path: string): Stats | undefined {
  try {
    return statSync(path, { throwIfNoEntry: false });
  } catch {
    return undefined;
  }
}

function mayWrite(path: string, isFolder: boolean): boolean {
  try {
    accessSync(path, isFolder ? constants.W_OK | constants.X_OK : constants.W_OK);
    return true;
  } catch (error) {
    // A medium that takes no writes at all is another matter, with words of its own.
    return codeOf(error) !== "EACCES";
  }
}

/** For people: what is wrong, and the two ways out of it. */
export function accessAdvice(found: Ownership, rootFolder: string): string {
  const { path, ownerId, groupId, userId } = found;
  const ways =
    ownerId === userId
      ? `give it the right to: chmod -R u+rwX ${rootFolder}`
      : `give it the folder: chown -R ${userId} ${rootFolder}; or run the registry as the folder's ` +
        `owner (docker run --user ${ownerId}:${groupId})`;
  return (
    `user ${userId}, as which the registry runs, may not write to ${path}, which belongs to ` +
    `user ${ownerId}: ${ways}`
  );
}
