import {
  type Alias,
  type Document,
  isAlias,
  isMap,
  isScalar,
  isSeq,
  LineCounter,
  type Pair,
  parseDocument,
  type Scalar,
  type YAMLMap,
  type YAMLParseError,
} from "yaml";
import { quote } from "./quote.ts";
import type { Origin, RawEntry, RawNode } from "./raw.ts";

/** A configuration is a few kilobytes; what is larger is not one. */
const textLengthMax = 1_048_576;
/** Levels of nesting; the deepest key of the table is on level 7. */
const depthMax = 32;
/** Values after aliases are followed: ten aliases of ten of ten … would fill the memory. */
const nodesMax = 100_000;
/** A text that is not YAML at all makes an error on each line; a person reads a few. */
const problemsMax = 10;

export interface YamlProblem {
  readonly origin: Origin;
  readonly message: string;
}

export type YamlResult =
  | { readonly node: RawNode; readonly problems: readonly [] }
  | { readonly node?: undefined; readonly problems: readonly YamlProblem[] };

/**
 * Reads one YAML document into plain nodes that know where they stand. `name` is the environment
 * variable that the text comes from; without it, it is the file.
 *
 * Scalars stay text: what `yes`, `010` or `1e3` mean is for the key to say, and YAML 1.1, which
 * Distribution reads, and 1.2 do not agree on it. Never throws.
 */
export function parseYaml(text: string, environmentName?: string): YamlResult {
  const place = (line: number, column: number): Origin =>
    environmentName === undefined
      ? { kind: "file", line, column }
      : { kind: "environment", name: environmentName };
  const problem = (message: string): YamlResult => ({
    problems: [{ origin: place(1, 1), message }],
  });
  if (text.length > textLengthMax) {
    return problem(`this is longer than ${textLengthMax} characters and cannot be a configuration`);
  }
  const lines = new LineCounter();
  const originAt = (offset: number): Origin => {
    const { line, col } = lines.linePos(offset);
    return place(Math.max(line, 1), Math.max(col, 1));
  };
  try {
    const document = parseDocument(text, {
      schema: "failsafe",
      version: "1.1",
      // The library compares each key with each other one; the reader below has a set.
      uniqueKeys: false,
      prettyErrors: false,
      logLevel: "error",
      lineCounter: lines,
    });
    if (document.errors.length > 0) {
      return {
        problems: document.errors.slice(0, problemsMax).map((error) => ({
          origin: originAt(error.pos[0]),
          message: messageOf(error, environmentName !== undefined),
        })),
      };
    }
    return new Reader(originAt).read(document);
  } catch (cause) {
    // The library descends by recursion: a text of a thousand brackets ends its stack.
    return problem(`this cannot be read: ${cause instanceof Error ? cause.message : "not YAML"}`);
  }
}

/** What the library found, in words for somebody who does not call it. */
function messageOf(error: YAMLParseError, isVariable: boolean): string {
  if (error.code === "MULTIPLE_DOCS")
    return "a second document begins here; a configuration is one";
  const said = `this is not YAML: ${error.message}`;
  return isVariable
    ? `${said}; a variable's value is read as YAML, so this one may need quotes inside: '"…"'`
    : said;
}

/** Walks the library's tree once, follows aliases within limits, and collects what is wrong. */
class Reader {
  private readonly anchors = new Map<string, unknown>();
  private readonly problems: YamlProblem[] = [];
  private readonly originAt: (offset: number) => Origin;
  private readonly open = new Set<unknown>();
  private nodes = 0;

  constructor(originAt: (offset: number) => Origin) {
    this.originAt = originAt;
  }

  read(document: Document.Parsed): YamlResult {
    const node = this.node(document.contents, 0);
    return this.problems.length > 0 ? { problems: this.problems } : { node, problems: [] };
  }

