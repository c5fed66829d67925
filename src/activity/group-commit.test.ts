import { describe, expect, test } from "bun:test";
import { GroupCommit } from "./group-commit.ts";

/** A group commit whose writes end when the test says so. */
function controlled() {
  const writes: { readonly items: readonly string[]; readonly end: PromiseWithResolvers<void> }[] =
    [];
  const group = new GroupCommit<string>((items) => {
    const end = Promise.withResolvers<void>();
    writes.push({ items, end });
    return end.promise;
  });
  return { group, writes };
}

const turn = () => new Promise((resolve) => setImmediate(resolve));

describe("a group commit", () => {
  test("writes together what comes while a write is running", async () => {
    const { group, writes } = controlled();
    const first = group.add("a");
    await turn();
    const others = ["b", "c", "d"].map((item) => group.add(item));
    await turn();
    expect(writes.map((write) => write.items)).toEqual([["a"]]);
    writes[0]?.end.resolve();
    await first;
    await turn();
    expect(writes.map((write) => write.items)).toEqual([["a"], ["b", "c", "d"]]);
    writes[1]?.end.resolve();
    await Promise.all(others);
  });

  test("a failure is told to those whose write it was, and to nobody else", async () => {
    const { group, writes } = controlled();
    const first = group.add("a");
    await turn();
    const second = group.add("b");
    writes[0]?.end.reject(new Error("disk"));
    expect(first).rejects.toThrow("disk");
    await turn();
    writes[1]?.end.resolve();
    await second;
    await group.settled();
  });

  test("is settled when nothing is left to write", async () => {
    const { group, writes } = controlled();
    await group.settled();
    void group.add("a");
    let isSettled = false;
    const settled = group.settled().then(() => (isSettled = true));
    await turn();
    expect(isSettled).toBe(false);
    writes[0]?.end.resolve();
    await settled;
  });
});
