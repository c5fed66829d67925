/**
 * The laws of the house, as functions from sources to what breaks them. Design, section 2: who
 * may import whom, one door to every dependency, nothing from the surroundings but through its
 * owner, no cycles; and the form of a file.
 */
import { isTestOnly, lineOf, type Source } from "./sources.ts";

export interface Violation {
  readonly path: string;
  readonly line: number;
  readonly rule: string;
}

export type Law = (sources: readonly Source[]) => readonly Violation[];

/** What a room may import. Types count; a room may import itself. */
export const rooms: Readonly<Record<string, readonly string[]>> = {
  base: [],
  oci: ["base"],
  config: ["base", "oci"],
  telemetry: ["base"],
  storage: ["base", "oci"],
  database: ["base"],
  metadata: ["base", "oci", "database"],
  accounts: ["base", "oci", "database"],
  activity: ["base", "oci", "database"],
  auth: ["base", "oci", "accounts"],
  client: ["base", "oci"],
  registry: ["base", "oci", "storage", "metadata", "activity"],
  gc: ["base", "oci", "storage", "metadata", "activity", "registry"],
  proxy: ["base", "oci", "client", "registry"],
  http: ["base", "oci", "auth", "registry"],
  api: ["base", "oci", "auth", "accounts", "activity", "metadata", "registry", "gc"],
  server: [
    ...["base", "oci", "config", "telemetry", "storage", "database", "metadata", "accounts"],
    ...["activity", "auth", "client", "registry", "gc", "proxy", "http", "api"],
  ],
  cli: ["base", "oci", "config", "auth", "client", "server"],
};

/** The file of a room that says, at its beginning, what the room is. */
export const mainFiles: Readonly<Record<string, string>> = {
  base: "clock.ts",
  oci: "descriptor.ts",
  config: "schema.ts",
  telemetry: "logger.ts",
  storage: "object-store.ts",
  database: "database.ts",
  metadata: "metadata-store.ts",
  activity: "activity-store.ts",
  auth: "authenticator.ts",
  registry: "registry.ts",
  gc: "collector.ts",
  http: "wire.ts",
  server: "serve.ts",
  cli: "command-line.ts",
};

/** `oci` of `src/oci/digest.ts`; undefined for a file that is in no room. */
function roomOf(path: string): string | undefined {
  return /^src\/([^/]+)\//.exec(path)?.[1];
}

/** Each room imports only what its row allows, and the executable only the command line. */
export const importsStayInTheirRooms: Law = (sources) =>
  sources
    .filter((source) => !isTestOnly(source))
    .flatMap(({ path, imports }) => {
      const room = roomOf(path);
      const allowed = room === undefined ? ["cli"] : rooms[room];
      if (allowed === undefined) {
        return [{ path, line: 1, rule: `the room ${room} has no row in the table` }];
      }
      return imports.flatMap(({ target, line }): Violation[] => {
        if (target === undefined) return [];
        if (isTestOnly({ path: target })) {
          return [{ path, line, rule: `the program may not import ${target}, which is for tests` }];
        }
        const other = roomOf(target);
        // The one file outside the rooms that everybody may read is the project's manifest.
        if (other === undefined && target === "package.json") return [];
        if (other !== undefined && (other === room || allowed.includes(other))) return [];
        const [from, to] = [room ?? path, other ?? target];
        return [{ path, line, rule: `${from} may not import ${to}` }];
      });
    });

/** Packages that more than one file may import, and the files that may. */
const wideDoors: Readonly<Record<string, RegExp>> = {
  kysely: /^src\/(?:database|metadata|accounts|activity)\//,
  commander: /^src\/cli\//,
  picocolors: /^src\/cli\//,
};

function packageOf(specifier: string): string | undefined {
  // Node's own modules are the language's library; Bun's are dependencies like any other.
  if (specifier.startsWith(".") || specifier.startsWith("node:")) return undefined;
  return /^(?:@[^/]+\/)?[^/]+/.exec(specifier)?.[0];
}

/** Every dependency is imported by one file of the program. */
export const dependenciesHaveOneDoor: Law = (sources) => {
  const doors = new Map<string, string>();
  return sources
    .filter((source) => !isTestOnly(source))
    .flatMap(({ path, imports }) =>
      imports.flatMap(({ specifier, line }): Violation[] => {
        const name = packageOf(specifier);
        if (name === undefined || wideDoors[name]?.test(path) === true) return [];
        const door = doors.get(name) ?? path;
        doors.set(name, door);
        if (door === path) return [];
        return [{ path, line, rule: `${name} is imported by ${door} already` }];
      }),
    );
};

interface Owned {
  readonly what: RegExp;
  readonly name: string;
  readonly owners: RegExp;
}

