import { describe, expect, test } from "bun:test";
import { silentLogger } from "../base/logger.ts";
import { digestOf } from "../oci/digest.ts";
import { nameOf } from "../oci/test-support.ts";
import { type Buffered, type BufferOptions, StatisticsBuffer } from "./statistics-buffer.ts";

const digest = digestOf("image");
const pullOf = (name: string) => ({ repository: nameOf(name), digest, atMs: 1_000 });
const attempt = {
  atMs: 1,
  repository: nameOf("app"),
  reason: "digestMismatch",
  by: {},
  requestId: "r",
};

/** A buffer that writes into an array, and only when it is told to. */
function buffering(options: Partial<BufferOptions> = {}) {
  const written: Buffered[] = [];
  const buffer = new StatisticsBuffer({
    write: async (buffered) => void written.push(buffered),
    logger: silentLogger,
    flushIntervalMs: 1_000_000,
    entriesPerFlush: 100,
    entriesMax: 1_000,
    ...options,
  });
  return { buffer, written };
}

describe("the buffer", () => {
  test("writes a thousand pulls of one manifest as one row", async () => {
    const { buffer, written } = buffering();
    for (let index = 0; index < 1_000; index += 1) buffer.countPull(pullOf("app"));
    expect(written).toEqual([]);
    await buffer.flush();
    expect(written).toHaveLength(1);
    expect(written[0]?.pulls).toMatchObject([{ count: 1_000, lastAtMs: 1_000 }]);
    expect(written[0]?.days).toMatchObject([{ count: 1_000, day: 0 }]);
  });

  test("writes nothing when there is nothing", async () => {
    const { buffer, written } = buffering();
    await buffer.flush();
    expect(written).toEqual([]);
  });

  test("does not wait for the interval when it has many", async () => {
    const done = Promise.withResolvers<number>();
    const { buffer } = buffering({
      write: async ({ pulls }) => done.resolve(pulls.length),
      entriesPerFlush: 10,
    });
    for (let index = 0; index < 10; index += 1) buffer.countPull(pullOf(`app${index}`));
    expect(await done.promise).toBe(10);
  });

  test("writes after the interval", async () => {
    const done = Promise.withResolvers<number>();
    const { buffer } = buffering({
      write: async ({ attempts }) => done.resolve(attempts.length),
      flushIntervalMs: 1,
    });
    buffer.noteAttempt(attempt);
    expect(await done.promise).toBe(1);
  });

  test("keeps what could not be written, and adds to it what comes meanwhile", async () => {
    const failure = new Error("the disk is full");
    let isBroken = true;
    const written: Buffered[] = [];
    const { buffer } = buffering({
      write: async (buffered) => {
        buffer.countPull(pullOf("app"));
        if (isBroken) throw failure;
        written.push(buffered);
      },
    });
    buffer.countPull(pullOf("app"));
    buffer.noteAttempt(attempt);
    expect(buffer.flush()).rejects.toBe(failure);
    isBroken = false;
    await buffer.flush();
    expect(written[0]?.pulls).toMatchObject([{ count: 2 }]);
    expect(written[0]?.days).toMatchObject([{ count: 2 }]);
    expect(written[0]?.attempts).toEqual([attempt]);
  });

  test("drops what is too much, and says so once", async () => {
    let errors = 0;
    const { buffer, written } = buffering({
      entriesPerFlush: 1_000,
      entriesMax: 5,
      logger: { ...silentLogger, error: () => void (errors += 1) },
    });
    for (let index = 0; index < 9; index += 1) buffer.countPull(pullOf(`app${index}`));
    for (let index = 0; index < 9; index += 1) buffer.noteAttempt(attempt);
    buffer.countPull(pullOf("app0"));
    await buffer.flush();
    expect(written[0]?.pulls).toHaveLength(5);
    expect(written[0]?.pulls[0]?.count).toBe(2);
    expect(written[0]?.attempts).toHaveLength(5);
    expect(errors).toBe(1);
  });

  test("a database that is down is tried again by the interval, not by every pull", async () => {
    let attempts = 0;
    const { buffer } = buffering({
      entriesPerFlush: 1,
      write: async () => {
        attempts += 1;
        throw new Error("down");
      },
    });
    for (let index = 0; index < 50; index += 1) {
      buffer.countPull(pullOf(`app${index}`));
      await new Promise((resolve) => setImmediate(resolve));
    }
    expect(attempts).toBe(1);
  });
});
