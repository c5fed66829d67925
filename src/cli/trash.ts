import type { Command } from "commander";
import { confirm } from "./confirm.ts";
import { type Exit, runRegistryCommand, withConfigOption } from "./registry-command.ts";

interface Options {
  readonly config?: string;
}

/** `berth restore …` and `berth trash …` */
export function addUndoCommands(program: Command, exit: Exit): void {
  withForceOption(
    program
      .command("restore")
      .description(
        "take back the last move or deletion of a tag, the deletion of a manifest with its " +
          "tags, or of a whole repository",
      )
      .argument("<name>", "REPO:TAG, REPO:TAG@DIGEST, REPO@DIGEST or REPO"),
  ).action(async (name: string, options: Options & { force: boolean }) => {
    exit.code = await runRegistryCommand("restore", { name, ...options });
  });
  const trash = program
    .command("trash")
    .description("what was deleted and can still be taken back");
  addTrashList(trash, exit);
  addTrashRestore(trash, exit);
  addTrashPurge(trash, exit);
}

function withForceOption(command: Command): Command {
  return withConfigOption(
    command.option("--force", "move a tag also when it points to something else by now", false),
  );
}

function addTrashList(trash: Command, exit: Exit): void {
  withConfigOption(
    trash
      .command("ls")
      .description("what was deleted, by whom, and until when it can be taken back")
      .argument("[repository]"),
  ).action(async (repository: string | undefined, options: Options) => {
    exit.code = await runRegistryCommand("trash ls", { repository, ...options });
  });
}

function addTrashRestore(trash: Command, exit: Exit): void {
  withForceOption(
    trash
      .command("restore")
      .description("bring back one entry, or all that was deleted together")
      .argument("<entry>", "the number of an entry, or an operation; berth trash ls shows both"),
  ).action(async (entry: string, options: Options & { force: boolean }) => {
    exit.code = await runRegistryCommand("trash restore", { entry, ...options });
  });
}

interface PurgeOptions extends Options {
  readonly all: boolean;
  readonly yes: boolean;
}

function addTrashPurge(trash: Command, exit: Exit): void {
  withConfigOption(
    trash
      .command("purge")
      .description("forget entries before their time; what nothing else needs is then collected")
      .argument("[entry...]", "numbers of entries, or operations")
      .option("--all", "the whole trash", false)
      .option("-y, --yes", "do not ask", false),
  ).action(async (entries: string[], options: PurgeOptions) => {
    exit.code = await runPurge(entries, options);
  });
}

async function runPurge(
  entries: readonly string[],
  { config, all, yes }: PurgeOptions,
): Promise<number> {
  if (!all && entries.length === 0) throw new Error("say which entries, or --all");
  const values = { entries, all, config };
  if (!yes) {
    const code = await runRegistryCommand("trash purge preview", values);
    if (code !== 0) return code;
    if (!(await confirm("Forget this for good?", process))) return 1;
  }
  return runRegistryCommand("trash purge", values);
}
