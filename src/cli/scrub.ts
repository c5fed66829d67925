import type { Command } from "commander";
import { type Exit, runRegistryCommand, withConfigOption } from "./registry-command.ts";

interface ScrubOptions {
  readonly config?: string;
  readonly fullSpeed: boolean;
  readonly rate?: string;
  readonly continue: boolean;
}

/** `berth scrub …` */
export function addScrubCommands(program: Command, exit: Exit): void {
  const scrub = withConfigOption(
    program
      .command("scrub")
      .description(
        "hash every stored blob again and move damaged ones aside, so that the next push heals " +
          "them; exit code 1 when there was one",
      )
      .option("--full-speed", "as fast as the disk and one processor go", false)
      .option("--rate <megabytes>", "megabytes a second; without it scrub.rate")
      .option("--continue", "go on where the last round was interrupted", false),
  ).action(async (options: ScrubOptions) => {
    exit.code = await runRegistryCommand("scrub", { ...options });
  });
  withConfigOption(
    scrub.command("status").description("how far the last round is, and what is in quarantine"),
  ).action(async (_: unknown, command: Command) => {
    // An option that both have is taken by the outer one, wherever it stands.
    const { config } = command.optsWithGlobals<{ config?: string }>();
    exit.code = await runRegistryCommand("scrub status", { config });
  });
}
