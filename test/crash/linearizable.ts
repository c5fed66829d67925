/**
 * Whether what clients saw of one tag could have come from a registry that does one thing at a
 * time: the search of Wing and Gong, over a register that is set, removed and read.
 */
export interface TagOperation {
  readonly kind: "put" | "delete" | "get";
  /** What was put or read; for a removal, anything but undefined when there was a tag to remove. */
  readonly value: string | undefined;
  /** Of any clock that never gives a moment twice. */
  readonly begunAt: number;
  /** Infinity when nobody knows whether it happened: the answer was lost. */
  readonly endedAt: number;
}

/** `before`: what the tag was when the history began. */
export function isLinearizable(history: readonly TagOperation[], before?: string): boolean {
  const operations = history.toSorted((a, b) => a.begunAt - b.begunAt);
  const failed = new Set<string>();
  return search(0n, before);

  /** True when what is not in `done` can follow on `state`, in some order. */
  function search(done: bigint, state: string | undefined): boolean {
    const waiting = operations.filter((_, index) => (done & (1n << BigInt(index))) === 0n);
    if (waiting.every(({ endedAt }) => endedAt === Number.POSITIVE_INFINITY)) return true;
    const key = `${done} ${state}`;
    if (failed.has(key)) return false;
    const firstEnd = Math.min(...waiting.map(({ endedAt }) => endedAt));
    for (const [index, operation] of operations.entries()) {
      const bit = 1n << BigInt(index);
      // Nothing that began after another had ended can come before it.
      if ((done & bit) !== 0n || operation.begunAt > firstEnd) continue;
      if (!isPossible(operation, state)) continue;
      if (search(done | bit, after(operation, state))) return true;
    }
    failed.add(key);
    return false;
  }
}

function isPossible({ kind, value }: TagOperation, state: string | undefined): boolean {
  if (kind === "put") return true;
  if (kind === "get") return value === state;
  return (value === undefined) === (state === undefined);
}

function after({ kind, value }: TagOperation, state: string | undefined): string | undefined {
  if (kind === "put") return value;
  return kind === "get" ? state : undefined;
}
