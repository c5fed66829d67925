import type { Command } from "commander";
import type { CommandValues } from "../server/commands/command.ts";
import { runCommand } from "../server/run-command.ts";
import { loadConfigFile } from "./config-file.ts";
import { interruptSignal } from "./interrupt.ts";
import { printLine } from "./print-line.ts";
import { userName } from "./user-name.ts";
import { version } from "./version.ts";

/** Where a command leaves the exit code of the process. */
export interface Exit {
  code: number;
}

/** Adds the option that every command on a registry takes. */
export function withConfigOption(command: Command): Command {
  return command.option(
    "-c, --config <file>",
    "the server's configuration file; without it REGISTRY_CONFIGURATION_PATH, or the defaults",
  );
}

/** Runs a command on the registry that the configuration names, and prints what it says. */
export async function runRegistryCommand(
  name: string,
  values: CommandValues & { readonly config?: string | undefined },
): Promise<number> {
  const { config: path, ...rest } = values;
  return runCommand(loadConfigFile(path).loaded.config, {
    name,
    values: { ...rest, user: userName() },
    version,
    signal: interruptSignal(),
    print: printLine,
  });
}