  /** `source` is a node of the library; anything else is an empty value at `offset`. */
  private node(source: unknown, offset: number): RawNode {
    if (isAlias(source)) return this.alias(source);
    const start = startOf(source) ?? offset;
    const origin = this.originAt(start);
    this.nodes += 1;
    if (this.nodes > nodesMax) return this.fail(origin, `there are more than ${nodesMax} values`);
    if (this.open.size >= depthMax) {
      return this.fail(origin, `this is nested deeper than ${depthMax} levels`);
    }
    if (!isScalar(source) && !isMap(source) && !isSeq(source)) return { kind: "null", origin };
    if (source.anchor !== undefined) this.anchors.set(source.anchor, source);
    if (isScalar(source)) return this.scalar(source, origin);
    this.open.add(source);
    const node: RawNode = isMap(source)
      ? { kind: "map", entries: this.entries(source, start), origin }
      : { kind: "list", items: source.items.map((item) => this.node(item, start)), origin };
    this.open.delete(source);
    return node;
  }

  private scalar(source: Scalar, origin: Origin): RawNode {
    const text = typeof source.value === "string" ? source.value : "";
    // YAML 1.1 and 1.2 agree on these; in quotes they are text.
    const isNull = source.type === "PLAIN" && /^(?:|~|null|Null|NULL)$/.test(text);
    return isNull ? { kind: "null", origin } : { kind: "scalar", text, origin };
  }

  private alias(source: Alias): RawNode {
    const start = startOf(source) ?? 0;
    const target = this.anchors.get(source.source);
    const origin = this.originAt(start);
    if (target === undefined) {
      // Its name is not said: in a variable it may be a password that begins with a star.
      return this.fail(origin, "an alias (*) stands for nothing: no anchor (&) comes before it");
    }
    if (this.open.has(target)) {
      return this.fail(origin, "an alias (*) stands for something that contains it");
    }
    return this.node(target, start);
  }

  private entries(source: YAMLMap, start: number): Map<string, RawEntry> {
    const entries = new Map<string, RawEntry>();
    const merged = new Map<string, RawEntry>();
    for (const pair of source.items) this.pair({ pair, start, entries, merged });
    // What a map says itself wins over what it merges.
    for (const [name, entry] of merged) if (!entries.has(name)) entries.set(name, entry);
    return entries;
  }

  private pair(into: {
    readonly pair: Pair;
    readonly start: number;
    readonly entries: Map<string, RawEntry>;
    readonly merged: Map<string, RawEntry>;
  }): void {
    const { pair, start, entries, merged } = into;
    const keyStart = startOf(pair.key) ?? start;
    const keyOrigin = this.originAt(keyStart);
    const key = this.node(pair.key, keyStart);
    const value = this.node(pair.value, keyStart);
    if (key.kind !== "scalar") {
      this.fail(keyOrigin, "a key must be a word");
    } else if (key.text === "<<") {
      for (const [name, entry] of this.merge(value)) {
        if (!merged.has(name)) merged.set(name, entry);
      }
    } else if (entries.has(key.text)) {
      this.fail(keyOrigin, `the key ${quote(key.text)} is there twice`);
    } else {
      entries.set(key.text, { keyOrigin, value });
    }
  }

  /** The entries that `<<: value` brings; of a list of maps the first one wins. */
  private merge(value: RawNode): [string, RawEntry][] {
    if (value.kind === "map") return [...value.entries];
    if (value.kind === "list" && value.items.every((item) => item.kind === "map")) {
      return value.items.flatMap((item) => this.merge(item));
    }
    this.fail(value.origin, "<< takes a map or a list of maps");
    return [];
  }

  private fail(origin: Origin, message: string): RawNode {
    // Once over a limit, every further value is too.
    if (this.problems.length < problemsMax) this.problems.push({ origin, message });
    return { kind: "null", origin };
  }
}

function startOf(source: unknown): number | undefined {
  if (!isScalar(source) && !isMap(source) && !isSeq(source) && !isAlias(source)) return undefined;
  return source.range?.[0];
}
