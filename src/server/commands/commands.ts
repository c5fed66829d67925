import { backup } from "./backup.ts";
import type { Command } from "./command.ts";
import { fsckCommand } from "./fsck.ts";
import { gcPreview, gcRun, gcStatus } from "./gc.ts";
import { gcWhy } from "./gc-why.ts";
import { retentionPreview, retentionRun } from "./retention.ts";
import { scrub, scrubStatus } from "./scrub.ts";
import { tagHistory } from "./tag-history.ts";

/** Every command by its name, as it is typed behind `berth`. */
export const commands: ReadonlyMap<string, Command> = new Map<string, Command>([
  ["gc run", gcRun],
  ["gc preview", gcPreview],
  ["gc status", gcStatus],
  ["gc why", gcWhy],
  ["retention preview", retentionPreview],
  ["retention run", retentionRun],
  ["tag history", tagHistory],
  ["backup", backup],
  ["fsck", fsckCommand],
  ["scrub", scrub],
  ["scrub status", scrubStatus],
]);
