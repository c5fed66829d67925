import { expect, test } from "bun:test";
import { SharedLocks } from "./shared-lock.ts";

/** Runs steps that say when they begin and end; `tick` lets everything that can run do so. */
function recorder() {
  const log: string[] = [];
  const gates = new Map<string, () => void>();
  const step = (name: string) => async () => {
    log.push(`${name} begins`);
    await new Promise<void>((resolve) => gates.set(name, resolve));
    log.push(`${name} ends`);
  };
  const finish = async (name: string) => {
    gates.get(name)?.();
    for (let turn = 0; turn < 10; turn += 1) await Promise.resolve();
  };
  return { log, step, finish };
}

test("shared holders run together, and an exclusive one is not overtaken", async () => {
  const locks = new SharedLocks();
  const { log, step, finish } = recorder();
  const all = [
    locks.shared("a", step("one")),
    locks.shared("a", step("two")),
    locks.exclusive("a", step("alone")),
    locks.shared("a", step("late")),
    locks.exclusive("b", step("other")),
  ];
  await finish("one");
  expect(log).toEqual(["one begins", "two begins", "other begins", "one ends"]);
  await finish("two");
  expect(log.slice(4)).toEqual(["two ends", "alone begins"]);
  await finish("alone");
  expect(log.slice(6)).toEqual(["alone ends", "late begins"]);
  await finish("late");
  await finish("other");
  await Promise.all(all);
});

test("a holder that throws lets the next one in", async () => {
  const locks = new SharedLocks();
  const failing = locks.exclusive("a", () => Promise.reject(new Error("broken")));
  const next = locks.exclusive("a", async () => "in");
  expect(failing).rejects.toThrow("broken");
  expect(await next).toBe("in");
});

test("a key is held from the first holder to the last", async () => {
  const locks = new SharedLocks();
  const { step, finish } = recorder();
  expect(locks.isHeld("a")).toBe(false);
  const all = [locks.shared("a", step("one")), locks.exclusive("a", step("two"))];
  expect(locks.isHeld("a")).toBe(true);
  await finish("one");
  expect(locks.isHeld("a")).toBe(true);
  await finish("two");
  expect(locks.isHeld("a")).toBe(false);
  await Promise.all(all);
});
