import { backup } from "./backup.ts";
import type { Command } from "./command.ts";
import { fsckCommand } from "./fsck.ts";
import { scrub, scrubStatus } from "./scrub.ts";
import { tagHistory } from "./tag-history.ts";

/** Every command by its name, as it is typed behind `berth`. */
export const commands: ReadonlyMap<string, Command> = new Map<string, Command>([
  ["tag history", tagHistory],
  ["backup", backup],
  ["fsck", fsckCommand],
  ["scrub", scrub],
  ["scrub status", scrubStatus],
]);
