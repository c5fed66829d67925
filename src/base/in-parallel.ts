/**
 * Runs `work` for each item, `limit` at a time. When one fails, no more are begun, those under
 * way are waited for, and the first failure is thrown: nothing goes on behind the caller's back.
 */
export async function inParallel<T>(
  items: readonly T[],
  limit: number,
  work: (item: T) => Promise<void>,
): Promise<void> {
  const rest = items.values();
  let failure: { readonly cause: unknown } | undefined;
  const runner = async (): Promise<void> => {
    for (const item of rest) {
      if (failure !== undefined) return;
      try {
        await work(item);
      } catch (cause) {
        failure ??= { cause };
      }
    }
  };
  await Promise.all(Array.from({ length: Math.min(limit, items.length) }, runner));
  if (failure !== undefined) throw failure.cause;
}
