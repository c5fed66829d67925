/** A registry that collects as quickly as no configuration allows, as a process of its own. */
import { closeSync, openSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { freePort } from "../support/processes.ts";
import { removeFolder, temporaryFolder } from "../support/run-folder.ts";

export interface CollectingOptions {
  readonly graceMs: number;
  readonly intervalMs: number;
}

const pollMs = 50;

interface ServerState {
  readonly rounds: number;
  /** In a row, without anything to do. */
  readonly idleRounds: number;
  readonly removedBlobs: number;
  readonly problem: string;
  /** Why the last round failed; empty when it did not. */
  readonly failure: string;
}

export class CollectingProcess implements AsyncDisposable {
  readonly #folder: string;
  readonly #options: CollectingOptions;
  readonly #port = freePort();
  readonly #controlPort = freePort();
  readonly #logFolder = temporaryFolder("collecting-server");
  readonly origin = `http://127.0.0.1:${this.#port}`;
  #child: Bun.Subprocess | undefined;
  removedBlobs = 0;

  constructor(folder: string, options: CollectingOptions) {
    this.#folder = folder;
    this.#options = options;
  }

  async start(): Promise<void> {
    const program = join(import.meta.dir, "collecting-server.ts");
    const { graceMs, intervalMs } = this.#options;
    const numbers = [this.#port, this.#controlPort, graceMs, intervalMs].map(String);
    const path = join(this.#logFolder, "log");
    const log = openSync(path, "a");
    this.#child = Bun.spawn([process.execPath, program, this.#folder, ...numbers], {
      stdio: ["ignore", log, log],
    });
    closeSync(log);
    while (!(await this.#answers())) {
      const { exitCode, signalCode } = this.#child;
      if (exitCode !== null || signalCode !== null) throw new Error(readFileSync(path, "utf8"));
      await Bun.sleep(10);
    }
  }

  async kill(): Promise<void> {
    this.#child?.kill("SIGKILL");
    await this.#child?.exited;
  }

  /** Does `work` while no thread of the server runs. */
  async whileStopped(work: () => void): Promise<void> {
    const child = this.#child;
    if (child === undefined) throw new Error("the server was not started");
    child.kill("SIGSTOP");
    try {
      const stat = `/proc/${child.pid}/stat`;
      while (!readFileSync(stat, "utf8").includes(") T ")) await Bun.sleep(1);
      work();
    } finally {
      child.kill("SIGCONT");
    }
  }

  /** Waits for so many rounds since the start. */
  async rounds(count: number, say: (line: string) => void): Promise<void> {
    let said = 0;
    for (;;) {
      const { rounds } = await this.state();
      if (rounds >= count) return;
      if (rounds >= said + 100) say(`${(said = rounds)} rounds`);
      await Bun.sleep(pollMs);
    }
  }

  /** Waits for so many rounds in a row that had nothing to do. */
  async quiet(count: number): Promise<void> {
    for (;;) {
      const { idleRounds, removedBlobs, problem } = await this.state();
      if (problem !== "") throw new Error(`collection has stopped: ${problem}`);
      this.removedBlobs = removedBlobs;
      if (idleRounds >= count) return;
      await Bun.sleep(pollMs);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.kill();
    removeFolder(this.#logFolder);
  }

  async #answers(): Promise<boolean> {
    return fetch(`${this.origin}/v2/`).then(
      ({ status }) => status === 200,
      () => false,
    );
  }

  async state(): Promise<ServerState> {
    const answer = await fetch(`http://127.0.0.1:${this.#controlPort}/`);
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- our own program's answer
    return (await answer.json()) as ServerState;
  }
}
