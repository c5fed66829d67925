/** The laws of the house hold in every source of the program. */
import { expect, test } from "bun:test";
import { join } from "node:path";
import {
  dependenciesHaveOneDoor,
  filesAreShort,
  importsHaveNoCycles,
  importsStayInTheirRooms,
  type Law,
  namesAreKebabCase,
  noFileIsABarrel,
  nothingIsAmbient,
  roomsSayWhatTheyAre,
} from "./laws.ts";
import { readSources, type Source } from "./sources.ts";

const root = join(import.meta.dir, "..", "..");
const program = readSources(root, "src");
const everything = [...program, ...readSources(root, "test"), ...readSources(root, "scripts")];

const laws: Readonly<Record<string, readonly [Law, readonly Source[]]>> = {
  "a room imports only what its row of the table allows": [importsStayInTheirRooms, program],
  "a dependency is imported by one file": [dependenciesHaveOneDoor, program],
  "environment, time, chance and console come from their owners": [nothingIsAmbient, program],
  "imports do not go round": [importsHaveNoCycles, everything],
  "no file is a barrel": [noFileIsABarrel, everything],
  "no file is longer than 400 lines": [filesAreShort, everything],
  "file names are kebab-case": [namesAreKebabCase, everything],
  "the main file of a room opens with a paragraph": [roomsSayWhatTheyAre, program],
};

for (const [name, [law, sources]] of Object.entries(laws)) {
  test(name, () => {
    const found = law(sources).map(({ path, line, rule }) => `${path}:${line} ${rule}`);
    expect(found.join("\n")).toBe("");
  });
}

test("the sources are really read: there are many, and their imports lead to files", () => {
  expect(program.length).toBeGreaterThan(100);
  const paths = new Set(everything.map(({ path }) => path));
  const targets = program.flatMap(({ imports }) => imports.flatMap(({ target }) => target ?? []));
  expect(targets.length).toBeGreaterThan(300);
  const missing = targets.filter((target) => target.endsWith(".ts") && !paths.has(target));
  expect(missing).toEqual([]);
});
