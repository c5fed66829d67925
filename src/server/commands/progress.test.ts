import { expect, test } from "bun:test";
import { newLooked } from "../../gc/fsck-repository.ts";
import { openTestRegistry } from "../../registry/test-support.ts";
import { whenAdopted, withProgress } from "./progress.ts";

/** A sleep that ends when a test says so, and rests for good once the work is over. */
function handSleep() {
  const waiting: (() => void)[] = [];
  const sleep = (delayMs: number, signal: AbortSignal): Promise<void> => {
    expect(delayMs).toBe(5_000);
    const { promise, resolve } = Promise.withResolvers<void>();
    waiting.push(resolve);
    signal.addEventListener("abort", () => resolve());
    return promise;
  };
  const pass = async (): Promise<void> => {
    waiting.shift()?.();
    await Bun.sleep(0);
  };
  return { sleep, pass, waiting };
}

test("who waits hears every five seconds how far it is, and nothing once it is over", async () => {
  const { sleep, pass, waiting } = handSleep();
  const { promise: work, resolve } = Promise.withResolvers<string>();
  const lines: string[] = [];
  const looked = newLooked();
  const text = (): string => `${looked.links} links so far`;
  const answer = withProgress(work, { print: (line) => lines.push(line), text, sleep });
  looked.links = 3;
  await pass();
  looked.links = 8;
  await pass();
  expect(lines).toEqual(["3 links so far", "8 links so far"]);
  resolve("done");
  expect(await answer).toBe("done");
  while (waiting.length > 0) await pass();
  expect(lines).toHaveLength(2);
});

test("a work that fails ends the lines too", async () => {
  const { sleep, pass, waiting } = handSleep();
  const lines: string[] = [];
  const print = (line: string): void => void lines.push(line);
  const failing = withProgress(Promise.reject(new Error("no")), { print, text: () => "x", sleep });
  expect(failing).rejects.toThrow("no");
  await failing.catch(() => undefined);
  while (waiting.length > 0) await pass();
  expect(lines).toEqual([]);
});

test("a command that waits for the first comparison ends when the server stops", async () => {
  const opened = await openTestRegistry();
  const ends = new AbortController();
  const never = new Promise<void>(() => undefined);
  const waiting = whenAdopted({
    ...{ opened, isServing: true, signal: ends.signal },
    adopted: () => never,
    print: () => undefined,
  });
  ends.abort(new Error("the server stops"));
  expect(waiting).rejects.toThrow("the server stops");
  await waiting.catch(() => undefined);
  await opened.close();
});
