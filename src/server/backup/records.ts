import { existsSync, statSync } from "node:fs";
import { copyFile, open, rename, rm } from "node:fs/promises";
import { dirname } from "node:path";
import { give, makeFoldersForOwner, ownerToBe } from "../../base/folder-owner.ts";
import { copySqlite } from "../../database/sqlite.ts";

/** The file of the records inside a backup. */
export const recordsName = "berth/berth.sqlite";

/**
 * Copies the committed records, durably, over an older copy. `in use`: a server may be writing
 * them. `at rest`: nobody has them open, perhaps because nobody may write where they are.
 */
export async function copyRecords(
  source: string,
  target: string,
  state: "in use" | "at rest",
): Promise<void> {
  makeFoldersForOwner(dirname(target));
  const temporary = `${target}.part`;
  await rm(temporary, { force: true });
  // A backup that was served has a log beside it; without one, the file is all there is.
  if (state === "in use" || hasLog(source)) copySqlite(source, temporary);
  else await copyFile(source, temporary);
  give(temporary, ownerToBe(target));
  await syncPath(temporary);
  // The log of an older file of that name would be taken for this one's.
  for (const ending of ["-wal", "-shm"]) await rm(`${target}${ending}`, { force: true });
  await rename(temporary, target);
  await syncPath(dirname(target));
}

function hasLog(path: string): boolean {
  return existsSync(`${path}-wal`) && statSync(`${path}-wal`).size > 0;
}

async function syncPath(path: string): Promise<void> {
  const file = await open(path, "r");
  try {
    await file.sync();
  } finally {
    await file.close();
  }
}
