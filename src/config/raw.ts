import { unreachable } from "../base/assert.ts";

/** Where a value came from. Lines and columns count from 1, as editors do. */
export type Origin =
  | { readonly kind: "default" }
  | { readonly kind: "file"; readonly line: number; readonly column: number }
  | { readonly kind: "environment"; readonly name: string };

/** What YAML says before any key gives it a meaning: scalars are still text. */
export type RawNode = RawScalar | RawNull | RawList | RawMap;

export interface RawScalar {
  readonly kind: "scalar";
  readonly text: string;
  readonly origin: Origin;
}

/** An empty value, `~` or `null`: the key is there, its value is not. */
interface RawNull {
  readonly kind: "null";
  readonly origin: Origin;
}

interface RawList {
  readonly kind: "list";
  readonly items: readonly RawNode[];
  readonly origin: Origin;
}

export interface RawMap {
  readonly kind: "map";
  /** In the order of the text. */
  readonly entries: ReadonlyMap<string, RawEntry>;
  readonly origin: Origin;
}

export interface RawEntry {
  /** Where the key stands, which is where a person looks for it. */
  readonly keyOrigin: Origin;
  readonly value: RawNode;
}

/** `node` when it is a map. */
export function mapOf(node: RawNode): RawMap | undefined {
  return node.kind === "map" ? node : undefined;
}

/** The value at `path` (keys joined by dots) below `node`; undefined when it is not there. */
export function rawAt(node: RawNode | undefined, path: string): RawNode | undefined {
  let current = node;
  for (const name of path.split(".")) {
    if (current?.kind !== "map") return undefined;
    current = current.entries.get(name)?.value;
  }
  return current;
}

/** True for what says nothing: no value, an empty text, an empty list, a map of such. */
export function isRawEmpty(node: RawNode | undefined): boolean {
  switch (node?.kind) {
    case undefined:
    case "null":
      return true;
    case "scalar":
      return node.text === "";
    case "list":
      return node.items.length === 0;
    case "map":
      return [...node.entries.values()].every((entry) => isRawEmpty(entry.value));
    default:
      return unreachable(node);
  }
}

/** `map` with `name` set to `value`. */
export function withEntry(map: RawMap, name: string, entry: RawEntry): RawMap {
  return { ...map, entries: new Map([...map.entries, [name, entry]]) };
}

/** For people: `config.yml:12:3`, `environment REGISTRY_HTTP_ADDR` or `default`. */
export function describeOrigin(origin: Origin, fileName = "configuration"): string {
  switch (origin.kind) {
    case "default":
      return "default";
    case "file":
      return `${fileName}:${origin.line}:${origin.column}`;
    case "environment":
      return `environment ${origin.name}`;
    default:
      return unreachable(origin);
  }
}
