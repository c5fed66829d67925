import { concatBytes } from "../../base/bytes.ts";
import type { ReadableFile } from "./file-system.ts";

/** Pieces in which stored bytes are read: large enough that a system call costs nothing. */
export const readSizeBytes = 1 << 20;

/**
 * All of a file's bytes. `expectedBytes` only saves a call: since it was asked for, another file
 * may have taken the name, which is longer or shorter.
 */
export async function readToEnd(
  file: ReadableFile,
  limits: {
    readonly expectedBytes: number;
    readonly sizeBytesMax: number;
    readonly key: string;
  },
): Promise<Uint8Array> {
  const pieces: Uint8Array[] = [];
  let position = 0;
  for (;;) {
    const leftBytes = limits.expectedBytes - position;
    // One more than there should be, so that a read of it all leaves room and tells the end.
    const roomBytes = leftBytes < 0 ? readSizeBytes : leftBytes + 1;
    const buffer = new Uint8Array(Math.min(roomBytes, readSizeBytes));
    const count = await file.read(buffer, position);
    position += count;
    if (position > limits.sizeBytesMax) throw tooLarge(limits.key);
    pieces.push(buffer.subarray(0, count));
    const isEnd = count === 0 || (leftBytes <= count && count < buffer.byteLength);
    if (isEnd) return concatBytes(pieces);
  }
}

export function tooLarge(key: string): Error {
  return new Error(`${key} is too large to read whole`);
}
