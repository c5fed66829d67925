import { resolve } from "node:path";
import type { Command } from "commander";
import { isServed } from "../server/run-command.ts";
import { loadConfigFile } from "./config-file.ts";
import { printLine } from "./print-line.ts";
import { type Exit, runRegistryCommand, withConfigOption } from "./registry-command.ts";

/** `berth health`: for a container's health check, in an image that has no shell. */
export function addHealthCommand(program: Command, exit: Exit): void {
  withConfigOption(
    program
      .command("health")
      .description(
        "whether the running registry is well; exit code 1 if it is not, or not running",
      ),
  ).action(async (options: { config?: string }) => {
    exit.code = await runHealth(options);
  });
}

async function runHealth(options: { readonly config?: string }): Promise<number> {
  const { driver } = loadConfigFile(options.config).loaded.config.storage;
  // Asked first: without a server a command would open the registry, and hold up one that starts.
  if (driver.kind === "filesystem" && !(await isServed(resolve(driver.rootDirectory)))) {
    printLine(`no registry is served in ${resolve(driver.rootDirectory)}`);
    return 1;
  }
  return runRegistryCommand("health", options);
}
