import type { ChangeWatch } from "./change-watch.ts";
import type { Value } from "./statement.ts";

/** Answers kept at once; all go together when the database changes, so order does not matter. */
const answersMax = 20_000;

/** Longer listings are asked again each time: they would push everything else out. */
export const rowsMax = 200;

/**
 * Answers of one SQLite database that are still true.
 *
 * Not a cache with a life time (design D5): before each use the database is asked whether it has
 * changed at all, and then everything is forgotten. A registry is asked the same questions
 * thousands of times between two pushes.
 */
export class ReadCache {
  readonly #watch: ChangeWatch;
  #answers = new Map<object, Map<string, unknown>>();
  #count = 0;

  constructor(watch: ChangeWatch) {
    this.#watch = watch;
  }

  /** The answer kept for these values, else what `ask` gives; kept when `isKept` says so. */
  answer<T>(
    statement: object,
    values: readonly Value[],
    source: { readonly ask: () => T; readonly isKept: (answer: T) => boolean },
  ): T {
    if (this.#watch.hasChanged() || this.#count >= answersMax) this.#forget();
    const kept = this.#answers.get(statement);
    // `join` is slower for the few there are, and takes null for an empty text.
    let key = "";
    for (const value of values) key += value === null ? "\n\0" : `\n${value}`;
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- kept under its statement
    const known = kept?.get(key) as { readonly answer: T } | undefined;
    if (known !== undefined) return known.answer;
    const answer = source.ask();
    // A commit between the question and now: nobody can say which side the answer is from.
    if (this.#watch.hasChanged()) {
      this.#forget();
    } else if (source.isKept(answer)) {
      const own = this.#answers.get(statement) ?? new Map<string, unknown>();
      own.set(key, { answer });
      this.#answers.set(statement, own);
      this.#count += 1;
    }
    return answer;
  }

  #forget(): void {
    if (this.#count === 0) return;
    this.#answers = new Map();
    this.#count = 0;
  }
}
