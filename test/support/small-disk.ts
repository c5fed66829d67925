/** A disk of a few megabytes, or of a few files, in memory: to be filled by a test. */
import { spawnSync } from "node:child_process";
import { closeSync, mkdtempSync, openSync, rmSync, writeFileSync, writeSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { untilFull } from "./filler.ts";

export interface SmallDisk extends Disposable {
  readonly path: string;
  /** Takes all the room that is left. */
  fill(): void;
  /** Gives back what `fill` took. */
  free(): void;
}

/** What there is little of: bytes, or files. */
export type Scarcity = "bytes" | "inodes";

const mountOptions: Readonly<Record<Scarcity, string>> = {
  bytes: "size=4m",
  inodes: "size=16m,nr_inodes=300",
};

/** Why there are no small disks here, or undefined when there are. */
export const smallDiskSkipReason: string | undefined = findSkipReason();

export function mountSmallDisk(scarcity: Scarcity): SmallDisk {
  const path = mkdtempSync(join(tmpdir(), "berth-small-disk-"));
  mount(path, mountOptions[scarcity]);
  let fillers: string[] = [];
  const fill = scarcity === "bytes" ? fillBytes : fillInodes;
  return {
    path,
    fill: () => {
      fillers = fill(path);
    },
    free() {
      for (const filler of fillers) rmSync(filler);
      fillers = [];
    },
    [Symbol.dispose]() {
      // Lazily: a file that is still open must not leave the mount behind.
      spawnSync("umount", ["--lazy", path]);
      rmSync(path, { recursive: true, force: true });
    },
  };
}

function fillBytes(path: string): string[] {
  const filler = join(path, "filler");
  const file = openSync(filler, "w");
  const page = new Uint8Array(4096);
  try {
    untilFull(() => writeSync(file, page));
  } finally {
    closeSync(file);
  }
  return [filler];
}

function fillInodes(path: string): string[] {
  const fillers: string[] = [];
  untilFull(() => {
    const filler = join(path, `filler-${fillers.length}`);
    writeFileSync(filler, "");
    fillers.push(filler);
  });
  return fillers;
}

function mount(path: string, options: string): void {
  const { status, stderr } = spawnSync("mount", ["-t", "tmpfs", "-o", options, "tmpfs", path]);
  if (status === 0) return;
  rmSync(path, { recursive: true, force: true });
  throw new Error(`cannot mount a tmpfs: ${stderr === null ? "no mount" : stderr.toString()}`);
}

function findSkipReason(): string | undefined {
  if (process.getuid?.() !== 0) return "only root may mount a small disk";
  try {
    mountSmallDisk("bytes")[Symbol.dispose]();
    return undefined;
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}
