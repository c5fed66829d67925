import type { Random } from "../../src/base/random.ts";

/**
 * Chance that can be repeated: the same seed gives the same numbers, choices and bytes.
 *
 * `fork` gives each worker of a test a sequence of its own, so that the order in which workers
 * get their turn does not change what each of them does.
 */
export class SeededRandom implements Random {
  #state: number;

  constructor(seed: number | string) {
    this.#state = typeof seed === "number" ? seed >>> 0 : Bun.hash.xxHash32(seed) || 1;
  }

  fork(name: string | number): SeededRandom {
    return new SeededRandom(`${this.#state} ${name}`);
  }

  /** In [0, 1). */
  next(): number {
    // Mulberry32.
    this.#state = (this.#state + 0x6d2b79f5) | 0;
    let value = Math.imul(this.#state ^ (this.#state >>> 15), this.#state | 1);
    value ^= value + Math.imul(value ^ (value >>> 7), value | 61);
    return ((value ^ (value >>> 14)) >>> 0) / 2 ** 32;
  }

  /** A whole number from 0 up to `end`, without `end`. */
  below(end: number): number {
    return Math.floor(this.next() * end);
  }

  /** A whole number in [min, max], both included. */
  integer(min: number, max: number): number {
    return min + this.below(max - min + 1);
  }

  /** Small ones as often as large ones: each doubling is as likely as the next. */
  logarithmic(min: number, max: number): number {
    return Math.round(min * (max / min) ** this.next());
  }

  chance(probability: number): boolean {
    return this.next() < probability;
  }

  pick<T>(items: readonly T[]): T {
    const item = items[this.below(items.length)];
    if (item === undefined) throw new Error("nothing to pick from");
    return item;
  }

  /** Bytes that no compression makes smaller. */
  bytes(sizeBytes: number): Uint8Array<ArrayBuffer> {
    const words = new Uint32Array(Math.ceil(sizeBytes / 4));
    let state = this.integer(1, 0xffff_fffe);
    for (let index = 0; index < words.length; index += 1) {
      // Xorshift32.
      state ^= state << 13;
      state ^= state >>> 17;
      state ^= state << 5;
      words[index] = state;
    }
    return new Uint8Array(words.buffer, 0, sizeBytes);
  }

  uuid(): string {
    const hex = Buffer.from(this.bytes(16)).toString("hex");
    const variant = this.pick(["8", "9", "a", "b"]);
    return [
      hex.slice(0, 8),
      hex.slice(8, 12),
      `4${hex.slice(13, 16)}`,
      `${variant}${hex.slice(17, 20)}`,
      hex.slice(20),
    ].join("-");
  }
}
