import type { Command } from "commander";
import { type Exit, runRegistryCommand, withConfigOption } from "./registry-command.ts";

/** `berth gc …` */
export function addGcCommands(program: Command, exit: Exit): void {
  const gc = program.command("gc").description("live garbage collection");
  withConfigOption(gc.command("run").description("one whole round of collection, now"))
    .option("-q, --quiet", "say only the result", false)
    .action(async (options: { config?: string; quiet: boolean }) => {
      exit.code = await runRegistryCommand("gc run", { ...options });
    });
  withConfigOption(
    gc.command("preview").description("what a round would do now, and bytes by repository"),
  ).action(async (options: { config?: string }) => {
    exit.code = await runRegistryCommand("gc preview", { ...options });
  });
  withConfigOption(
    gc.command("status").description("the last round, the trash, and what is frozen"),
  ).action(async (options: { config?: string }) => {
    exit.code = await runRegistryCommand("gc status", { ...options });
  });
  withConfigOption(
    gc
      .command("why")
      .description("what keeps a blob or manifest, or where it went; exit code 1 if it is gone")
      .argument("<digest>"),
  ).action(async (digest: string, options: { config?: string }) => {
    exit.code = await runRegistryCommand("gc why", { digest, ...options });
  });
}
