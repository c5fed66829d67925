/** Programs that the system tests run: commands that end, and daemons that are ended. */
import { closeSync, openSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { forgetGroup, rememberGroup, temporaryFolder } from "./run-folder.ts";

export interface CommandOptions {
  readonly env?: Readonly<Record<string, string>>;
  readonly cwd?: string;
  readonly stdin?: string;
  readonly timeoutMs?: number;
}

export interface CommandResult {
  readonly exitCode: number;
  readonly stdout: string;
  /** Both streams, for messages and for looking a phrase up. */
  readonly output: string;
}

/** Runs a program to its end and says how it ended; a program that hangs is ended. */
export async function tryRun(
  command: readonly string[],
  options: CommandOptions = {},
): Promise<CommandResult> {
  const child = Bun.spawn([...command], {
    env: { ...process.env, ...options.env },
    ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
    stdin: options.stdin === undefined ? "ignore" : new TextEncoder().encode(options.stdin),
    stdout: "pipe",
    stderr: "pipe",
    timeout: options.timeoutMs ?? 180_000,
    killSignal: "SIGKILL",
  });
  const [stdout, stderr] = await Promise.all([child.stdout.text(), child.stderr.text()]);
  await child.exited;
  const exitCode = child.exitCode ?? 128;
  const ending = child.signalCode === null ? "" : `\n(ended by ${child.signalCode})`;
  return { exitCode, stdout, output: `${stdout}${stderr}${ending}` };
}

/** Runs a program that must succeed and returns what it wrote to stdout, trimmed. */
export async function run(
  command: readonly string[],
  options: CommandOptions = {},
): Promise<string> {
  const result = await tryRun(command, options);
  if (result.exitCode !== 0) {
    const line = command.map((word) => (word.length > 200 ? `${word.slice(0, 200)}…` : word));
    const end = result.output.trim().slice(-4_000);
    throw new Error(`exit code ${result.exitCode} of: ${line.join(" ")}\n${end}`);
  }
  return result.stdout.trim();
}

export interface Daemon {
  readonly pid: number;
  log(): string;
  stop(): Promise<void>;
}

export interface DaemonOptions {
  readonly name: string;
  readonly command: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  readonly isReady: () => Promise<boolean>;
  readonly readyTimeoutMs?: number;
}

/**
 * Starts a program that stays, in a process group of its own, and resolves when it is ready.
 *
 * @throws when it ends before it is ready, or is not ready in time, with its log.
 */
export async function startDaemon(options: DaemonOptions): Promise<Daemon> {
  const logPath = join(temporaryFolder(options.name), "log");
  const logFile = openSync(logPath, "w");
  const child = Bun.spawn(["setsid", ...options.command], {
    env: { ...process.env, ...options.env },
    stdin: "ignore",
    stdout: logFile,
    stderr: logFile,
  });
  closeSync(logFile);
  rememberGroup(child.pid);

  const daemon: Daemon = {
    pid: child.pid,
    log: () => readFileSync(logPath, "utf8"),
    stop: async () => {
      child.kill("SIGTERM");
      const isOver = await Promise.race([
        child.exited.then(() => true),
        Bun.sleep(10_000).then(() => false),
      ]);
      // What the daemon started and left behind is in its group.
      endGroup(child.pid);
      if (!isOver) await child.exited;
      forgetGroup(child.pid);
    },
  };

  const endsAt = performance.now() + (options.readyTimeoutMs ?? 30_000);
  while (!(await options.isReady())) {
    const hasEnded = child.exitCode !== null || child.signalCode !== null;
    if (hasEnded || performance.now() > endsAt) {
      const log = daemon.log().slice(-4_000);
      await daemon.stop();
      throw new Error(`${options.name} ${hasEnded ? "ended at once" : "is not ready"}:\n${log}`);
    }
    await Bun.sleep(25);
  }
  return daemon;
}

function endGroup(groupId: number): void {
  try {
    process.kill(-groupId, "SIGKILL");
  } catch {
    // No process of the group is left: the usual case.
  }
}

/** A TCP port of the loopback interface that is free now. */
export function freePort(): number {
  const listener = Bun.listen({ hostname: "127.0.0.1", port: 0, socket: { data() {} } });
  const { port } = listener;
  listener.stop(true);
  return port;
}