const owned: readonly Owned[] = [
  { name: "process.env", what: /\bprocess\.env\b/g, owners: /^src\/cli\// },
  { name: "Bun.env", what: /\bBun\.env\b/g, owners: /^src\/cli\// },
  { name: "import.meta.env", what: /\bimport\.meta\.env\b/g, owners: /^src\/cli\// },
  { name: "process.argv", what: /\b(?:process|Bun)\.argv\b/g, owners: /^src\/(?:cli\/|main\.ts)/ },
  { name: "Date.now", what: /\bDate\.now\b/g, owners: /^src\/base\/clock\.ts$/ },
  { name: "new Date()", what: /\bnew Date(?:\(\s*\)|\s*[;,)])/g, owners: /^src\/base\/clock\.ts$/ },
  { name: "performance.now", what: /\bperformance\.now\b/g, owners: /^src\/base\/clock\.ts$/ },
  {
    name: "process.hrtime",
    what: /\bprocess\.(?:hrtime|uptime)\b/g,
    owners: /^src\/base\/clock\.ts$/,
  },
  { name: "Bun.nanoseconds", what: /\bBun\.nanoseconds\b/g, owners: /^src\/base\/clock\.ts$/ },
  { name: "Math.random", what: /\bMath\.random\b/g, owners: /^src\/base\/random\.ts$/ },
  {
    name: "a source of randomness",
    what: /\b(?:randomUUID(?:v[57])?|randomBytes|randomInt|getRandomValues|randomFillSync|randomFill)\b/g,
    owners: /^src\/base\/random\.ts$/,
  },
  { name: "console", what: /\bconsole\s*\./g, owners: /^src\/telemetry\// },
  {
    name: "process.stdout or process.stderr",
    what: /\bprocess\.std(?:out|err)\b/g,
    owners: /^src\/(?:cli|telemetry)\//,
  },
];

/** Environment, time, chance and the console come from their owners. */
export const nothingIsAmbient: Law = (sources) =>
  sources
    .filter((source) => !isTestOnly(source))
    .flatMap(({ path, text, code }) =>
      owned
        .filter(({ owners }) => !owners.test(path))
        .flatMap(({ what, name }) =>
          [...code.matchAll(what)].map(({ index }) => ({
            path,
            line: lineOf(text, index),
            rule: `${name} belongs to its owner and is passed in`,
          })),
        ),
    );

/** No file imports itself by way of others. Each cycle is reported once, at its first file. */
export const importsHaveNoCycles: Law = (sources) => {
  const byPath = new Map(sources.map((source) => [source.path, source]));
  const finished = new Set<string>();
  const violations: Violation[] = [];
  const visit = (path: string, way: readonly string[]): void => {
    if (finished.has(path)) return;
    const trail = [...way, path];
    for (const { target, line } of byPath.get(path)?.imports ?? []) {
      if (target === undefined) continue;
      const start = trail.indexOf(target);
      if (start === -1) visit(target, trail);
      else {
        const cycle = [...trail.slice(start), target].join(" → ");
        violations.push({ path, line, rule: `imports go round: ${cycle}` });
      }
    }
    finished.add(path);
  };
  for (const { path } of sources) visit(path, []);
  return violations;
};

/** A file does something of its own: one that only passes on what others export does not. */
export const noFileIsABarrel: Law = (sources) =>
  sources.flatMap(({ path, code, imports }) => {
    if (!imports.some(({ isExport }) => isExport)) return [];
    const rest = code.replace(/\b(?:import|export)\b[^;"']*(["'])\s*\1\s*;?/g, "");
    return rest.trim() === "" ? [{ path, line: 1, rule: "it only exports what others have" }] : [];
  });

export const linesMax = 400;

export const filesAreShort: Law = (sources) =>
  sources.flatMap(({ path, text }) => {
    const lines = text.replace(/\n$/, "").split("\n").length;
    if (lines <= linesMax) return [];
    return [{ path, line: linesMax + 1, rule: `it has ${lines} lines, and may have ${linesMax}` }];
  });

export const namesAreKebabCase: Law = (sources) =>
  sources.flatMap(({ path }) => {
    const isFine = path
      .replace(/(?:\.test|\.suite|\.d)?\.ts$/, "")
      .split("/")
      .every((part) => /^[a-z0-9]+(?:-[a-z0-9]+)*$/.test(part));
    return isFine ? [] : [{ path, line: 1, rule: "names are written in-kebab-case" }];
  });

const wordsMin = 20;

/** Before the first declaration of a room's main file stands what the room owns and obeys. */
export const roomsSayWhatTheyAre: Law = (sources) => {
  const there = new Set(sources.flatMap(({ path }) => roomOf(path) ?? []));
  return [...there].flatMap((room): Violation[] => {
    const main = mainFiles[room];
    const path = `src/${room}/${main ?? ""}`;
    const source = sources.find((candidate) => candidate.path === path);
    if (source === undefined) return [{ path, line: 1, rule: `the room ${room} has no main file` }];
    const declaration = /^(?!import\b)\S/m.exec(withoutImports(source.code));
    const opening = source.text.slice(0, declaration?.index ?? source.text.length);
    const paragraph = /\/\*\*[^]*?\*\//.exec(opening)?.[0] ?? "";
    const words = paragraph.match(/[\p{L}\d_`/.-]+/gu)?.length ?? 0;
    if (words >= wordsMin) return [];
    return [{ path, line: 1, rule: `it does not open with a paragraph about the room ${room}` }];
  });
};

function withoutImports(code: string): string {
  return code.replace(/^import\b[^;]*;/gm, (statement) => statement.replace(/[^\n]/g, " "));
}
