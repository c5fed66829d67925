/** Takes what room there is. */
import { appendFileSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { codeOf } from "../../src/base/errors.ts";

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

/** Calls `take` until the disk has no more to give. */
export function untilFull(take: () => void): void {
  try {
    for (;;) take();
  } catch (error) {
    if (codeOf(error) !== "ENOSPC") throw error;
  }
}
