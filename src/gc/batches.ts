import { inParallel } from "../base/in-parallel.ts";
import { piecesOf } from "../base/pieces.ts";

/** Blobs that are locked together, and whose folders are synced together. */
export const batchSize = 100;
/** While the disk has some of them, the rows of another are asked. */
export const batchesAtOnce = 4;

export function batchesOf<T>(items: readonly T[]): readonly (readonly T[])[] {
  return piecesOf(items, batchSize);
}

/** Runs `work` for each batch of the items, a few at a time. */
export function inBatches<T>(
  items: readonly T[],
  work: (batch: readonly T[]) => Promise<void>,
): Promise<void> {
  return inParallel(batchesOf(items), batchesAtOnce, work);
}
