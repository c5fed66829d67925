import { unreachable } from "../base/assert.ts";
import type { ConfigNotice } from "./config-error.ts";
import { nearestName } from "./nearest.ts";
import type { Origin, RawEntry, RawMap, RawNode } from "./raw.ts";
import { mapOf, withEntry } from "./raw.ts";
import {
  type DictionaryShape,
  environmentNameOf,
  keys,
  type LeafShape,
  type ListShape,
  type SectionShape,
  type Shape,
  sections,
  shape,
} from "./schema.ts";
import { parseYaml } from "./yaml.ts";

const prefix = "REGISTRY_";
/** Read by the command line, which hands the file's text to this room. */
const notKeys: ReadonlySet<string> = new Set(["REGISTRY_CONFIGURATION_PATH"]);

/** The environment, as a plain record: names to values. */
export type Environment = Readonly<Record<string, string | undefined>>;

export interface Overridden {
  readonly root: RawMap;
  readonly problems: readonly ConfigNotice[];
  readonly warnings: readonly ConfigNotice[];
}

/**
 * Lays the `REGISTRY_*` variables over `root`, as Distribution does.
 *
 * In the order of their names, so that `REGISTRY_STORAGE` replaces the whole map before
 * `REGISTRY_STORAGE_FILESYSTEM_ROOTDIRECTORY` adds to it. Segments between `_` walk down: a
 * struct's field by its Go name in upper case, a map's key without regard to case, a list's item
 * by its index or, to append, its length. Each value is YAML.
 *
 * Three things differ, each because Distribution drops what the person asked for: an index into a
 * list of plain values sets it, a variable may reach into a map below `storage` that the file
 * already has, and a header is replaced where its name differs in case only.
 */
export function applyEnvironment(root: RawMap, environment: Environment): Overridden {
  const override = new Override();
  let current: RawNode = root;
  const names = Object.keys(environment).filter((name) => name.startsWith(prefix));
  for (const name of names.sort()) {
    const text = environment[name];
    if (text === undefined || notKeys.has(name)) continue;
    current = override.apply(current, name, text);
  }
  return {
    root: current.kind === "map" ? current : root,
    problems: override.problems,
    warnings: override.warnings,
  };
}

/** One step down: the node that is there, and what the rest of the name says about it. */
interface Step {
  readonly node: RawNode | undefined;
  readonly segments: readonly string[];
}

class Override {
  readonly problems: ConfigNotice[] = [];
  readonly warnings: ConfigNotice[] = [];
  private origin: Origin = { kind: "default" };
  private value: RawNode = { kind: "null", origin: this.origin };
  private isUnknown = false;

  apply(root: RawNode, name: string, text: string): RawNode {
    this.origin = { kind: "environment", name };
    this.isUnknown = false;
    const segments = name.slice(prefix.length).split("_");
    if (segments.length === 1 && segments[0] === "VERSION") {
      this.warn("the version cannot be set by the environment; this is ignored");
      return root;
    }
    const parsed = parseYaml(text, name);
    this.value = parsed.node ?? { kind: "null", origin: this.origin };
    const before = this.problems.length;
    const changed = this.descend({ node: root, segments }, shape);
    if (this.isUnknown) this.warn(unknownVariable(name));
    // What names no key may have any value: it is another program's.
    else if (parsed.node === undefined) this.problems.push(...parsed.problems);
    return this.isUnknown || this.problems.length > before ? root : (changed ?? root);
  }

  private warn(message: string): void {
    this.warnings.push({ origin: this.origin, message });
  }

  /** The node that takes the place of `step.node`. */
  private descend(step: Step, target: Shape): RawNode | undefined {
    if (step.segments.length === 0) return this.value;
    switch (target.kind) {
      case "section":
        return this.intoSection(step, target);
      case "list":
        return this.intoList(step, target);
      case "dictionary":
        return this.intoDictionary(step, target);
      case "leaf":
        return this.intoLeaf(step, target);
      default:
        return unreachable(target);
    }
  }

  private intoSection(step: Step, target: SectionShape): RawNode | undefined {
    const [segment = "", ...rest] = step.segments;
    if (segment === target.section?.inlined && rest.length > 0) {
      return this.descend({ node: step.node, segments: rest }, target);
    }
    const name = fieldNamed(target, segment);
    const child = name === undefined ? undefined : target.fields.get(name);
    if (name === undefined || child === undefined) return this.unknown(step);
    const map = this.mapFrom(step.node, target);
    if (map === undefined) return step.node;
    return this.withChild(map, { name, shape: child, segments: rest });
  }

  private intoList(step: Step, target: ListShape): RawNode | undefined {
    const [segment = "", ...rest] = step.segments;
    return this.atIndex(step.node, segment, (item) =>
      this.descend({ node: item, segments: rest }, target.item),
    );
  }

  private intoDictionary(step: Step, target: DictionaryShape): RawNode | undefined {
    const [segment = "", ...rest] = step.segments;
    const map = this.mapFrom(step.node, undefined);
    if (map === undefined) return step.node;
    const wanted = segment.toLowerCase();
    const existing = [...map.entries.keys()].find((name) => name.toLowerCase() === wanted);
    const name = existing ?? wanted;
    return this.withChild(map, { name, shape: target.item, segments: rest });
  }

