import { afterEach, expect, test } from "bun:test";
import { existsSync, mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { FaultyFileSystem } from "../../../test/support/faulty-file-system.ts";
import type { Logger } from "../../base/logger.ts";
import { systemRandom } from "../../base/random.ts";
import { nodeFileSystem, roomIn } from "./node-file-system.ts";
import { Reserve, type ReserveOptions, type Room } from "./reserve.ts";

const sizeBytes = 64 * 1024;
const plenty: Room = { bytes: 4 * sizeBytes, inodes: 1_000 };
const scarce: Room = { bytes: 4 * sizeBytes - 1, inodes: 1_000 };
const none: Room = { bytes: 0, inodes: 1_000 };

const folders: string[] = [];
afterEach(() => {
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true });
});

/** A reserve in a folder of its own, on a disk that has as much room as the test says. */
class Bench {
  readonly folder = mkdtempSync(join(tmpdir(), "berth-reserve-"));
  readonly lines: string[] = [];
  room: Room = plenty;

  constructor() {
    folders.push(this.folder);
  }

  open(options: Partial<ReserveOptions> = {}): Promise<Reserve> {
    return Reserve.open({
      folders: [this.folder],
      sizeBytes,
      files: nodeFileSystem,
      roomIn: () => this.room,
      random: systemRandom,
      logger: this.#logger(),
      ...options,
    });
  }

  /** Opened and taken. */
  async held(): Promise<Reserve> {
    const reserve = await this.open();
    await reserve.look();
    expect(reserve.isHeld).toBe(true);
    this.lines.splice(0);
    return reserve;
  }

  pieces(): readonly string[] {
    const own = join(this.folder, "reserve");
    return existsSync(own) ? readdirSync(own).map((name) => join(own, name)) : [];
  }

  bytes(): number {
    return this.pieces().reduce((sum, path) => sum + statSync(path).size, 0);
  }

  #logger(): Logger {
    const note = (message: string): void => void this.lines.push(message);
    const logger: Logger = {
      debug: note,
      info: note,
      warn: note,
      error: note,
      child: () => logger,
    };
    return logger;
  }
}

const said = {
  taken: "room is reserved for the day when the disk is full",
  givenBack:
    "the disk is full: the reserve is given back, for deletions, collection and the databases; pushes are refused until there is room again",
  takenAgain: "there is room again: the reserve is held, and pushes go on",
  tooLittle: "there is too little room to reserve some for the day when the disk is full",
  failed: "no room could be reserved for the day when the disk is full",
};

test("it is taken where there is clearly enough room: bytes that take up blocks, and names", async () => {
  const bench = new Bench();
  const reserve = await bench.open();
  expect(bench.pieces()).toEqual([]);
  await reserve.look();
  expect(bench.bytes()).toBe(sizeBytes);
  expect(bench.pieces()).toHaveLength(16);
  const blocks = bench.pieces().map((path) => statSync(path).blocks * 512);
  expect(blocks.every((count) => count >= sizeBytes / 16)).toBe(true);
  await reserve.look();
  expect(bench.lines).toEqual([said.taken]);
});

test.each([scarce, { bytes: 1e9, inodes: 67 }])(
  "where there is too little room (%j) none is taken, and pushes are not refused for that",
  async (room) => {
    const bench = new Bench();
    bench.room = room;
    const reserve = await bench.open();
    await reserve.look();
    await reserve.look();
    expect([reserve.isHeld, reserve.isGivenBack]).toEqual([false, false]);
    expect(await reserve.giveBack()).toBe(false);
    expect(reserve.isGivenBack).toBe(false);
    expect(existsSync(join(bench.folder, "reserve"))).toBe(false);
    expect(bench.lines).toEqual([said.tooLittle]);
  },
);

test("given back, its bytes and names are free, and it is taken again when there is room", async () => {
  const bench = new Bench();
  const reserve = await bench.held();
  bench.room = none;
  const both = await Promise.all([reserve.giveBack(), reserve.giveBack()]);
  expect(both).toEqual([true, true]);
  expect(bench.pieces()).toEqual([]);
  expect([reserve.isHeld, reserve.isGivenBack]).toEqual([false, true]);
  expect(await reserve.giveBack()).toBe(false);
  bench.room = scarce;
  await reserve.look();
  expect(reserve.isGivenBack).toBe(true);
  bench.room = plenty;
  await reserve.look();
  expect([reserve.isHeld, reserve.isGivenBack]).toEqual([true, false]);
  expect(bench.bytes()).toBe(sizeBytes);
  expect(bench.lines).toEqual([said.givenBack, said.takenAgain]);
});

test("writes are refused from the moment it is asked for, before it is free", async () => {
  const bench = new Bench();
  const reserve = await bench.held();
  const giving = reserve.giveBack();
  expect(reserve.isGivenBack).toBe(true);
  expect(await giving).toBe(true);
});

test("given back while it is looked at, it is not held again by what was seen before", async () => {
  const bench = new Bench();
  await bench.held();
  const { promise: seen, resolve: see } = Promise.withResolvers<void>();
  let isSlow = false;
  const files = {
    ...nodeFileSystem,
    readFolder: async (path: string) => {
      const entries = await nodeFileSystem.readFolder(path);
      if (isSlow) await seen;
      return entries;
    },
  };
  const reserve = await bench.open({ files });
  isSlow = true;
  const looking = reserve.look();
  bench.room = none;
  const giving = reserve.giveBack();
  see();
  await looking;
  expect(reserve.isGivenBack).toBe(true);
  expect(await giving).toBe(true);
  expect(bench.lines).toEqual([said.givenBack]);
});

