/**
 * Writes the documents that are made from tables in the sources: `npm run docs`.
 *
 * To add one, add a row. A test compares each committed file with what its row renders.
 */
import { mkdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { renderExample } from "../src/config/example.ts";
import { renderReference } from "../src/config/reference.ts";
import { renderCommands } from "./reference/cli.ts";
import { renderErrors } from "./reference/errors.ts";
import { renderMetrics } from "./reference/metrics.ts";

export interface GeneratedDocument {
  /** From the root of the repository. */
  readonly path: string;
  readonly render: () => string;
}

export const documents: readonly GeneratedDocument[] = [
  { path: "docs/reference/config.md", render: renderReference },
  { path: "docs/reference/cli.md", render: renderCommands },
  { path: "docs/reference/errors.md", render: renderErrors },
  { path: "docs/reference/metrics.md", render: renderMetrics },
  { path: "config/config.example.yml", render: () => renderExample() },
];

if (import.meta.main) {
  for (const { path, render } of documents) {
    const file = join(import.meta.dir, "..", path);
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(file, render());
    process.stdout.write(`wrote ${path}\n`);
  }
}
