/** How an answer is compared with the data set. */
import type { Answer } from "../load.ts";

export function verifyDigest(answer: Answer, digest: string): void {
  const actual = `sha256:${new Bun.CryptoHasher("sha256").update(answer.body).digest("hex")}`;
  if (actual !== digest) throw new Error(`${answer.path} answers ${actual}, not ${digest}`);
}

/** Throws unless the answer is JSON with an array of `count` different strings under `key`. */
export function verifyNames(answer: Answer, key: string, count: number): void {
  const parsed: Record<string, unknown> = JSON.parse(new TextDecoder().decode(answer.body));
  const names = parsed[key];
  const size = Array.isArray(names) ? new Set(names).size : 0;
  if (size !== count) throw new Error(`${answer.path} names ${size} ${key}, not ${count}`);
}
