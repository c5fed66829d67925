import { writeObstacle } from "../base/write-access.ts";
import { blobsFolder, repositoriesFolder } from "../storage/layout.ts";

/** Where the registry keeps its own; without it nothing goes. The databases say so themselves. */
const ownNames = ["", "berth", "berth/lock.sqlite"];
/** What pushes write to, and pulls do not. */
const pushedToNames = [repositoriesFolder, blobsFolder, `${blobsFolder}/sha256`];

/**
 * Why this process cannot serve `rootFolder` at all, as a sentence; undefined when it can. A
 * registry that ran as root, as the official image does, leaves a folder that nobody else may
 * write to.
 */
export function servingObstacle(rootFolder: string): string | undefined {
  return writeObstacle(rootFolder, ownNames);
}

/** Why pushes will fail while pulls go on, as a sentence; undefined when they will not. */
export function pushObstacle(rootFolder: string): string | undefined {
  return writeObstacle(rootFolder, pushedToNames);
}
