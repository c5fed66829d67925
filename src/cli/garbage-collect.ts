import { collectGarbage } from "../server/collect-command.ts";
import { loadConfigFile } from "./config-file.ts";

/** Distribution's options, by its names. */
export interface GarbageCollectOptions {
  readonly dryRun: boolean;
  readonly deleteUntagged: boolean;
  readonly quiet: boolean;
}

/** `berth garbage-collect [-d] [-m] [-q] config.yml` */
export async function runGarbageCollect(
  path: string | undefined,
  options: GarbageCollectOptions,
): Promise<void> {
  const print = (line: string): void => void process.stdout.write(`${line}\n`);
  const result = await collectGarbage(loadConfigFile(path).loaded.config, {
    isDryRun: options.dryRun,
    deletesUntagged: options.deleteUntagged,
    say: options.quiet ? () => undefined : print,
  });
  const verb = options.dryRun ? "would be removed" : "removed";
  print(
    `${result.markedBlobs} blobs marked; ${result.removedBlobs} blobs ` +
      `(${result.freedBytes} bytes) and ${result.removedManifests} manifests ${verb}`,
  );
}
