import type { Command } from "commander";
import { type Exit, runRegistryCommand, withConfigOption } from "./registry-command.ts";

/** `berth retention …` */
export function addRetentionCommands(program: Command, exit: Exit): void {
  const retention = program.command("retention").description("rules that delete tags");
  const repositoryHelp = "without it, all";
  withConfigOption(
    retention
      .command("preview")
      .description("what a run would do now: every tag, and the rule that decides it")
      .argument("[repository]", repositoryHelp),
  ).action(async (repository: string | undefined, options: { config?: string }) => {
    exit.code = await runRegistryCommand("retention preview", { repository, ...options });
  });
  withConfigOption(
    retention
      .command("run")
      .description("carry the rules out now")
      .argument("[repository]", repositoryHelp),
  ).action(async (repository: string | undefined, options: { config?: string }) => {
    exit.code = await runRegistryCommand("retention run", { repository, ...options });
  });
}
