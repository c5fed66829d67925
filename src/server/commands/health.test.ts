import { expect, test } from "bun:test";
import type { Health } from "../health.ts";
import { sayHealth } from "./health.ts";

async function answer(health: Pick<Health, "problems"> | undefined) {
  const lines: string[] = [];
  const exit = await sayHealth({
    ...(health !== undefined && { health }),
    print: (line) => lines.push(line),
  });
  return { exit, lines };
}

test("a registry that is well, one that is not, and none", async () => {
  expect(await answer({ problems: () => ({}) })).toEqual({
    exit: 0,
    lines: ["the registry is well"],
  });
  const problems = { storagedriver: "the storage is full", "http://upstream/": "503" };
  expect(await answer({ problems: () => problems })).toEqual({
    exit: 1,
    lines: ["storagedriver: the storage is full", "http://upstream/: 503"],
  });
  expect(await answer(undefined)).toEqual({ exit: 1, lines: ["no registry is served here"] });
});
