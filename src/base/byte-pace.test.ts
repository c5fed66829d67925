import { expect, test } from "bun:test";
import { BytePace } from "./byte-pace.ts";

function pacedBy(bytesPerSecond: number | undefined) {
  const ends = new AbortController();
  let nowMs = 1_000;
  const slept: number[] = [];
  const pace = new BytePace({
    bytesPerSecond,
    clock: { nowMs: () => 0, monotonicMs: () => nowMs },
    sleep: async (delayMs) => {
      slept.push(Math.round(delayMs));
      nowMs += delayMs;
    },
    signal: ends.signal,
  });
  return { pace, slept, ends, stand: (ms: number) => void (nowMs += ms), now: () => nowMs };
}

test("a megabyte at 100 kB a second takes ten seconds, but for the burst at the start", async () => {
  const { pace, now } = pacedBy(100_000);
  for (let piece = 0; piece < 10; piece += 1) await pace.spend(100_000);
  expect(Math.round(now() - 1_000)).toBe(9_800);
});

test("time that passed without work is not saved up", async () => {
  const { pace, slept, stand } = pacedBy(100_000);
  await pace.spend(100_000);
  stand(3_600_000);
  await pace.spend(100_000);
  expect(slept).toEqual([800, 800]);
});

test("without a rate nothing waits, and an end is an end", async () => {
  const { pace, slept, ends } = pacedBy(undefined);
  await pace.spend(1e12);
  expect(slept).toEqual([]);
  ends.abort(new Error("enough"));
  expect(pace.spend(1)).rejects.toThrow("enough");
});