test("a process that is killed leaves it given back, and the next one takes it again", async () => {
  const bench = new Bench();
  await bench.held();
  // Killed half way, in either direction.
  for (const path of bench.pieces().slice(0, 5)) rmSync(path);
  bench.room = none;
  const next = await bench.open();
  expect(next.isGivenBack).toBe(true);
  expect(await next.giveBack()).toBe(true);
  expect(bench.pieces()).toEqual([]);
  const third = await bench.open();
  expect(third.isGivenBack).toBe(true);
  await third.look();
  expect(third.isGivenBack).toBe(true);
  bench.room = plenty;
  await third.look();
  expect(third.isHeld).toBe(true);
  expect(bench.bytes()).toBe(sizeBytes);
});

test("pieces that a power cut has emptied are written again", async () => {
  const bench = new Bench();
  await bench.held();
  for (const path of bench.pieces().slice(3)) writeFileSync(path, "");
  const next = await bench.open();
  await next.look();
  expect(bench.bytes()).toBe(sizeBytes);
});

test.each([
  { ...none, bytes: sizeBytes - 1 },
  { ...plenty, inodes: 15 },
])("opened on a full disk (%j) it is given back at once: databases must open", async (room) => {
  const bench = new Bench();
  await bench.held();
  bench.room = room;
  const next = await bench.open();
  expect(next.isGivenBack).toBe(true);
  expect(bench.pieces()).toEqual([]);
  expect(bench.lines).toEqual([said.givenBack]);
});

test("of another size, it is exchanged when there is room, and stays as it is until then", async () => {
  const bench = new Bench();
  await bench.held();
  bench.room = { ...plenty, bytes: 2 * sizeBytes };
  const next = await bench.open({ sizeBytes: 2 * sizeBytes });
  await next.look();
  expect(next.isHeld).toBe(true);
  expect(bench.bytes()).toBe(sizeBytes);
  bench.room = { ...plenty, bytes: 8 * sizeBytes };
  await next.look();
  expect(bench.bytes()).toBe(2 * sizeBytes);
});

test("a size of 0 gives back what there was, and refuses nobody", async () => {
  const bench = new Bench();
  await bench.held();
  const next = await bench.open({ sizeBytes: 0 });
  expect(existsSync(join(bench.folder, "reserve"))).toBe(false);
  await next.look();
  expect(await next.giveBack()).toBe(false);
  expect([next.isHeld, next.isGivenBack]).toEqual([false, false]);
  expect(existsSync(join(bench.folder, "reserve"))).toBe(false);
});

test("when the disk has less than it said, nothing of it stays behind", async () => {
  const bench = new Bench();
  const files = new FaultyFileSystem();
  files.fault = (operation, path) =>
    operation === "sync" && path.endsWith("/11") ? "ENOSPC" : undefined;
  const reserve = await bench.open({ files });
  await reserve.look();
  await reserve.look();
  expect(existsSync(join(bench.folder, "reserve"))).toBe(false);
  expect([reserve.isHeld, reserve.isGivenBack]).toEqual([false, false]);
  expect(bench.lines).toEqual([said.failed]);
  files.fault = () => undefined;
  await reserve.look();
  expect(reserve.isHeld).toBe(true);
});

test("given back by another process of the same registry, it counts as given back here too", async () => {
  const bench = new Bench();
  const reserve = await bench.held();
  const other = await bench.open();
  await other.giveBack();
  bench.room = scarce;
  await reserve.look();
  expect(reserve.isGivenBack).toBe(true);
  expect(bench.lines).toEqual([said.givenBack, said.givenBack]);
});

test("two processes that take it at once have it at the next look", async () => {
  const bench = new Bench();
  const both = [await bench.open(), await bench.open()];
  await Promise.all(both.map((reserve) => reserve.look()));
  for (const reserve of both) await reserve.look();
  expect(both.map((reserve) => reserve.isHeld)).toEqual([true, true]);
  expect(bench.bytes()).toBe(sizeBytes);
});

test("it lies on each file system, and is held only when it is on all of them", async () => {
  const [bench, second] = [new Bench(), new Bench()];
  const both = { folders: [bench.folder, second.folder] };
  const reserve = await bench.open({
    ...both,
    roomIn: (at) => (at === second.folder ? none : plenty),
  });
  await reserve.look();
  expect(reserve.isHeld).toBe(false);
  const next = await bench.open(both);
  await next.look();
  expect(next.isHeld).toBe(true);
  expect([bench.bytes(), second.bytes()]).toEqual([sizeBytes, sizeBytes]);
  await next.giveBack();
  expect([bench.bytes(), second.bytes()]).toEqual([0, 0]);
});

test("how much room there is, is asked of the file system", () => {
  const room = roomIn(tmpdir());
  expect(room?.bytes).toBeGreaterThan(0);
  expect(room?.inodes).toBeGreaterThan(0);
  expect(roomIn("/no/such/folder")).toBeUndefined();
});
