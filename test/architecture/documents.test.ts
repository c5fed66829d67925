import { expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { Glob } from "bun";
import { documents } from "../../scripts/docs.ts";
import { serverMetrics } from "../../src/server/metrics.ts";

const root = join(import.meta.dir, "../..");

test.each(documents.map((document) => [document.path, document.render] as const))(
  "%s is what its table renders (npm run docs)",
  (path, render) => {
    expect(readFileSync(join(root, path), "utf8")).toBe(render());
  },
);

test("every measurement is declared in the list that the reference is made from", () => {
  const files = [...new Glob("src/**/*.ts").scanSync(root)].filter(
    (path) => !path.endsWith(".test.ts"),
  );
  const names = files.flatMap((path) => {
    const text = readFileSync(join(root, path), "utf8");
    return [...text.matchAll(/\bname: "((?:registry|berth)_\w+)"/g)].map(([, name]) => name);
  });
  const declared = Object.values(serverMetrics).map(({ name }) => name);
  expect(new Set(names)).toEqual(new Set<string | undefined>(declared));
});
