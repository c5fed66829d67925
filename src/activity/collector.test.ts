import { describe, expect, test } from "bun:test";
import { silentLogger } from "../base/logger.ts";
import { digestOf } from "../oci/digest.ts";
import { parseRepositoryName, type RepositoryName } from "../oci/repository-name.ts";
import { type Collected, Collector, type CollectorOptions } from "./collector.ts";

function repositoryNamed(text: string): RepositoryName {
  const name = parseRepositoryName(text);
  if (name === undefined) throw new Error(`not a repository name: ${text}`);
  return name;
}

const digest = digestOf("image");
const pullOf = (name: string) => ({ repository: repositoryNamed(name), digest, atMs: 1_000 });
const attempt = {
  atMs: 1,
  repository: repositoryNamed("app"),
  reason: "digestMismatch",
  by: {},
  requestId: "r",
};

/** A collector that writes into an array, and only when it is told to. */
function collecting(options: Partial<CollectorOptions> = {}) {
  const written: Collected[] = [];
  const collector = new Collector({
    write: async (collected) => void written.push(collected),
    logger: silentLogger,
    flushIntervalMs: 1_000_000,
    entriesPerFlush: 100,
    entriesMax: 1_000,
    ...options,
  });
  return { collector, written };
}

describe("the collector", () => {
  test("writes a thousand pulls of one manifest as one row", async () => {
    const { collector, written } = collecting();
    for (let index = 0; index < 1_000; index += 1) collector.countPull(pullOf("app"));
    expect(written).toEqual([]);
    await collector.flush();
    expect(written).toHaveLength(1);
    expect(written[0]?.pulls).toMatchObject([{ count: 1_000, lastAtMs: 1_000 }]);
    expect(written[0]?.days).toMatchObject([{ count: 1_000, day: 0 }]);
  });

  test("writes nothing when there is nothing", async () => {
    const { collector, written } = collecting();
    await collector.flush();
    expect(written).toEqual([]);
  });

  test("does not wait for the interval when it has many", async () => {
    const done = Promise.withResolvers<number>();
    const { collector } = collecting({
      write: async ({ pulls }) => done.resolve(pulls.length),
      entriesPerFlush: 10,
    });
    for (let index = 0; index < 10; index += 1) collector.countPull(pullOf(`app${index}`));
    expect(await done.promise).toBe(10);
  });

  test("writes after the interval", async () => {
    const done = Promise.withResolvers<number>();
    const { collector } = collecting({
      write: async ({ attempts }) => done.resolve(attempts.length),
      flushIntervalMs: 1,
    });
    collector.noteAttempt(attempt);
    expect(await done.promise).toBe(1);
  });

  test("keeps what could not be written, and adds to it what comes meanwhile", async () => {
    const failure = new Error("the disk is full");
    let isBroken = true;
    const written: Collected[] = [];
    const { collector } = collecting({
      write: async (collected) => {
        collector.countPull(pullOf("app"));
        if (isBroken) throw failure;
        written.push(collected);
      },
    });
    collector.countPull(pullOf("app"));
    collector.noteAttempt(attempt);
    expect(collector.flush()).rejects.toBe(failure);
    isBroken = false;
    await collector.flush();
    expect(written[0]?.pulls).toMatchObject([{ count: 2 }]);
    expect(written[0]?.days).toMatchObject([{ count: 2 }]);
    expect(written[0]?.attempts).toEqual([attempt]);
  });

  test("drops what is too much, and says so once", async () => {
    let errors = 0;
    const { collector, written } = collecting({
      entriesPerFlush: 1_000,
      entriesMax: 5,
      logger: { ...silentLogger, error: () => void (errors += 1) },
    });
    for (let index = 0; index < 9; index += 1) collector.countPull(pullOf(`app${index}`));
    for (let index = 0; index < 9; index += 1) collector.noteAttempt(attempt);
    collector.countPull(pullOf("app0"));
    await collector.flush();
    expect(written[0]?.pulls).toHaveLength(5);
    expect(written[0]?.pulls[0]?.count).toBe(2);
    expect(written[0]?.attempts).toHaveLength(5);
    expect(errors).toBe(1);
  });

  test("a database that is down is tried again by the interval, not by every pull", async () => {
    let attempts = 0;
    const { collector } = collecting({
      entriesPerFlush: 1,
      write: async () => {
        attempts += 1;
        throw new Error("down");
      },
    });
    for (let index = 0; index < 50; index += 1) {
      collector.countPull(pullOf(`app${index}`));
      await new Promise((resolve) => setImmediate(resolve));
    }
    expect(attempts).toBe(1);
  });
});
