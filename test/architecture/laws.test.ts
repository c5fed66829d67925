/** Each law finds what breaks it, on made-up sources: a check that cannot fail checks nothing. */
import { expect, test } from "bun:test";
import {
  dependenciesHaveOneDoor,
  filesAreShort,
  importsHaveNoCycles,
  importsStayInTheirRooms,
  type Law,
  linesMax,
  namesAreKebabCase,
  noFileIsABarrel,
  nothingIsAmbient,
  roomsSayWhatTheyAre,
} from "./laws.ts";
import { codeOf, sourceOf } from "./sources.ts";

/** What `law` says of sources given as path and text. */
function broken(law: Law, files: Readonly<Record<string, string>>): readonly string[] {
  const sources = Object.entries(files).map(([path, text]) => sourceOf(path, text));
  return law(sources).map(({ path, line, rule }) => `${path}:${line} ${rule}`);
}

test("a room that imports what its row does not allow is found, types and late imports too", () => {
  const files = {
    "src/oci/a.ts": 'import { b } from "../base/b.ts";\nimport type { C } from "../http/c.ts";\n',
    "src/oci/d.ts": 'const late = await import("../storage/e.ts");\n',
    "src/oci/f.ts": 'export { g } from "../auth/g.ts";\n',
    "src/oci/h.ts": 'import "../cli/side-effect.ts";\n',
    "src/oci/i.ts": 'type X = import("../server/x.ts").X;\n',
    "src/oci/multi.ts": 'import {\n  one,\n  two,\n} from "../config/two.ts";\n',
  };
  expect(broken(importsStayInTheirRooms, files)).toEqual([
    "src/oci/a.ts:2 oci may not import http",
    "src/oci/d.ts:1 oci may not import storage",
    "src/oci/f.ts:1 oci may not import auth",
    "src/oci/h.ts:1 oci may not import cli",
    "src/oci/i.ts:1 oci may not import server",
    "src/oci/multi.ts:4 oci may not import config",
  ]);
});

test("a room without a row, the executable beside cli, and tests in the program are found", () => {
  const files = {
    "src/attic/a.ts": "export const a = 1;\n",
    "src/main.ts": 'import { b } from "./server/b.ts";\nimport { c } from "./cli/c.ts";\n',
    "src/auth/d.ts": 'import { e } from "./test-support.ts";\n',
    "src/auth/f.ts": 'import { g } from "../../test/support/g.ts";\n',
  };
  expect(broken(importsStayInTheirRooms, files)).toEqual([
    "src/attic/a.ts:1 the room attic has no row in the table",
    "src/main.ts:1 src/main.ts may not import server",
    "src/auth/d.ts:1 the program may not import src/auth/test-support.ts, which is for tests",
    "src/auth/f.ts:1 auth may not import test/support/g.ts",
  ]);
});

test("what a row allows, a room's own files, the library and tests are let be", () => {
  const files = {
    "src/http/a.ts": 'import { b } from "../registry/b.ts";\nimport { c } from "./v2/c.ts";\n',
    "src/http/v2/c.ts": 'import { a } from "../a.ts";\nimport { connect } from "node:net";\n',
    "src/http/a.test.ts": 'import { s } from "../storage/s.ts";\n',
    "src/http/prose.ts":
      '// import { x } from "../storage/x.ts";\nconst text = \'from "../cli/y.ts"\';\n',
  };
  expect(broken(importsStayInTheirRooms, files)).toEqual([]);
});

test("a second door to a dependency is found; one door, wide doors and tests are let be", () => {
  const files = {
    "src/auth/a.ts": 'import { x } from "jose";\nimport { y } from "jose/sub";\n',
    "src/auth/b.ts": 'import type { Z } from "jose";\n',
    "src/auth/c.test.ts": 'import { z } from "jose";\n',
    "src/base/d.ts": 'import { n } from "@scope/name";\n',
    "src/base/e.ts": 'import { n } from "@scope/name/deep";\nimport fs from "node:fs";\n',
    "src/database/f.ts": 'import { k } from "kysely";\nimport { Database } from "bun:sqlite";\n',
    "src/metadata/g.ts": 'import { k } from "kysely";\nimport { Database } from "bun:sqlite";\n',
    "src/http/h.ts": 'import { k } from "kysely";\n',
    "src/oci/i.ts": 'import { k } from "kysely";\n',
  };
  expect(broken(dependenciesHaveOneDoor, files)).toEqual([
    "src/auth/b.ts:1 jose is imported by src/auth/a.ts already",
    "src/base/e.ts:1 @scope/name is imported by src/base/d.ts already",
    "src/metadata/g.ts:2 bun:sqlite is imported by src/database/f.ts already",
    "src/oci/i.ts:1 kysely is imported by src/http/h.ts already",
  ]);
});

const ambient: Readonly<Record<string, string>> = {
  "const home = process.env.HOME;": "process.env",
  'const home = process.env["HOME"];': "process.env",
  "const home = Bun.env.HOME;": "Bun.env",
  "const args = process.argv;": "process.argv",
  "const now = Date.now();": "Date.now",
  "const now = new Date();": "new Date()",
  "const now = new Date( );": "new Date()",
  "const now = new Date;": "new Date()",
  "const now = performance.now();": "performance.now",
  "const now = process.hrtime.bigint();": "process.hrtime",
  "const chance = Math.random();": "Math.random",
  "const id = crypto.randomUUID();": "a source of randomness",
  'import { randomBytes } from "node:crypto";': "a source of randomness",
  "console.log(1);": "console",
  "process.stdout.write(text);": "process.stdout or process.stderr",
  "const text = `now: ${Date.now()}`;": "Date.now",
};

