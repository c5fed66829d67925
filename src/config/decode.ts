import { unreachable } from "../base/assert.ts";
import type { ConfigNotice } from "./config-error.ts";
import { namedMap } from "./environment.ts";
import type { Key, Standing } from "./key.ts";
import { nearestName } from "./nearest.ts";
import { quote } from "./quote.ts";
import type { Origin, RawEntry, RawMap, RawNode } from "./raw.ts";
import { formatDuration, parseBool, parseBytes, parseDurationMs, parseInteger } from "./scalars.ts";
import { type DictionaryShape, keys, type SectionShape, type Shape, shape } from "./schema.ts";

/** Durations are in milliseconds, sizes in bytes. */
export type ConfigValue = boolean | number | string | readonly string[];

export interface Decoded {
  readonly value: ConfigValue;
  readonly origin: Origin;
}

/** What a configuration says, by concrete path: `health.tcp[0].addr`, `http.headers.X-A`. */
export interface DecodedConfig {
  readonly values: ReadonlyMap<string, Decoded>;
  /** Sections that are there, also those without a key: `storage.inmemory`. */
  readonly present: ReadonlyMap<string, Origin>;
  /** The number of items of each list, by concrete path without `[]`. */
  readonly lengths: ReadonlyMap<string, number>;
  readonly problems: readonly ConfigNotice[];
  readonly warnings: readonly ConfigNotice[];
  readonly notices: readonly ConfigNotice[];
}

/** Gives the raw tree its types, and says what is unknown, of a wrong type, not needed or refused. */
export function decode(root: RawMap): DecodedConfig {
  const decoder = new Decoder(root);
  decoder.section(root, shape, "");
  return decoder;
}

/** A value's place: its key's origin for what is wrong with the key. */
interface Place {
  readonly path: string;
  readonly keyOrigin: Origin;
}

class Decoder implements DecodedConfig {
  readonly values = new Map<string, Decoded>();
  readonly present = new Map<string, Origin>();
  readonly lengths = new Map<string, number>();
  readonly problems: ConfigNotice[] = [];
  readonly warnings: ConfigNotice[] = [];
  readonly notices: ConfigNotice[] = [];
  private readonly root: RawMap;

  constructor(root: RawMap) {
    this.root = root;
  }

  section(map: RawMap, target: SectionShape, path: string): void {
    for (const [name, entry] of map.entries) {
      const place = { path: joined(path, name), keyOrigin: entry.keyOrigin };
      const child = target.fields.get(name);
      if (child !== undefined) this.child(entry, child, place);
      else if (!target.isUnneeded) this.unknown(place, name, target);
    }
  }

  private child(entry: RawEntry, target: Shape, place: Place): void {
    const { value } = entry;
    const rule = ruleOf(target);
    if (!this.isWanted(value, rule, place)) return;
    switch (target.kind) {
      case "section": {
        this.present.set(place.path, entry.keyOrigin);
        const map = namedMap(value, target);
        if (map !== undefined) this.section(map, target, place.path);
        else if (value.kind !== "null") this.mistyped(value, place, "a map of keys");
        return;
      }
      case "list":
        return this.list(value, target.item, place);
      case "dictionary":
        return this.dictionary(value, target, place);
      case "leaf":
        return this.leaf(value, target.key, place);
    }
  }

  /** Says what there is to say about the standing; false when its value is not to be read. */
  private isWanted(value: RawNode, rule: Standing, place: Place): boolean {
    if (rule.standing === undefined) return true;
    if (rule.isIdle?.(value, this.root) === true) return true;
    const notice = {
      path: place.path,
      origin: place.keyOrigin,
      message: rule.why ?? "this is not used",
    };
    if (rule.standing === "refused") {
      this.problems.push(notice);
      return false;
    }
    this.notices.push(notice);
    return true;
  }

  private list(value: RawNode, item: SectionShape, place: Place): void {
    if (value.kind === "null") return;
    if (value.kind !== "list") return this.mistyped(value, place, "a list of maps");
    this.lengths.set(place.path, value.items.length);
    for (const [index, node] of value.items.entries()) {
      const path = `${place.path}[${index}]`;
      this.present.set(path, node.origin);
      if (node.kind === "map") this.section(node, item, path);
      else if (node.kind !== "null") {
        this.mistyped(node, { path, keyOrigin: node.origin }, "a map of keys");
      }
    }
  }

  private dictionary(value: RawNode, target: DictionaryShape, place: Place): void {
    if (value.kind === "null") return;
    if (value.kind !== "map") return this.mistyped(value, place, "a map of names");
    for (const [name, entry] of value.entries) {
      const path = `${place.path}.${name}`;
      this.leaf(entry.value, target.item.key, { path, keyOrigin: entry.keyOrigin });
    }
  }

