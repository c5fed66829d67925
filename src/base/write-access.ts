import { accessSync, constants, type Stats, statSync } from "node:fs";
import { join } from "node:path";
import { codeOf } from "./errors.ts";

/** Whose a file is, and who asks: numbers of the system's users. */
interface Ownership {
  readonly path: string;
  readonly ownerId: number;
  readonly groupId: number;
  readonly userId: number;
}

/**
 * Why this process may not write to one of the files and folders `names` in `folder`, as a sentence
 * with the ways out; undefined when it may, or when there is none of them.
 */
export function writeObstacle(folder: string, names: readonly string[]): string | undefined {
  for (const name of names) {
    const path = join(folder, name);
    const found = look(path);
    if (found === undefined || mayWrite(path, found.isDirectory())) continue;
    const userId = process.geteuid?.() ?? -1;
    return accessAdvice({ path, ownerId: found.uid, groupId: found.gid, userId }, folder);
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
export function accessAdvice(found: Ownership, folder: string): string {
  const { path, ownerId, groupId, userId } = found;
  const ways =
    ownerId === userId
      ? `give it the right to: chmod -R u+rwX ${folder}`
      : `give it the folder: chown -R ${userId} ${folder}; or run the registry as the folder's ` +
        `owner (docker run --user ${ownerId}:${groupId})`;
  return (
    `user ${userId}, as which the registry runs, may not write to ${path}, which belongs to ` +
    `user ${ownerId}: ${ways}`
  );
}
