/** Takes what room there is. */
import { appendFileSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";

/** Leaves no byte. */
export function fillWithBytes(path: string): void {
  for (let sizeBytes = 1 << 20; sizeBytes >= 1; sizeBytes >>= 1) {
    untilFull(() => appendFileSync(path, new Uint8Array(sizeBytes)));
  }
}

/** Leaves no inode. */
export function fillWithNames(folder: string): void {
  mkdirSync(folder, { recursive: true });
  untilFull(() => writeFileSync(join(folder, crypto.randomUUID()), ""));
}

function untilFull(write: () => void): void {
  try {
    for (;;) write();
  } catch (error) {
    if (!(error instanceof Error && "code" in error && error.code === "ENOSPC")) throw error;
  }
}