  private intoLeaf(step: Step, target: LeafShape): RawNode | undefined {
    const [segment = "", ...rest] = step.segments;
    const { type } = target.key;
    if (type === "texts" || type === "choices") {
      const node: RawNode | undefined =
        step.node?.kind === "scalar"
          ? { kind: "list", items: [step.node], origin: step.node.origin }
          : step.node;
      // A word is no index but the rest of a name: REGISTRY_HTTP_HEADERS_X_FRAME.
      if (rest.length > 0 || !isIndex(segment)) return this.unknown(step);
      return this.atIndex(node, segment, () => this.value);
    }
    if (type !== "unchecked") return this.unknown(step);
    // Nobody looks at what is below, but that it is there has to be seen.
    const map = this.mapFrom(step.node, undefined);
    if (map === undefined) return this.value;
    return this.withChild(map, { name: segment.toLowerCase(), shape: target, segments: rest });
  }

  private withChild(
    map: RawMap,
    child: { readonly name: string; readonly shape: Shape; readonly segments: readonly string[] },
  ): RawNode {
    const existing = map.entries.get(child.name);
    const step = { node: existing?.value, segments: child.segments };
    const value = this.descend(step, child.shape);
    if (value === undefined) return map;
    // A key that was there stays where it was; what is new stands in the environment.
    const keyOrigin =
      child.segments.length > 0 ? (existing?.keyOrigin ?? this.origin) : this.origin;
    const entry: RawEntry = { keyOrigin, value };
    return withEntry(map, child.name, entry);
  }

  private atIndex(
    node: RawNode | undefined,
    segment: string,
    change: (item: RawNode | undefined) => RawNode | undefined,
  ): RawNode | undefined {
    const items = node?.kind === "list" ? node.items : [];
    if (!isIndex(segment)) {
      return this.refuse(node, `${segment} is not an index; a list's items are 0, 1, 2 …`);
    }
    const index = Number(segment);
    if (index > items.length) {
      return this.refuse(
        node,
        `there is no item ${index}: the list has ${items.length} before this variable, which comes ` +
          "in the order of the names",
      );
    }
    const item = change(items[index]);
    if (item === undefined) return node;
    const changed = [...items];
    changed[index] = item;
    return { kind: "list", items: changed, origin: node?.origin ?? this.origin };
  }

  private refuse(node: RawNode | undefined, message: string): RawNode | undefined {
    this.problems.push({ origin: this.origin, message });
    return node;
  }

  private unknown(step: Step): RawNode | undefined {
    this.isUnknown = true;
    return step.node;
  }

  /** `node` as a map; undefined when it is a value of another kind, which is reported later. */
  private mapFrom(node: RawNode | undefined, target: SectionShape | undefined): RawMap | undefined {
    const empty: RawMap = { kind: "map", entries: new Map(), origin: this.origin };
    if (node === undefined || node.kind === "null") return empty;
    return target === undefined ? mapOf(node) : namedMap(node, target);
  }
}

function isIndex(segment: string): boolean {
  return /^\d{1,6}$/.test(segment);
}

/** `storage: inmemory` is short for `storage: {inmemory: {}}`; undefined when it is no map. */
export function namedMap(node: RawNode, target: SectionShape): RawMap | undefined {
  if (node.kind !== "scalar" || target.section?.isNameable !== true) return mapOf(node);
  const { origin } = node;
  const value: RawNode = { kind: "null", origin };
  return { kind: "map", entries: new Map([[node.text, { keyOrigin: origin, value }]]), origin };
}

/** The field that an environment variable's segment means. */
function fieldNamed(target: SectionShape, segment: string): string | undefined {
  for (const [name, child] of target.fields) {
    const section = child.kind === "section" || child.kind === "list" ? child.section : undefined;
    const wanted = section?.goName ?? name.toUpperCase();
    if (wanted === (target.isMap ? segment.toUpperCase() : segment)) return name;
  }
  return undefined;
}

/**
 * Names that work, by the name a person would guess from the keys. No variable can set a key with
 * `_` in its name.
 */
const knownNames = new Map(
  [...sections, ...keys].flatMap(({ path }) => {
    if (path.includes("_")) return [];
    const works = environmentNameOf(path).replace("<name>", "NAME");
    const guess = `${prefix}${path.replaceAll("[]", ".0").replaceAll(".", "_")}`.toUpperCase();
    return [
      [guess.replace("<NAME>", "NAME"), works],
      [works, works],
    ];
  }),
);

const headersPrefix = `${environmentNameOf("http.headers")}_`;

function unknownVariable(name: string): string {
  const ignored = "there is no such key, so this variable is ignored";
  if (name.startsWith(headersPrefix)) {
    const header = name.slice(headersPrefix.length).replaceAll("_", "-");
    return `${ignored}; a header's name keeps its -: ${headersPrefix}${header}`;
  }
  const guess = name.toUpperCase().replace(/_\d+(?=_|$)/g, "_0");
  const nearest =
    knownNames.get(guess) ?? knownNames.get(nearestName(guess, knownNames.keys(), 6) ?? "");
  const hint = nearest === undefined ? "" : `; did you mean ${nearest}?`;
  return `${ignored}${hint}`;
}
