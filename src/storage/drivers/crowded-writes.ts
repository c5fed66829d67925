import type { Clock } from "../../base/clock.ts";
import type { FileSystem, WritableFile } from "./file-system.ts";

/** Writes that other threads are given at a time: a push that is alone goes at its full speed. */
const handedOverMax = 1;
/** A write into the page cache takes less than a millisecond; one that takes this long waited. */
const slowMs = 50;
/** How long the disk is not waited for again, after that. */
const slowPeriodMs = 5_000;

/**
 * `files`, where the writes of a crowd are made at once, by the thread that has the bytes.
 *
 * A write that waits for another thread keeps its bytes in memory, and the runtime goes on
 * receiving meanwhile: up to three times 1.5 MB for each upload, whatever is read of it. While this
 * thread writes it receives nothing, and the clients wait instead of the bytes
 * (docs/internals/decisions/crowds-wait.md).
 *
 * It must not wait for a disk, though, for everybody else would too. A write is slow when the
 * kernel makes the writer wait for the disk; then the other threads write again for a while.
 *
 * `files` is a plain object, not one of a class: it is copied.
 */
export function crowdedWrites(files: FileSystem, clock: Clock): FileSystem {
  let handedOver = 0;
  let slowUntilMs = 0;

  const write = async (
    file: WritableFile,
    pieces: readonly Uint8Array[],
    position: number,
  ): Promise<void> => {
    const startedMs = clock.monotonicMs();
    if (handedOver >= handedOverMax && startedMs >= slowUntilMs && file.writeNow !== undefined) {
      file.writeNow(pieces, position);
      const endedMs = clock.monotonicMs();
      if (endedMs - startedMs >= slowMs) slowUntilMs = endedMs + slowPeriodMs;
      return;
    }
    handedOver += 1;
    try {
      await file.write(pieces, position);
    } finally {
      handedOver -= 1;
    }
  };

  return {
    ...files,
    openWrite: async (path, mode) => {
      const file = await files.openWrite(path, mode);
      return { ...file, write: (pieces, position) => write(file, pieces, position) };
    },
  };
}
