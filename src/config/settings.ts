import { assert } from "../base/assert.ts";
import type { ConfigNotice } from "./config-error.ts";
import { type ConfigValue, type Decoded, type DecodedConfig, decodeLeaf } from "./decode.ts";
import type { Origin } from "./raw.ts";
import { keyOf, keys, type PathOf } from "./schema.ts";
import { parseYaml } from "./yaml.ts";

const byDefault: Origin = { kind: "default" };

/**
 * Reads decoded values by path, each as its type, with the table's default where nothing is set.
 *
 * `index` takes the place of `[]` in the path of a list's key.
 */
export class Settings {
  readonly problems: ConfigNotice[];
  readonly warnings: ConfigNotice[];
  /** Every value that counts, the defaults too, by concrete path. */
  readonly effective = new Map<string, Decoded>();
  private readonly decoded: DecodedConfig;

  constructor(decoded: DecodedConfig) {
    this.decoded = decoded;
    this.problems = [...decoded.problems];
    this.warnings = [...decoded.warnings];
  }

  bool(path: PathOf<"bool">): boolean {
    const value = this.value(path)?.value;
    assert(typeof value === "boolean", `${path} has a default`);
    return value;
  }

  number(path: PathOf<"int"> | PathOf<"duration"> | PathOf<"bytes">, index?: number): number {
    const value = this.value(path, index)?.value;
    assert(typeof value === "number", `${path} has a default`);
    return value;
  }

  /** Undefined when it is neither set nor has a default, or when it is empty. */
  text(path: PathOf<"text">, index?: number): string | undefined {
    const value = this.value(path, index)?.value;
    return typeof value === "string" && value !== "" ? value : undefined;
  }

  texts(path: PathOf<"texts"> | PathOf<"choices">, index?: number): readonly string[] {
    const value = this.value(path, index)?.value;
    return Array.isArray(value) ? value : [];
  }

  /** The one of `values`, the row's own, that is chosen. */
  choice<Value extends string>(path: PathOf<"choice">, values: readonly Value[]): Value {
    const text = this.value(path)?.value;
    const value = values.find((candidate) => candidate === text);
    assert(value !== undefined, `${path} has a default that is one of its values`);
    return value;
  }

  /** The values by name below `path`, whose last part is `<name>`. */
  dictionary(
    path: Extract<PathOf<"text" | "texts">, `${string}.<name>`>,
    index?: number,
  ): ReadonlyMap<string, readonly string[]> {
    const prefix = concrete(path, index).replace("<name>", "");
    const found = new Map<string, readonly string[]>();
    for (const [name, decoded] of this.decoded.values) {
      if (!name.startsWith(prefix)) continue;
      this.effective.set(name, decoded);
      found.set(name.slice(prefix.length), textsOf(decoded.value));
    }
    return found;
  }

  /** The number of items of the list at `path`. */
  length(path: string): number {
    return this.decoded.lengths.get(path) ?? 0;
  }

  isPresent(path: string): boolean {
    return this.decoded.present.has(path);
  }

  /** True when the value is set, be it to its default. */
  isSet(path: string): boolean {
    return this.decoded.values.has(path);
  }

  /** Records the value of a key that is not set: it comes from the key `source`, or by default. */
  derive(path: PathOf<"text" | "choice">, value: string, source?: PathOf<"choice">): void {
    const from = source === undefined ? undefined : this.decoded.values.get(source)?.origin;
    this.effective.set(path, { value, origin: from ?? byDefault });
  }

  /** Records that something is wrong with the value at the concrete `path`, or with its lack. */
  problem(path: string, message: string): void {
    const origin = this.originOf(path);
    this.problems.push(origin === undefined ? { path, message } : { path, origin, message });
  }

  warning(path: string, message: string): void {
    const origin = this.originOf(path);
    this.warnings.push(origin === undefined ? { path, message } : { path, origin, message });
  }

  private originOf(path: string): Origin | undefined {
    const own = this.decoded.values.get(path)?.origin ?? this.decoded.present.get(path);
    const above = path.slice(0, Math.max(path.lastIndexOf("."), 0));
    return own ?? (above === "" ? undefined : this.originOf(above));
  }

  private value(path: string, index?: number): Decoded | undefined {
    const name = concrete(path, index);
    const decoded = this.decoded.values.get(name) ?? defaultOf(path);
    if (decoded !== undefined) this.effective.set(name, decoded);
    return decoded;
  }
}

function concrete(path: string, index: number | undefined): string {
  return index === undefined ? path : path.replace("[]", `[${index}]`);
}

function textsOf(value: ConfigValue): readonly string[] {
  return typeof value === "object" ? value : [String(value)];
}

const defaults: ReadonlyMap<string, Decoded> = new Map(
  keys.flatMap((key) => {
    if (key.default === undefined) return [];
    const { node } = parseYaml(key.default);
    assert(node !== undefined, `the default of ${key.path} is YAML`);
    const result = decodeLeaf(node, keyOf(key.path));
    assert("value" in result, `the default of ${key.path} is of its type`);
    return [[key.path, { value: result.value, origin: byDefault }] as const];
  }),
);

function defaultOf(path: string): Decoded | undefined {
  return defaults.get(path);
}
