import { expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { documents } from "../../scripts/docs.ts";

const root = join(import.meta.dir, "../..");

test.each(documents.map((document) => [document.path, document.render] as const))(
  "%s is what its table renders (npm run docs)",
  (path, render) => {
    expect(readFileSync(join(root, path), "utf8")).toBe(render());
  },
);
