import { expect, test } from "bun:test";
import { mkdtempSync, readdirSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { type HeldLock, tryHoldLock } from "./sqlite.ts";

const module = new URL("./sqlite.ts", import.meta.url).pathname;

/** A process that tries to take the lock, says whether it has it, and then does nothing. */
async function otherProcess(path: string): Promise<{
  readonly isHolding: boolean;
  readonly kill: () => Promise<void>;
}> {
  const script = `
    const { tryHoldLock } = await import(${JSON.stringify(module)});
    globalThis.held = tryHoldLock(${JSON.stringify(path)});
    process.stdout.write(globalThis.held === undefined ? "refused" : "holding");
    setInterval(() => undefined, 1_000_000);
  `;
  const child = Bun.spawn([process.execPath, "-e", script], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  const { value } = await child.stdout.getReader().read();
  return {
    isHolding: new TextDecoder().decode(value) === "holding",
    kill: async () => {
      child.kill("SIGKILL");
      await child.exited;
    },
  };
}

async function withPath(work: (path: string) => Promise<void>): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), "berth-lock-"));
  try {
    await work(join(folder, "lock.sqlite"));
  } finally {
    rmSync(folder, { recursive: true });
  }
}

const taken = (path: string): HeldLock => tryHoldLock(path) ?? expect.unreachable();

test("a lock is held once in a process, until it is released", () =>
  withPath(async (path) => {
    const first = taken(path);
    expect(tryHoldLock(path)).toBeUndefined();
    first.release();
    taken(path).release();
    const held = taken(path);
    // Nothing is written, so a full disk cannot keep the registry from its lock.
    expect(readdirSync(dirname(path))).toEqual(["lock.sqlite"]);
    expect(statSync(path).size).toBe(0);
    held.release();
  }));

test("a lock is held by one process, and the kernel gives it back when that is killed", () =>
  withPath(async (path) => {
    const other = await otherProcess(path);
    expect(other.isHolding).toBe(true);
    expect(tryHoldLock(path)).toBeUndefined();
    await other.kill();
    const mine = taken(path);
    const refused = await otherProcess(path);
    expect(refused.isHolding).toBe(false);
    // The refused one has opened the file and closed it again: that must not cost the holder its lock.
    await refused.kill();
    expect(tryHoldLock(path)).toBeUndefined();
    mine.release();
  }));

test("a place where nothing can be locked is an error, not a refusal", () => {
  expect(() => tryHoldLock("/dev/null/lock.sqlite")).toThrow("cannot lock /dev/null/lock.sqlite");
});
