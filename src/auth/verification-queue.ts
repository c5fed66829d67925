import { RegistryError } from "../oci/problems.ts";

export interface VerificationLimits {
  /** How many verifications run at once. */
  readonly runningMax: number;
  /** How many more wait for their turn; the next one is refused. */
  readonly waitingMax: number;
}

/** The queue holds about this much work: 64 verifications of 60 ms, four at once, and slack. */
const retryAfterSeconds = 5;

/**
 * Lets few expensive verifications run at once, so that a flood of wrong passwords costs the
 * machine no more than `runningMax` threads. First come, first served.
 */
export class VerificationQueue {
  readonly #limits: VerificationLimits;
  readonly #waiting: (() => void)[] = [];
  #running = 0;

  constructor(limits: VerificationLimits) {
    this.#limits = limits;
  }

  /** @throws {RegistryError} `tooManyLogins` when the queue is full; `work` is not begun then. */
  async run<T>(work: () => Promise<T>): Promise<T> {
    if (this.#running < this.#limits.runningMax) {
      this.#running += 1;
    } else {
      if (this.#waiting.length >= this.#limits.waitingMax) {
        throw new RegistryError(
          "tooManyLogins",
          {},
          { headers: { "Retry-After": String(retryAfterSeconds) } },
        );
      }
      const { promise: turn, resolve } = Promise.withResolvers<void>();
      this.#waiting.push(resolve);
      await turn;
    }
    try {
      return await work();
    } finally {
      // The turn is handed on as it is: a newcomer cannot slip in between.
      const next = this.#waiting.shift();
      if (next === undefined) this.#running -= 1;
      else next();
    }
  }
}
