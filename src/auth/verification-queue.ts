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
 * machine no more than `runningMax` threads.
 *
 * Everybody who asks belongs to a party, such as the network that the client is in. The parties take
 * turns, and when the queue is full, the one with most in it has to give way: so a flood from one
 * place is its own hindrance, and not that of everybody else.
 */
export class VerificationQueue {
  readonly #limits: VerificationLimits;
  /** Never with an empty list. The party whose turn is next comes first. */
  readonly #waiting = new Map<string, Turn[]>();
  #waitingCount = 0;
  #running = 0;

  constructor(limits: VerificationLimits) {
    this.#limits = limits;
  }

  /** @throws {RegistryError} `tooManyLogins` when there is no room; `work` is not begun then. */
  async run<T>(party: string, work: () => Promise<T>): Promise<T> {
    if (this.#running < this.#limits.runningMax) this.#running += 1;
    else await this.#turn(party);
    try {
      return await work();
    } finally {
      // The turn is handed on as it is: a newcomer cannot slip in between.
      const next = this.#next();
      if (next === undefined) this.#running -= 1;
      else next.begin();
    }
  }

  #turn(party: string): Promise<void> {
    const own = this.#waiting.get(party) ?? [];
    if (this.#waitingCount >= this.#limits.waitingMax) this.#makeRoom(own.length + 1);
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    own.push({ begin: resolve, refuse: reject });
    this.#waiting.set(party, own);
    this.#waitingCount += 1;
    return promise;
  }

  /** Refuses the last of a party that would still have more than `count` in the queue, or throws. */
  #makeRoom(count: number): void {
    let [name, largest]: [string, Turn[]] = ["", []];
    for (const [party, turns] of this.#waiting) {
      if (turns.length > largest.length) [name, largest] = [party, turns];
    }
    if (largest.length <= count) throw tooManyLogins();
    largest.pop()?.refuse(tooManyLogins());
    this.#waitingCount -= 1;
    if (largest.length === 0) this.#waiting.delete(name);
  }

  #next(): Turn | undefined {
    for (const [party, turns] of this.#waiting) {
      const turn = turns.shift();
      this.#waiting.delete(party);
      if (turns.length > 0) this.#waiting.set(party, turns);
      this.#waitingCount -= 1;
      return turn;
    }
    return undefined;
  }
}

interface Turn {
  readonly begin: () => void;
  readonly refuse: (why: RegistryError) => void;
}

function tooManyLogins(): RegistryError {
  const headers = { "Retry-After": String(retryAfterSeconds) };
  return new RegistryError("tooManyLogins", {}, { headers });
}
