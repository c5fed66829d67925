import { backUp } from "../backup/backup.ts";
import { namesText, newCounts, progressText } from "../backup/copy-repository.ts";
import type { CommandArguments, CommandParts, ExitCode } from "./command.ts";
import { whenAdopted, withProgress } from "./progress.ts";
import { rateIn } from "./rate.ts";
import { sizeText } from "./text.ts";

/** `berth backup DIR [--full-copy] [--rate N]` */
export async function backup(parts: CommandParts, args: CommandArguments): Promise<ExitCode> {
  const { print, config, signal } = parts;
  await whenAdopted(parts);
  const targetFolder = args.text("folder");
  const counts = newCounts();
  const options = {
    ...{ targetFolder, counts },
    isFullCopy: args.flag("fullCopy"),
    bytesPerSecond: rateIn(args),
  };
  const text = (): string => progressText(counts);
  const result = await withProgress(backUp(parts, options), { print, text });
  signal.throwIfAborted();
  const { blobs } = result;
  print(`${targetFolder}: ${namesText(result)}`);
  print(
    `${blobs} blobs: ${result.copiedBlobs} copied (${sizeText(result.copiedBytes)}), ` +
      `${result.linkedBlobs} linked, ${result.removedBlobs} removed; the others were there`,
  );
  if (result.linkedBlobs > 0) {
    print("linked blobs share their bytes with the registry: copy the folder to another disk");
  }
  if (config.database.kind === "postgresql") {
    print("the records are in PostgreSQL: pg_dump --schema=berth --format=custom --file=FILE URL");
  }
  if (result.broken > 0) {
    const are = result.broken === 1 ? "1 blob is" : `${result.broken} blobs are`;
    print(`${are} broken at the source: see berth fsck`);
  }
  return result.broken === 0 ? 0 : 1;
}
