import { Command, CommanderError, InvalidArgumentError } from "commander";
import { costMax, costMin, defaultCost } from "../auth/htpasswd-file.ts";
import { systemClock } from "../base/clock.ts";
import { reasonsOf } from "../base/errors.ts";
import { systemRandom } from "../base/random.ts";
import { ConfigError } from "../config/config-error.ts";
import type { LoadConfigOptions } from "../config/load.ts";
import { addBackupCommands } from "./backup.ts";
import { initCertificates } from "./cert.ts";
import { checkConfig, type Outcome, showConfig } from "./config.ts";
import { configFileName, readConfigFile } from "./config-file.ts";
import { addFsckCommand } from "./fsck.ts";
import { type GarbageCollectOptions, runGarbageCollect } from "./garbage-collect.ts";
import { addGcCommands } from "./gc.ts";
import { addHealthCommand } from "./health.ts";
import { addUser, removeUser, verifyUser } from "./htpasswd.ts";
import { runMetadataVerify } from "./metadata.ts";
import { allowClosedOutput } from "./print-line.ts";
import { type Exit, runRegistryCommand } from "./registry-command.ts";
import { addRetentionCommands } from "./retention.ts";
import { addRemoveCommand } from "./rm.ts";
import { addScrubCommands } from "./scrub.ts";
import { runServe } from "./serve.ts";
import { addTagCommands } from "./tag.ts";
import { addUndoCommands } from "./trash.ts";
import { version } from "./version.ts";

/**
 * The command line: one file a command, put together here. It reads arguments, the environment
 * and files, calls `server/` or one of the rooms of its own, and prints for people.
 *
 * @returns the exit code of the process.
 */
export async function runCommandLine(args: readonly string[]): Promise<number> {
  const exit: Exit = { code: 0 };
  const program = createProgram(exit);
  allowClosedOutput();
  try {
    await program.parseAsync([...withPlainFlags(withImplicitServe(args))], { from: "user" });
  } catch (error) {
    // Commander has printed its own errors; help and version come this way too, with code 0.
    if (error instanceof CommanderError) return error.exitCode;
    process.stderr.write(`${describe(error)}\n`);
    return 1;
  }
  return exit.code;
}

/** All commands, for running and for the reference document. */
export function createProgram(exit: Exit): Command {
  const program = new Command("berth")
    .description("A container registry: one program, a drop-in for registry:2, faster.")
    .version(`berth ${version}`, "-v, --version", "print the version")
    .exitOverride()
    .showHelpAfterError();
  program
    .command("serve")
    .description("serve the registry; also what a bare config.yml as the only argument does")
    .argument("[config]", configHelp)
    .action(async (path: string | undefined) => {
      exit.code = await runServe(path);
    });
  program
    .command("garbage-collect")
    .description(
      "remove blobs that no manifest names, as Distribution does; beside a running registry as " +
        "one round of live collection",
    )
    .argument("[config]", configHelp)
    .option("-d, --dry-run", "only say what would go", false)
    .option("-m, --delete-untagged", "also remove manifests that no tag leads to", false)
    .option("-q, --quiet", "say only the result", false)
    .action(async (path: string | undefined, options: GarbageCollectOptions) => {
      exit.code = await runGarbageCollect(path, options);
    });
  addHealthCommand(program, exit);
  addGcCommands(program, exit);
  addRemoveCommand(program, exit);
  addUndoCommands(program, exit);
  addTagCommands(program, exit);
  addRetentionCommands(program, exit);
  addScrubCommands(program, exit);
  addFsckCommand(program, exit);
  addBackupCommands(program, exit);
  addConfigCommands(program, exit);
  addMetadataCommands(program, exit);
  addHtpasswdCommands(program, exit);
  addCertCommand(program, exit);
  return program;
}

const configHelp = "configuration file; without it REGISTRY_CONFIGURATION_PATH, or the defaults";

function addConfigCommands(program: Command, exit: Exit): void {
  const config = program.command("config").description("look at a configuration");
  const print = (outcome: Outcome): void => {
    process.stdout.write(`${outcome.lines.join("\n")}\n`);
    exit.code = outcome.exitCode;
  };
  config
    .command("check")
    .description(
      "say everything that is wrong with a configuration, its certificates, password file and keys; exit code 1 if it cannot start",
    )
    .argument("[config]", configHelp)
    .action(async (path: string | undefined) => print(await checkConfig(configInput(path))));
  config
    .command("show")
    .description("print every value that counts and where it came from, secrets hidden")
    .argument("[config]", configHelp)
    .action((path: string | undefined) => print(showConfig(configInput(path))));
}

