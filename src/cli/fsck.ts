import type { Command } from "commander";
import { type Exit, runRegistryCommand, withConfigOption } from "./registry-command.ts";

interface FsckOptions {
  readonly config?: string;
  readonly repair: boolean;
  readonly deep: boolean;
}

/** `berth fsck` */
export function addFsckCommand(program: Command, exit: Exit): void {
  withConfigOption(
    program
      .command("fsck")
      .description(
        "compare tags, manifests, blobs and metadata; a server may be running; exit code 1 when " +
          "something that was pushed is broken",
      )
      .option("--repair", "mend what can be mended without loss", false)
      .option("--deep", "also hash every blob", false),
  ).action(async (options: FsckOptions) => {
    exit.code = await runRegistryCommand("fsck", { ...options });
  });
}