for (const [text, name] of Object.entries(ambient)) {
  test(`found in a room that does not own it: ${text}`, () => {
    const rule = `${name} belongs to its owner and is passed in`;
    expect(broken(nothingIsAmbient, { "src/http/a.ts": `const a = 1;\n${text}\n` })).toEqual([
      `src/http/a.ts:2 ${rule}`,
    ]);
  });
}

test("owners, dates of a given time, prose and tests are let be", () => {
  const files = {
    "src/base/clock.ts": "export const nowMs = () => Date.now() + performance.now();\n",
    "src/base/random.ts": 'import { randomUUID } from "node:crypto";\n',
    "src/cli/a.ts": "const { env } = { env: process.env };\n",
    "src/telemetry/b.ts": "console.error(1);\n",
    "src/http/c.ts":
      "const date = new Date(ms);\n// Date.now()\n/* Math.random() */\nconst why = 'process.env';\n" +
      "const text = `console.log ${date} Date.now()`;\nconst pattern = /Math.random/;\n",
    "src/http/c.test.ts": "const now = Date.now();\n",
  };
  expect(broken(nothingIsAmbient, files)).toEqual([]);
});

test("imports that go round are found, over types and over several files", () => {
  const files = {
    "src/oci/a.ts": 'import type { B } from "./b.ts";\n',
    "src/oci/b.ts": '\nimport { c } from "./c.ts";\n',
    "src/oci/c.ts": 'export { a } from "./a.ts";\n',
    "src/oci/d.ts": 'import { a } from "./a.ts";\nimport { b } from "./b.ts";\n',
    "src/oci/self.ts": 'import { self } from "./self.ts";\n',
  };
  expect(broken(importsHaveNoCycles, files)).toEqual([
    "src/oci/c.ts:1 imports go round: src/oci/a.ts → src/oci/b.ts → src/oci/c.ts → src/oci/a.ts",
    "src/oci/self.ts:1 imports go round: src/oci/self.ts → src/oci/self.ts",
  ]);
});

test("a file that only passes on is a barrel; one with something of its own is not", () => {
  const files = {
    "src/oci/index.ts":
      '/** Everything. */\nexport * from "./a.ts";\nexport { b } from "./b.ts";\n',
    "src/oci/types.ts": 'import { c } from "./c.ts";\nexport type { D } from "./d.ts"\n',
    "src/oci/own.ts": 'export { e } from "./e.ts";\nexport const own = 1;\n',
    "src/oci/effects.ts": 'import "./f.ts";\n',
  };
  expect(broken(noFileIsABarrel, files)).toEqual([
    "src/oci/index.ts:1 it only exports what others have",
    "src/oci/types.ts:1 it only exports what others have",
  ]);
});

test("a file may have as many lines as the limit says, and not one more", () => {
  const lines = (count: number): string => "const a = 1;\n".repeat(count);
  const files = { "src/oci/a.ts": lines(linesMax), "src/oci/b.ts": lines(linesMax + 1) };
  expect(broken(filesAreShort, files)).toEqual([
    `src/oci/b.ts:${linesMax + 1} it has ${linesMax + 1} lines, and may have ${linesMax}`,
  ]);
});

test("names that are not kebab-case are found, of folders too", () => {
  const fine = ["src/oci/a-b2.ts", "src/http/v2/a.test.ts", "src/oci/a.suite.ts"];
  const wrong = [
    "src/oci/aB.ts",
    "src/oci/a_b.ts",
    "src/Oci/a.ts",
    "src/oci/a.b.ts",
    "src/oci/-a.ts",
  ];
  const files = Object.fromEntries([...fine, ...wrong].map((path) => [path, ""]));
  const rule = "names are written in-kebab-case";
  expect(broken(namesAreKebabCase, files)).toEqual(wrong.map((path) => `${path}:1 ${rule}`));
});

test("a main file without a paragraph, with one that comes late, or missing, is found", () => {
  const paragraph = `/** ${"What this room owns and what it refuses to know. ".repeat(3)} */\n`;
  const imports = 'import { a } from "./a.ts";\nimport {\n  b,\n} from "./b.ts";\n';
  const files = {
    "src/http/wire.ts": `${imports}\n${paragraph}export class Wire {}\n`,
    "src/telemetry/logger.ts": `${paragraph}\n${imports}export class Logger {}\n`,
    "src/auth/authenticator.ts": `${imports}export const first = 1;\n${paragraph}export const b = 2;\n`,
    "src/cli/command-line.ts": `/** The command line. */\nexport const first = 1;\n`,
    "src/registry/tags.ts": paragraph,
  };
  expect(broken(roomsSayWhatTheyAre, files)).toEqual([
    "src/auth/authenticator.ts:1 it does not open with a paragraph about the room auth",
    "src/cli/command-line.ts:1 it does not open with a paragraph about the room cli",
    "src/registry/registry.ts:1 the room registry has no main file",
  ]);
});

test("comments, strings, templates and regular expressions are blanked, the rest stays in place", () => {
  const cases: Readonly<Record<string, string>> = {
    "a // b\nc": "a     \nc",
    "a /* b\n c */ d": "a     \n      d",
    "'it\\'s' + \"x\"": "'     ' + \" \"",
    "`a ${b + `c${d}`} e`": "`  ${b + ` ${d}`}  `",
    "f({ a: `x${ { b: 1 }.b }y` })": "f({ a: ` ${ { b: 1 }.b } ` })",
    "a = b / c / d": "a = b / c / d",
    'x.replace(/["/]/, y)': "x.replace(       , y)".replace("       ", " ".repeat(6)),
    "return /'/.test(a)": "return    .test(a)",
  };
  for (const [text, code] of Object.entries(cases)) {
    expect(codeOf(text)).toBe(code);
    expect(codeOf(text).length).toBe(text.length);
  }
});