function configInput(path: string | undefined): LoadConfigOptions {
  const environment = process.env;
  const fileName = configFileName(path);
  if (fileName === undefined) return { environment };
  return { environment, fileName, text: readConfigFile(fileName) };
}

function addMetadataCommands(program: Command, exit: Exit): void {
  const metadata = program.command("metadata").description("the metadata derived from the storage");
  metadata
    .command("rebuild")
    .description("make the metadata again from the storage; a server may be running")
    .argument("[config]", configHelp)
    .action(async (path: string | undefined) => {
      exit.code = await runRegistryCommand("metadata rebuild", { config: path });
    });
  metadata
    .command("verify")
    .description("compare the metadata with the storage; exit code 1 when they differ")
    .argument("[config]", configHelp)
    .action(async (path: string | undefined) => {
      exit.code = await runMetadataVerify(path);
    });
}

function addHtpasswdCommands(program: Command, exit: Exit): void {
  const htpasswd = program.command("htpasswd").description("users of a htpasswd file");
  htpasswd
    .command("add")
    .description("add a user or change the password, which is asked for or read from a pipe")
    .argument("<file>")
    .argument("<user>")
    .option(
      "--cost <number>",
      `bcrypt cost, from ${costMin} to ${costMax}; each step doubles what a login takes`,
      wholeNumber,
      defaultCost,
    )
    .action(async (path: string, user: string, options: { cost?: number }) => {
      exit.code = await addUser({ path, user, random: systemRandom, ...options }, process);
    });
  htpasswd
    .command("rm")
    .description("remove a user")
    .argument("<file>")
    .argument("<user>")
    .action(async (path: string, user: string) => {
      exit.code = await removeUser({ path, user, random: systemRandom }, process);
    });
  htpasswd
    .command("verify")
    .description("say whether a password is right; exit code 1 when it is not")
    .argument("<file>")
    .argument("<user>")
    .action(async (path: string, user: string) => {
      exit.code = await verifyUser({ path, user }, process);
    });
}

function addCertCommand(program: Command, exit: Exit): void {
  const cert = program.command("cert").description("certificates for closed networks");
  cert
    .command("init")
    .description("make a CA and a certificate for these hosts, and say where clients want the CA")
    .argument("<host...>", "names and addresses, each with :PORT if it is not --port")
    .option("--folder <path>", "where the files go", "certs")
    .option("--port <number>", "port of the registry", wholeNumber, 5000)
    .option("--force", "replace the certificate that is there", false)
    .action(async (hosts: string[], options: { folder: string; port: number; force: boolean }) => {
      const parts = { clock: systemClock, random: systemRandom };
      exit.code = await initCertificates({ hosts, ...options, ...parts }, process);
    });
}

function wholeNumber(text: string): number {
  if (!/^\d{1,9}$/.test(text)) throw new InvalidArgumentError("It is not a whole number.");
  return Number(text);
}

/** The official image takes a bare `config.yml` as its command, and so do people's scripts. */
function withImplicitServe(args: readonly string[]): readonly string[] {
  const [first] = args;
  if (first === undefined) return ["help"];
  return /\.ya?ml$/.test(first) ? ["serve", ...args] : args;
}

/** Distribution's flags take a value (`--delete-untagged=true`), and people's scripts give it. */
function withPlainFlags(args: readonly string[]): readonly string[] {
  if (args[0] !== "garbage-collect") return args;
  return args.flatMap((arg) => {
    const match = /^(--?[a-z-]+)=(?:(true|t|1)|false|f|0)$/i.exec(arg);
    if (match === null) return [arg];
    return match[2] === undefined ? [] : [match[1] ?? arg];
  });
}

function describe(error: unknown): string {
  // One line a problem, each with the file that it is in.
  if (error instanceof ConfigError) return error.message.replace(/^/gm, "error: ");
  return `berth: ${reasonsOf(error)}`;
}
