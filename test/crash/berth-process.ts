/** Berth from these sources as a process of its own, to be killed and started again. */
import { closeSync, existsSync, mkdirSync, openSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { stringify } from "yaml";
import { version } from "../../src/cli/version.ts";
import { loadConfig } from "../../src/config/load.ts";
import type { CommandValues } from "../../src/server/commands/command.ts";
import { runCommand } from "../../src/server/run-command.ts";
import { freePort } from "../support/processes.ts";
import { configuration, type RegistryConfig, registryCommand } from "../support/registry-server.ts";
import {
  forgetGroup,
  rememberGroup,
  removeFolder,
  temporaryFolder,
} from "../support/run-folder.ts";

export interface BerthOptions {
  readonly dataFolder: string;
  readonly config?: RegistryConfig;
}

/** How long a start took until it answered. */
export interface StartTime {
  readonly tookMs: number;
  /** Without what its main thread waited for a processor that others had: what it took by itself. */
  readonly ownMs: number;
}

const pollMs = 4;
const readyMsMax = 30_000;

export class BerthProcess {
  readonly dataFolder: string;
  readonly port = freePort();
  readonly origin = `http://127.0.0.1:${this.port}`;
  readonly #folder = temporaryFolder("berth");
  readonly #config: string;
  readonly #log: string;
  #child: Bun.Subprocess | undefined;

  constructor({ dataFolder, config = {} }: BerthOptions) {
    this.dataFolder = dataFolder;
    mkdirSync(dataFolder, { recursive: true });
    this.#log = join(this.#folder, "log");
    this.#config = join(this.#folder, "config.yml");
    const host = `127.0.0.1:${this.port}`;
    const quiet = { log: { level: "warn", accesslog: { disabled: true } }, ...config };
    writeFileSync(this.#config, stringify(configuration({ dataFolder, host, config: quiet })));
  }

  /** Starts the process and does not wait for it. */
  spawn(): void {
    if (this.#child !== undefined) throw new Error("it is running already");
    const log = openSync(this.#log, "a");
    const command = registryCommand("berth", ["serve", this.#config]);
    // A session of its own, so that the janitor of the run can end it as a group.
    this.#child = Bun.spawn(["setsid", ...command], { stdin: "ignore", stdout: log, stderr: log });
    closeSync(log);
    rememberGroup(this.#child.pid);
  }

  /**
   * Starts the process and waits until it answers.
   *
   * @throws when it ends before, with its log.
   */
  async start(): Promise<StartTime> {
    const startedAt = performance.now();
    this.spawn();
    for (;;) {
      const isReady = await fetch(`${this.origin}/v2/`, {
        signal: AbortSignal.timeout(5_000),
      }).then(
        ({ status }) => status === 200,
        () => false,
      );
      const tookMs = performance.now() - startedAt;
      if (isReady) return { tookMs, ownMs: tookMs - waitedMs(this.pid) };
      if (this.#child?.exitCode !== null || tookMs > readyMsMax) {
        throw new Error(`the registry did not start:\n${this.log().slice(-4_000)}`);
      }
      await Bun.sleep(pollMs);
    }
  }

  /** A command in the running server: its exit code and what it printed. */
  async command(
    name: string,
    values: CommandValues = {},
  ): Promise<{ readonly exit: number; readonly lines: readonly string[] }> {
    const { config } = loadConfig({ text: readFileSync(this.#config, "utf8"), environment: {} });
    const lines: string[] = [];
    const signal = AbortSignal.timeout(readyMsMax);
    const print = (line: string): void => void lines.push(line);
    return { exit: await runCommand(config, { name, values, version, signal, print }), lines };
  }

  get pid(): number {
    if (this.#child === undefined) throw new Error("it is not running");
    return this.#child.pid;
  }

  /** `kill -9`, and waits until the process is gone. */
  async kill(): Promise<void> {
    await this.#end("SIGKILL");
  }

  /** SIGTERM, and the exit code. */
  async stop(): Promise<number | null> {
    return this.#end("SIGTERM");
  }

  log(): string {
    return readFileSync(this.#log, "utf8");
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.kill();
    removeFolder(this.#folder);
  }

  async #end(signal: NodeJS.Signals): Promise<number | null> {
    const child = this.#child;
    if (child === undefined) return null;
    child.kill(signal);
    await child.exited;
    forgetGroup(child.pid);
    this.#child = undefined;
    return child.exitCode;
  }
}

/** How long the main thread of a process has been ready to run and was not; zero where nobody counts. */
function waitedMs(pid: number): number {
  const path = `/proc/${pid}/schedstat`;
  if (!existsSync(path)) return 0;
  const [, waitedNs = "0"] = readFileSync(path, "utf8").split(" ");
  return Number(waitedNs) / 1e6;
}
