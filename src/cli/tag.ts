import type { Command } from "commander";
import { type Exit, runRegistryCommand, withConfigOption } from "./registry-command.ts";

/** `berth tag …` */
export function addTagCommands(program: Command, exit: Exit): void {
  const tag = program.command("tag").description("look at tags");
  withConfigOption(
    tag
      .command("history")
      .description("every move of a tag: when, from which digest to which, by whom, from where")
      .argument("<repository>")
      .argument("<tag>"),
  ).action(async (repository: string, name: string, options: { config?: string }) => {
    exit.code = await runRegistryCommand("tag history", { repository, tag: name, ...options });
  });
}