  private leaf(node: RawNode, key: Key, place: Place): void {
    if (node.kind === "null" || key.type === "unchecked") return;
    const result = decodeLeaf(node, key);
    if ("value" in result) {
      this.values.set(place.path, { value: result.value, origin: node.origin });
    } else {
      this.problems.push({ path: place.path, origin: node.origin, message: result.wrong });
    }
  }

  private mistyped(node: RawNode, place: Place, wanted: string): void {
    const message = `${describeNode(node)} is not ${wanted}`;
    this.problems.push({ path: place.path, origin: node.origin, message });
  }

  private unknown(place: Place, name: string, target: SectionShape): void {
    const hint = hintFor(name, target);
    const notice = {
      path: place.path,
      origin: place.keyOrigin,
      message: hint === undefined ? "there is no such key" : `there is no such key; ${hint}`,
    };
    // Distribution ignores what it does not know; in a variable Berth does so too, and says it.
    if (place.keyOrigin.kind === "environment") this.warnings.push(notice);
    else this.problems.push(notice);
  }
}

/** Only what was said about the section or key itself; its children have their own. */
function ruleOf(target: Shape): Standing {
  if (target.kind === "leaf") return target.key;
  return target.kind === "dictionary" ? {} : (target.section ?? {});
}

function hintFor(name: string, target: SectionShape): string | undefined {
  const sibling = nearestName(name, target.fields.keys());
  if (sibling !== undefined) return `did you mean ${joined(target.path, sibling)}?`;
  const [elsewhere, ...more] = keys.filter((key) => !key.isMember && key.path.endsWith(`.${name}`));
  // Where several have that name, none of them is more likely than the others.
  if (elsewhere === undefined || more.length > 0) return undefined;
  return `did you mean ${elsewhere.path}?`;
}

function joined(path: string, name: string): string {
  return path === "" ? name : `${path}.${name}`;
}

type LeafResult = { readonly value: ConfigValue } | { readonly wrong: string };

/** The value of `node` as `key` wants it. `node` is not null. */
export function decodeLeaf(node: RawNode, key: Key): LeafResult {
  if (key.type === "texts" || key.type === "choices") return decodeList(node, key);
  const value = node.kind === "scalar" ? decodeScalar(node.text, key) : undefined;
  if (value === undefined) return { wrong: `${shown(node, key)} is not ${wantedOf(key)}` };
  const limit = limitOf(value, key);
  return limit === undefined ? { value } : { wrong: `${shown(node, key)} is ${limit}` };
}

function decodeList(node: RawNode, key: Key): LeafResult {
  const items = node.kind === "list" ? node.items : [node];
  const values: string[] = [];
  for (const item of items) {
    // An empty item is one that the person left blank: it says nothing.
    if (item.kind === "null") continue;
    const value = item.kind === "scalar" ? decodeScalar(item.text, key) : undefined;
    if (typeof value !== "string") {
      return { wrong: `${shown(item, key)} is not ${wantedOf(key)}` };
    }
    values.push(value);
  }
  return { value: values };
}

function decodeScalar(text: string, key: Key): boolean | number | string | undefined {
  switch (key.type) {
    case "bool":
      return parseBool(text);
    case "int":
      return parseInteger(text);
    case "duration":
      return parseDurationMs(text);
    case "bytes":
      return parseBytes(text);
    case "choice":
    case "choices":
      return key.values?.find((value) => value.toLowerCase() === text.toLowerCase());
    case "text":
    case "texts":
    case "unchecked":
      return text;
    default:
      return unreachable(key.type);
  }
}

function wantedOf(key: Key): string {
  switch (key.type) {
    case "bool":
      return "true or false";
    case "int":
      return "a whole number";
    case "duration":
      return "a duration: write a number with its unit, such as 60s, 5m or 168h";
    case "bytes":
      return "a size: write a number of bytes, or one with a unit, such as 8KiB or 4MiB";
    case "choice":
    case "choices":
      return `one of ${(key.values ?? []).join(", ")}`;
    case "text":
    case "texts":
    case "unchecked":
      return "a text";
    default:
      return unreachable(key.type);
  }
}

function limitOf(value: ConfigValue, key: Key): string | undefined {
  if (typeof value !== "number") return undefined;
  const limit = (number: number): string => {
    if (key.type === "duration") return formatDuration(number);
    return key.type === "bytes" ? `${number} bytes` : String(number);
  };
  if (key.min !== undefined && value < key.min) return `less than ${limit(key.min)}`;
  if (key.max !== undefined && value > key.max) return `more than ${limit(key.max)}`;
  return undefined;
}

function shown(node: RawNode, key: Key): string {
  return key.isSecret === true ? "the value" : describeNode(node);
}

function describeNode(node: RawNode): string {
  switch (node.kind) {
    case "scalar":
      return quote(node.text);
    case "null":
      return "nothing";
    case "list":
      return "a list";
    case "map":
      return "a map";
    default:
      return unreachable(node);
  }
}
