import { resolve } from "node:path";
import type { Command } from "commander";
import { namesText, newCounts, progressText } from "../server/backup/copy-repository.ts";
import { restoreBackup } from "../server/backup/restore.ts";
import { withProgress } from "../server/commands/progress.ts";
import { loadConfigFile } from "./config-file.ts";
import { interruptSignal } from "./interrupt.ts";
import { printLine } from "./print-line.ts";
import { type Exit, runRegistryCommand, withConfigOption } from "./registry-command.ts";

interface BackupOptions {
  readonly config?: string;
  readonly fullCopy: boolean;
  readonly rate?: string;
}

interface RestoreOptions {
  readonly config?: string;
  readonly incomplete: boolean;
}

/** `berth backup` and `berth restore-backup` */
export function addBackupCommands(program: Command, exit: Exit): void {
  withConfigOption(
    program
      .command("backup")
      .description(
        "copy a registry, which may be running, to a folder; what an earlier backup has there " +
          "is not copied again",
      )
      .argument("<folder>")
      .option("--full-copy", "copy the bytes also on the same disk, where links would do", false)
      .option("--rate <megabytes>", "copy so many megabytes a second, at most"),
  ).action(async (folder: string, options: BackupOptions) => {
    // The server that does it has a working directory of its own.
    exit.code = await runRegistryCommand("backup", { folder: resolve(folder), ...options });
  });
  withConfigOption(
    program
      .command("restore-backup")
      .description("make a registry from a backup, in the empty folder of the configuration")
      .argument("<folder>")
      .option("--incomplete", "also from a backup that was interrupted", false),
  ).action(async (folder: string, options: RestoreOptions) => {
    exit.code = await runRestore(folder, options);
  });
}

async function runRestore(folder: string, options: RestoreOptions): Promise<number> {
  const counts = newCounts();
  const restored = restoreBackup(loadConfigFile(options.config).loaded.config, {
    ...{ folder, counts },
    allowsIncomplete: options.incomplete,
    signal: interruptSignal(),
    print: printLine,
  });
  await withProgress(restored, { print: printLine, text: () => progressText(counts) });
  const { blobs } = counts;
  printLine(namesText(counts));
  printLine(`${blobs} blobs (${(counts.copiedBytes / 1e6).toFixed(1)} MB), each hashed on its way`);
  if (counts.broken > 0) printLine(`${counts.broken} blobs are missing or damaged in the backup`);
  return counts.broken === 0 ? 0 : 1;
}
