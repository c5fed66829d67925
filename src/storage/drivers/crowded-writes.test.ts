import { expect, test } from "bun:test";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { crowdedWrites } from "./crowded-writes.ts";
import type { WritableFile } from "./file-system.ts";
import { nodeFileSystem } from "./node-file-system.ts";

const bytes = [new Uint8Array(8)];

/** A file whose handed-over writes end when `endWrites` is called; `log` says who wrote. */
async function openCrowded(): Promise<{
  file: WritableFile;
  log: string[];
  endWrites: () => void;
  clock: { ms: number; writeMs: number };
}> {
  const log: string[] = [];
  let ends: (() => void)[] = [];
  const clock = { ms: 0, writeMs: 0 };
  const files = crowdedWrites(
    {
      ...nodeFileSystem,
      openWrite: async () => ({
        write: async () => {
          log.push("thread");
          await new Promise<void>((resolve) => ends.push(resolve));
        },
        writeNow: () => {
          log.push("here");
          clock.ms += clock.writeMs;
        },
        truncate: async () => undefined,
        sync: async () => undefined,
        close: async () => undefined,
      }),
    },
    { nowMs: () => clock.ms, monotonicMs: () => clock.ms },
  );
  const endWrites = (): void => {
    for (const end of ends) end();
    ends = [];
  };
  return { file: await files.openWrite("", "create"), log, endWrites, clock };
}

test("a lone write leaves the thread; what comes beside it does not wait in a queue", async () => {
  const { file, log, endWrites } = await openCrowded();
  const first = file.write(bytes, 0);
  await file.write(bytes, 8);
  await file.write(bytes, 16);
  expect(log).toEqual(["thread", "here", "here"]);
  endWrites();
  await first;
  const next = file.write(bytes, 24);
  endWrites();
  await next;
  expect(log).toEqual(["thread", "here", "here", "thread"]);
});

test("a disk that keeps its writers waiting is waited for by other threads, for a while", async () => {
  const { file, log, endWrites, clock } = await openCrowded();
  const writes = [file.write(bytes, 0)];
  clock.writeMs = 60;
  await file.write(bytes, 8);
  writes.push(file.write(bytes, 16), file.write(bytes, 24));
  expect(log).toEqual(["thread", "here", "thread", "thread"]);
  clock.ms += 5_000;
  clock.writeMs = 0;
  await file.write(bytes, 32);
  expect(log.at(-1)).toBe("here");
  endWrites();
  await Promise.all(writes);
});

test("a failed write gives its place back", async () => {
  const files = crowdedWrites(
    {
      ...nodeFileSystem,
      openWrite: async () => ({
        write: async () => Promise.reject(new Error("the disk is full")),
        writeNow: () => expect.unreachable(),
        truncate: async () => undefined,
        sync: async () => undefined,
        close: async () => undefined,
      }),
    },
    { nowMs: () => 0, monotonicMs: () => 0 },
  );
  const file = await files.openWrite("", "create");
  for (const _ of [1, 2]) {
    const failure = await file.write(bytes, 0).catch((error: unknown) => error);
    expect(failure).toEqual(new Error("the disk is full"));
  }
});

test("every byte of a crowd is where it belongs", async () => {
  const folder = mkdtempSync(join(tmpdir(), "berth-crowd-"));
  try {
    const files = crowdedWrites(nodeFileSystem, { nowMs: () => 0, monotonicMs: () => 0 });
    const path = join(folder, "data");
    const file = await files.openWrite(path, "create");
    // More pieces than one call takes, with empty ones between, and the later half first.
    const half = Array.from({ length: 1_500 }, (_, at) => new Uint8Array(at % 3).fill(at % 251));
    const halfBytes = Buffer.concat(half);
    await Promise.all([file.write(half, halfBytes.length), file.write(half, 0)]);
    await file.close();
    expect(readFileSync(path).equals(Buffer.concat([halfBytes, halfBytes]))).toBe(true);
  } finally {
    rmSync(folder, { recursive: true });
  }
});
