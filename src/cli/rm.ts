import type { Command } from "commander";
import { confirm } from "./confirm.ts";
import { type Exit, runRegistryCommand, withConfigOption } from "./registry-command.ts";

interface RemoveOptions {
  readonly config?: string;
  readonly yes: boolean;
  readonly dryRun: boolean;
}

/** `berth rm REPO[:TAG|@DIGEST]…` */
export function addRemoveCommand(program: Command, exit: Exit): void {
  withConfigOption(
    program
      .command("rm")
      .description(
        "delete tags, manifests and repositories: shows what goes, what else loses its name and " +
          "how many bytes return when, then asks",
      )
      .argument("<name...>", "REPO, REPO:TAG or REPO@DIGEST; REPO:TAG@DIGEST only if it is that")
      .option("-y, --yes", "do not ask", false)
      .option("--dry-run", "only show what would go", false),
  ).action(async (targets: string[], options: RemoveOptions) => {
    exit.code = await runRemove(targets, options);
  });
}

async function runRemove(
  targets: readonly string[],
  { config, yes, dryRun }: RemoveOptions,
): Promise<number> {
  if (dryRun || !yes) {
    const code = await runRegistryCommand("rm preview", { targets, config });
    if (code !== 0 || dryRun) return code;
    if (!(await confirm("Delete this?", process))) return 1;
  }
  return runRegistryCommand("rm", { targets, config });
}
