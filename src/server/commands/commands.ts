import { backup } from "./backup.ts";
import type { Command } from "./command.ts";
import { fsckCommand } from "./fsck.ts";
import { garbageCollect } from "./garbage-collect.ts";
import { gcPreview, gcRun, gcStatus } from "./gc.ts";
import { gcWhy } from "./gc-why.ts";
import { sayHealth } from "./health.ts";
import { rebuildMetadata } from "./rebuild-metadata.ts";
import { previewRemoval, remove } from "./remove.ts";
import { restore } from "./restore.ts";
import { retentionPreview, retentionRun } from "./retention.ts";
import { scrub, scrubStatus } from "./scrub.ts";
import { tagHistory } from "./tag-history.ts";
import { listTrash, previewPurge, purgeTrash, restoreTrash } from "./trash.ts";

/**
 * Every command by its name, as it is typed behind `berth`; a preview is asked for by the
 * command line before it asks the person.
 */
export const commands: ReadonlyMap<string, Command> = new Map<string, Command>([
  ["garbage-collect", garbageCollect],
  ["gc run", gcRun],
  ["gc preview", gcPreview],
  ["gc status", gcStatus],
  ["gc why", gcWhy],
  ["health", sayHealth],
  ["retention preview", retentionPreview],
  ["retention run", retentionRun],
  ["restore", restore],
  ["metadata rebuild", rebuildMetadata],
  ["rm", remove],
  ["rm preview", previewRemoval],
  ["tag history", tagHistory],
  ["backup", backup],
  ["fsck", fsckCommand],
  ["scrub", scrub],
  ["scrub status", scrubStatus],
  ["trash ls", listTrash],
  ["trash purge", purgeTrash],
  ["trash purge preview", previewPurge],
  ["trash restore", restoreTrash],
]);
