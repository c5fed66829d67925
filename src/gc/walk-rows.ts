import type { Seen, Window } from "../metadata/collection-store.ts";

/** Rows that are looked at in one query, about 1 ms in SQLite. */
const rowsPerWindow = 1_000;

/** What `look` finds in each piece of the table; also the empty pieces, for whoever keeps pace. */
export async function* walkRows<T>(
  look: (window: Pick<Window, "after" | "scan">) => Promise<Seen<T>>,
): AsyncGenerator<readonly T[]> {
  let after: number | undefined = 0;
  while (after !== undefined) {
    const seen: Seen<T> = await look({ after, scan: rowsPerWindow });
    yield seen.found;
    after = seen.next;
  }
}
