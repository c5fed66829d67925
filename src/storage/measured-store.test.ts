import { expect, test } from "bun:test";
import { systemClock } from "../base/clock.ts";
import { MemoryStore } from "./drivers/memory.ts";
import { measuredStore } from "./measured-store.ts";

test("every action is counted once, also one that fails, and its answer is passed on", async () => {
  const counts = new Map<string, number>();
  const bind = (labels: Readonly<Record<string, string>>) => ({
    observe: () =>
      void counts.set(labels["action"] ?? "", (counts.get(labels["action"] ?? "") ?? 0) + 1),
  });
  const store = measuredStore(new MemoryStore(systemClock), {
    seconds: { observe: () => undefined, bind },
    driver: "inmemory",
    clock: systemClock,
  });
  await store.put("a", new Uint8Array([1, 2]));
  expect(await store.read("a", 10)).toEqual(new Uint8Array([1, 2]));
  expect((await store.stat("a"))?.sizeBytes).toBe(2);
  expect(store.read("a", 1)).rejects.toThrow("too large");
  expect(await store.remove("a")).toBe(true);
  expect(Object.fromEntries(counts)).toEqual({ PutContent: 1, GetContent: 2, Stat: 1, Delete: 1 });
});
