import { randomBytes, randomUUID } from "node:crypto";

/** Randomness as its only owner gives it. Tests pass a seeded one. */
export interface Random {
  bytes(count: number): Uint8Array;
  /** A version 4 UUID in lower case. */
  uuid(): string;
}

/** Cryptographically strong. */
export const systemRandom: Random = {
  bytes: (count) => randomBytes(count),
  uuid: () => randomUUID(),
};
