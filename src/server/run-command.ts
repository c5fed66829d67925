import { existsSync, statSync } from "node:fs";
import { join, relative, resolve } from "node:path";
import { systemClock } from "../base/clock.ts";
import { replaceControls } from "../base/control-characters.ts";
import { codeOf } from "../base/errors.ts";
import { systemRandom } from "../base/random.ts";
import type { Config } from "../config/config.ts";
import { Collection } from "./collection.ts";
import { commandLogger } from "./command-logger.ts";
import {
  CommandArguments,
  type CommandParts,
  type CommandValues,
  type ExitCode,
} from "./commands/command.ts";
import { commands } from "./commands/commands.ts";
import { openHeldRegistry } from "./held-registry.ts";
import { RetentionRuns } from "./retention-runs.ts";
import { holdRoot } from "./root-owner.ts";

/** A command as it was typed. */
export interface CommandCall {
  readonly name: string;
  readonly values: CommandValues;
  readonly version: string;
  readonly signal: AbortSignal;
  readonly print: (line: string) => void;
}

/**
 * Runs a command where the registry is open: in its server when there is one, otherwise here.
 *
 * @throws {Error} with a sentence when it cannot be run.
 */
export async function runCommand(config: Config, asked: CommandCall): Promise<ExitCode> {
  // Names and programs of clients are in what commands say, and go to somebody's terminal.
  const call = { ...asked, print: (line: string) => asked.print(replaceControls(line)) };
  const { driver } = config.storage;
  if (driver.kind === "inmemory") {
    throw new Error("a registry in memory takes no commands: it is in no file and keeps nothing");
  }
  const rootFolder = resolve(driver.rootDirectory);
  try {
    const response = await callServer(controlPath(rootFolder), call);
    if (response !== undefined) return await readAnswer(response, call.print);
  } catch (error) {
    throw sentenceOf(error, call, controlPath(rootFolder));
  }
  return runHere(config, rootFolder, call);
}

/**
 * A folder that nobody has served or pushed to is not the one that was meant: a volume that is not
 * mounted, or the defaults. A backup of it would be empty, and its check clean.
 *
 * @throws {Error} with a sentence.
 */
export function requireRegistry({ storage: { driver } }: Config): void {
  if (driver.kind === "inmemory") return;
  const rootFolder = resolve(driver.rootDirectory);
  if (["docker", "berth"].some((name) => isThere(rootFolder, name))) return;
  throw new Error(
    `there is no registry in ${rootFolder}; name the configuration of the one that you mean ` +
      "(REGISTRY_CONFIGURATION_PATH works for every command)",
  );
}

/** @throws {Error} with a sentence when this user may not know: that is not the same as no. */
function isThere(rootFolder: string, name: string): boolean {
  try {
    return statSync(join(rootFolder, name), { throwIfNoEntry: false }) !== undefined;
  } catch (error) {
    if (codeOf(error) !== "EACCES") return false;
    throw new Error(notAllowed("look into", rootFolder), { cause: error });
  }
}

/** Where a server on that root listens for commands. */
export function controlPath(rootFolder: string): string {
  return join(rootFolder, "berth", "control.sock");
}

/** True when a server has the registry in that folder open. */
export async function isServed(rootFolder: string): Promise<boolean> {
  const path = controlPath(rootFolder);
  if (!isThere(rootFolder, relative(rootFolder, path))) return false;
  try {
    // Any answer will do, and it will be that the versions differ.
    await fetch("http://localhost/", { method: "POST", unix: path, body: "{}" });
    return true;
  } catch (error) {
    return !isRefused(error);
  }
}

/** Undefined when nobody listens. */
async function callServer(path: string, call: CommandCall): Promise<Response | undefined> {
  if (!existsSync(path)) return undefined;
  try {
    return await fetch(`http://localhost/${encodeURIComponent(call.name)}`, {
      method: "POST",
      unix: path,
      body: JSON.stringify({ version: call.version, values: call.values }),
      signal: call.signal,
      // A collection may say nothing for a long time.
      timeout: false,
    });
  } catch (error) {
    if (isRefused(error)) return undefined;
    throw error;
  }
}

/** What to tell a person whose command has failed on its way; what it said itself stays. */
function sentenceOf(error: unknown, { name, signal }: CommandCall, path: string): unknown {
  if (signal.aborted) return new Error(`interrupted: the server ends ${name} as soon as it can`);
  const code = codeOf(error);
  // It took the call: the answer begins with the command's first line.
  if (code === "ECONNRESET") return new Error(wentAway);
  if (code === "EACCES" || code === "EPERM") return new Error(notAllowed("write to", path));
  return code === "" ? error : new Error("the server does not answer", { cause: error });
}

/** The file is there but no process has it open: a server was killed. */
function isRefused(error: unknown): boolean {
  return ["ECONNREFUSED", "ConnectionRefused", "FailedToOpenSocket", "ENOENT"].includes(
    codeOf(error),
  );
}

const wentAway =
  "the server went away before the command ended: it was stopped (http.draintimeout) or killed";

function notAllowed(verb: "look into" | "write to", path: string): string {
  return `this user may not ${verb} ${path}: run the command as the user that the server runs as, or as root`;
}

async function readAnswer(response: Response, print: (line: string) => void): Promise<ExitCode> {
  for await (const line of linesOf(response)) {
    const exit = takeLine(line, print);
    if (exit !== undefined) return exit;
  }
  throw new Error(wentAway);
}

async function* linesOf(response: Response): AsyncGenerator<string> {
  let rest = "";
  const decoder = new TextDecoder();
  const pieces = (response.body ?? new ReadableStream<Uint8Array>()).getReader();
  for (;;) {
    // A connection that breaks is an end too: what matters is that the last line has not come.
    const { done, value } = await pieces.read().catch(() => ({ done: true, value: undefined }));
    if (done) return;
    const lines = (rest + decoder.decode(value, { stream: true })).split("\n");
    rest = lines.pop() ?? "";
    yield* lines;
  }
}

/** The exit code, when the line is the last one. */
function takeLine(text: string, print: (line: string) => void): ExitCode | undefined {
  const value: unknown = JSON.parse(text);
  const { line, exit, error }: { line?: unknown; exit?: unknown; error?: unknown } =
    typeof value === "object" && value !== null ? value : {};
  if (typeof error === "string") throw new Error(replaceControls(error));
  if (typeof line === "string") print(line);
  if (exit === undefined) return undefined;
  return exit === 0 ? 0 : 1;
}

/** No server: this process has the registry to itself. */
async function runHere(config: Config, rootFolder: string, call: CommandCall): Promise<ExitCode> {
  const command = commands.get(call.name);
  if (command === undefined) throw new Error(`there is no command ${call.name}`);
  requireRegistry(config);
  const logger = commandLogger("warn");
  const basics = { clock: systemClock, random: systemRandom, logger };
  const root = holdRoot(rootFolder, basics);
  const opened = await openHeldRegistry(config, basics);
  const parts: CommandParts = {
    ...basics,
    config,
    opened,
    collection: new Collection({ ...basics, context: opened.context, config: config.gc }),
    retention: new RetentionRuns({ ...basics, opened, config: config.retention }),
    isServing: false,
    signal: call.signal,
    print: call.print,
    adopted: () => opened.registry.adoption.run(call.signal),
  };
  try {
    return await command(parts, new CommandArguments(call.values));
  } finally {
    await opened.close();
    root.release();
    logger.flush();
  }
}
