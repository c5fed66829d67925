import { runRegistryCommand } from "./registry-command.ts";

/** Distribution's options, by its names. */
export interface GarbageCollectOptions {
  readonly dryRun: boolean;
  readonly deleteUntagged: boolean;
  readonly quiet: boolean;
}

/** `berth garbage-collect [-d] [-m] [-q] config.yml` */
export function runGarbageCollect(
  path: string | undefined,
  options: GarbageCollectOptions,
): Promise<number> {
  return runRegistryCommand("garbage-collect", { ...options, config: path });
}
