/** Steps that find all they need in memory, at some tens of microseconds each. */
const stepsPerTurn = 64;

/**
 * Gives the program's other work its turn in a loop over what may be a hundred thousand things. To
 * `await` does not: as long as nothing is waited for, it never leaves the thread.
 */
export class Turns {
  #steps = 0;

  /** To be called, and awaited, in each step of the loop. */
  step(): Promise<void> | undefined {
    this.#steps += 1;
    return this.#steps % stepsPerTurn === 0 ? nextTurn() : undefined;
  }
}

/** Resolves when whatever waits for the thread has had it. */
export function nextTurn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
