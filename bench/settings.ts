/**
 * What a run of the benchmark was asked to do, and where it keeps its files. The command line
 * and the environment are read here and nowhere else in bench/.
 */
import { cpus } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";

export interface Settings {
  readonly root: string;
  /** Data sets, copies and built peers live here, outside the repository. */
  readonly workDirectory: string;
  /** A directory in memory, so that a disk does not hide the program. */
  readonly memoryDirectory: string;
  readonly only: readonly string[];
  readonly peers: readonly string[] | undefined;
  readonly rounds: number | undefined;
  readonly isQuick: boolean;
  /** How long one measurement of a request rate lasts. */
  readonly loadSeconds: number;
  readonly largeBlobBytes: number;
  readonly concurrentBlobBytes: number;
  /** The program that is Berth: its sources under this Bun, or the compiled executable. */
  readonly berthCommand: readonly string[];
  readonly isSaving: boolean;
}

/** The fixed sizes of the data set; a change of one needs a new data set. */
export const repositoryCount = 2_000;
export const imageCount = 12_000;
export const tagCount = 10_000;
export const smallBlobBytes = 60_000;
export const connectionCount = 32;

const usage = `npm run bench -- [options]
  --only NAME[,NAME]   only these works (see bench/README.md)
  --peers NAME[,NAME]  only these contestants: berth, distribution-3, distribution-2, nginx, dd, sha256
  --rounds N           rounds of every work, instead of 5 (quick works) or 3 (large ones)
  --seconds N          length of one measurement of a request rate (default 2)
  --quick              1 round, 1 s, blobs of 128 MiB: proves the rig, measures nothing
  --executable         Berth is dist/berth (npm run build), not its sources
  --no-save            print the table, write no file under bench/results`;

export function readSettings(): Settings {
  const { values } = parseArgs({
    options: {
      only: { type: "string" },
      peers: { type: "string" },
      rounds: { type: "string" },
      seconds: { type: "string" },
      quick: { type: "boolean", default: false },
      executable: { type: "boolean", default: false },
      "no-save": { type: "boolean", default: false },
      help: { type: "boolean", default: false },
    },
  });
  if (values.help) {
    console.log(usage);
    process.exit(0);
  }
  const root = join(import.meta.dir, "..");
  const isQuick = values.quick;
  return {
    root,
    // Not the system's temporary directory: that is in memory on many machines, and half of
    // what is measured here is a disk.
    workDirectory: process.env["BERTH_BENCH_DIR"] ?? "/var/tmp/berth-bench",
    memoryDirectory: process.env["BERTH_BENCH_MEMORY_DIR"] ?? "/dev/shm/berth-bench",
    only: list(values.only) ?? [],
    peers: list(values.peers),
    rounds: values.rounds === undefined ? undefined : positive("--rounds", values.rounds),
    isQuick,
    loadSeconds: values.seconds ? positive("--seconds", values.seconds) : isQuick ? 1 : 2,
    largeBlobBytes: isQuick ? 128 * 2 ** 20 : 2 ** 30,
    concurrentBlobBytes: 100_000_000,
    berthCommand: values.executable
      ? [join(root, "dist/berth")]
      : [process.execPath, join(root, "src/main.ts")],
    isSaving: !values["no-save"] && !isQuick,
  };
}

/**
 * The load generator keeps to the upper half of the cores (at least one); servers may use all
 * of them. The same for every contestant.
 */
export function clientCores(): readonly number[] {
  const count = cpus().length;
  const first = Math.floor(count / 2);
  return Array.from({ length: Math.max(1, count - first) }, (_, index) => first + index);
}

function list(text: string | undefined): readonly string[] | undefined {
  return text?.split(",").filter((part) => part !== "");
}

function positive(option: string, text: string): number {
  const value = Number(text);
  if (!Number.isInteger(value) || value < 1) throw new Error(`${option} is a whole number ≥ 1`);
  return value;
}
