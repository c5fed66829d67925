/** A promise that the program made to itself and broke. Answered as 500, never to be caught. */
class AssertionError extends Error {
  override readonly name = "AssertionError";
}

/** Throws when `condition` does not hold. For programmer mistakes only, never for input. */
export function assert(condition: boolean, message: string): asserts condition {
  if (!condition) throw new AssertionError(message);
}

/** For the default branch of a switch over a closed set: does not compile when one is missing. */
export function unreachable(value: never): never {
  throw new AssertionError(`unexpected value: ${String(value)}`);
}
