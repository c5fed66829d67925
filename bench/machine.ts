/** The machine that the figures are true of. */
import { cpus, loadavg, release, totalmem } from "node:os";
import { findProgram, run } from "./process.ts";
import type { Settings } from "./settings.ts";

export interface Machine {
  readonly cores: number;
  readonly processor: string;
  readonly kernel: string;
  readonly memoryGb: number;
  readonly dataFilesystem: string;
  readonly memoryFilesystem: string;
  /** Before the run: more than a little means that somebody else was working here too. */
  readonly loadAverage: number;
  readonly tools: readonly string[];
}

export async function describeMachine(settings: Settings): Promise<Machine> {
  const [first] = cpus();
  return {
    cores: cpus().length,
    processor: first?.model ?? "unknown",
    kernel: release(),
    memoryGb: Math.round(totalmem() / 2 ** 30),
    dataFilesystem: await filesystemOf(settings.workDirectory),
    memoryFilesystem: await filesystemOf(settings.memoryDirectory),
    loadAverage: loadavg()[0] ?? 0,
    tools: [
      firstLine((await run(["curl", "--version"])).split(" libcurl")[0]),
      // wrk prints its version with its usage, and ends with 1.
      firstLine(Bun.spawnSync(["wrk", "-v"]).stdout.toString().split(" [")[0]),
    ],
  };
}

/** The programs without which nothing can be measured, as Debian names their packages. */
export function missingTools(): readonly string[] {
  const packages = {
    wrk: "wrk",
    curl: "curl",
    taskset: "util-linux",
    findmnt: "util-linux",
    dd: "coreutils",
  };
  return Object.entries(packages).flatMap(([program, name]) =>
    findProgram(program) === undefined ? [name] : [],
  );
}

async function filesystemOf(directory: string): Promise<string> {
  // Mounts may be stacked; the last one is what a file gets.
  const types = (await run(["findmnt", "-n", "-o", "FSTYPE", "-T", directory])).trim();
  return types.split("\n").at(-1) ?? types;
}

function firstLine(text: string | undefined): string {
  return text?.split("\n")[0]?.trim() ?? "";
}
