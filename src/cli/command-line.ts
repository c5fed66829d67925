import { Command, CommanderError } from "commander";
import { serveCommand } from "./serve.ts";
import { version } from "./version.ts";

/**
 * The command line: one file a command. It reads arguments, the environment and files, calls
 * `server/` or one of the rooms of its own, and prints for people.
 *
 * @returns the exit code of the process.
 */
export async function runCommandLine(args: readonly string[]): Promise<number> {
  const program = new Command("berth")
    .description("A container registry: one program, a drop-in for registry:2, faster.")
    .version(`berth ${version}`, "-v, --version", "print the version")
    .helpCommand(true)
    .exitOverride()
    .showHelpAfterError();
  program.addCommand(serveCommand());
  try {
    await program.parseAsync([...withImplicitServe(args)], { from: "user" });
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode;
    process.stderr.write(`berth: ${error instanceof Error ? error.message : String(error)}\n`);
    return 1;
  }
  return Number(process.exitCode ?? 0);
}

/** The official image takes a bare `config.yml` as its command, and so do people's scripts. */
function withImplicitServe(args: readonly string[]): readonly string[] {
  const [first] = args;
  return first !== undefined && /\.ya?ml$/.test(first) ? ["serve", ...args] : args;
}
