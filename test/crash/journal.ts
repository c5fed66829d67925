import { closeSync, fdatasyncSync, openSync, rmSync, statSync, writeSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

/**
 * The log of what was acknowledged, on another filesystem than the registry's: a fault that
 * takes the registry's disk must not take the evidence.
 */
export class Journal {
  readonly path: string;
  readonly #file: number;

  constructor(name: string, dataFolder: string) {
    this.path = join(otherFolder(dataFolder), `berth-crash-${name}-${crypto.randomUUID()}.log`);
    this.#file = openSync(this.path, "ax");
  }

  /** Returns when the line is on the disk. */
  append(line: string): void {
    writeSync(this.#file, `${line}\n`);
    fdatasyncSync(this.#file);
  }

  /** Ends the log; with `isKept`, the file stays, for whoever looks for the cause. */
  close(isKept: boolean): void {
    closeSync(this.#file);
    if (!isKept) rmSync(this.path);
  }
}

/** A folder of another filesystem; where the machine has none, that of temporary files. */
function otherFolder(dataFolder: string): string {
  const { dev } = statSync(dataFolder);
  const folders = [tmpdir(), "/dev/shm", "/var/tmp"];
  const isElsewhere = (folder: string): boolean => {
    const found = statSync(folder, { throwIfNoEntry: false });
    return found !== undefined && found.dev !== dev;
  };
  return folders.find(isElsewhere) ?? tmpdir();
}
