import { RegistryError } from "./problems.ts";

/**
 * Reads JSON that strangers wrote, before `JSON.parse` sees it.
 *
 * One pass over the bytes refuses what costs too much (depth, number of values: a 4 MiB bomb
 * takes a parser a second) and what two parsers read differently: Go clients match known keys
 * without regard to case and take the last of two equal ones, so a registry that kept only
 * the exact spelling would collect blobs that clients still need.
 */

const jsonDepthMax = 32;
/** Objects and arrays in one document; an index of 10,000 children has about 30,000. */
const containersMax = 60_000;
const keysMax = 150_000;
/** Members of one manifest, descriptor or platform; the specification knows about ten. */
const structureKeysMax = 1_000;
/** Members and entries in one document; those of 10,000 children are about 200,000. */
const commasMax = 300_000;
/** Characters of one number; a size has sixteen at most. */
const numberLengthMax = 64;

/** Known keys of manifests, descriptors and platforms, by their lower-case form. */
const knownKeys: ReadonlyMap<string, string> = new Map(
  [
    "schemaVersion",
    "mediaType",
    "artifactType",
    "config",
    "layers",
    "manifests",
    "blobs",
    "subject",
    "annotations",
    "digest",
    "size",
    "urls",
    "data",
    "platform",
    "architecture",
    "os",
    "os.version",
    "os.features",
    "variant",
  ].map((key) => [key.toLowerCase(), key]),
);

/** Keys whose values are read as structure; inside other values every key is a stranger's own. */
const structuralKeys: ReadonlySet<string> = new Set([
  "config",
  "layers",
  "manifests",
  "blobs",
  "subject",
  "platform",
]);

/** Characters of the longest known key, and the quotes around it. */
const knownKeyLengthMax = Math.max(...Array.from(knownKeys.keys(), (key) => key.length)) + 2;

const quote = 0x22;
const backslash = 0x5c;

/**
 * The value that `bytes` spell.
 *
 * @throws {RegistryError} `manifestInvalid` for anything that is not one strict document.
 */
export function parseStrictJson(bytes: Uint8Array): unknown {
  scan(bytes);
  let text: string;
  try {
    text = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch (cause) {
    throw new RegistryError("manifestInvalid", { why: "it is not UTF-8" }, { cause });
  }
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new RegistryError("manifestInvalid", { why: "it is not JSON" }, { cause });
  }
}

/** What the scanner knows of one open object or array. */
interface Container {
  readonly isObject: boolean;
  /** False inside values that are not structure, such as annotations. */
  readonly isStructure: boolean;
  /** True when the next string is a key. */
  expectsKey: boolean;
  /** The last key read: says whether the container that follows is structure. */
  lastKey: string;
  keys: number;
  readonly seen: Set<string>;
}

function scan(bytes: Uint8Array): void {
  const open: Container[] = [];
  let containers = 0;
  let keys = 0;
  let commas = 0;
  let numberLength = 0;
  for (let index = 0; index < bytes.length; index += 1) {
    const byte = bytes[index];
    const top = open.at(-1);
    if (byte === quote) {
      const end = endOfString(bytes, index);
      numberLength = 0;
      if (top?.expectsKey === true) {
        keys += 1;
        if (keys > keysMax) refuse(`it has more than ${keysMax} members`);
        top.expectsKey = false;
        top.keys += 1;
        if (top.isStructure && top.keys > structureKeysMax) {
          refuse(`an object has more than ${structureKeysMax} members`);
        }
        if (top.isStructure) noteKey(top, bytes.subarray(index, end + 1));
      }
      index = end;
    } else if (byte === 0x7b || byte === 0x5b) {
      containers += 1;
      if (containers > containersMax) refuse(`it has more than ${containersMax} values`);
      if (open.length >= jsonDepthMax) refuse(`it is nested deeper than ${jsonDepthMax} levels`);
      open.push(openContainer(top, byte === 0x7b));
    } else if (byte === 0x7d || byte === 0x5d) {
      open.pop();
    } else if (byte === 0x2c) {
      commas += 1;
      numberLength = 0;
      if (commas > commasMax) refuse(`it has more than ${commasMax} members and entries`);
      if (top?.isObject === true) top.expectsKey = true;
    } else if (byte !== undefined && byte >= 0x30 && byte <= 0x39) {
      numberLength += 1;
      if (numberLength > numberLengthMax) refuse("a number has too many digits");
    }
  }
}

function openContainer(parent: Container | undefined, isObject: boolean): Container {
  const isStructure =
    parent === undefined ||
    (parent.isStructure && (!parent.isObject || structuralKeys.has(parent.lastKey)));
  return { isObject, isStructure, expectsKey: isObject, lastKey: "", keys: 0, seen: new Set() };
}

/** Index of the closing quote of the string that opens at `start`. */
function endOfString(bytes: Uint8Array, start: number): number {
  let end = bytes.indexOf(quote, start + 1);
  while (end !== -1) {
    let escapes = 0;
    while (bytes[end - 1 - escapes] === backslash) escapes += 1;
    if (escapes % 2 === 0) return end;
    end = bytes.indexOf(quote, end + 1);
  }
  return refuse("a string has no end");
}

/** Remembers a key of a structural object and refuses a second or a misspelt known one. */
function noteKey(object: Container, quoted: Uint8Array): void {
  // Known keys are short; a longer one, even all in \uXXXX escapes, cannot fold to one of them.
  if (quoted.length > 128) {
    object.lastKey = "";
    return;
  }
  const isPlain = !quoted.some((byte) => byte === backslash || byte >= 0x80);
  if (isPlain && quoted.length > knownKeyLengthMax) {
    object.lastKey = "";
    return;
  }
  const key = isPlain ? asciiOf(quoted.subarray(1, -1)) : decodeKey(quoted);
  object.lastKey = key;
  const known = knownKeys.get(foldCase(key));
  if (known === undefined) return;
  if (known !== key) refuse(`the member ${key} differs from ${known} in case only`);
  if (object.seen.has(key)) refuse(`the member ${key} stands twice in one object`);
  object.seen.add(key);
}

function asciiOf(bytes: Uint8Array): string {
  return String.fromCharCode(...bytes);
}

function decodeKey(quoted: Uint8Array): string {
  try {
    const key: unknown = JSON.parse(new TextDecoder().decode(quoted));
    if (typeof key === "string") return key;
  } catch {
    // Falls through: a key that cannot be read is refused below like any other broken JSON.
  }
  return refuse("it is not JSON");
}

/** Lower case as Go's decoder folds it: long s and the Kelvin sign count as s and k. */
function foldCase(key: string): string {
  return key.replaceAll("\u017F", "s").replaceAll("\u212A", "k").toLowerCase();
}

export type JsonObject = Readonly<Record<string, unknown>>;

export function isObject(value: unknown): value is JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** @throws {RegistryError} `manifestInvalid`. */
export function refuse(why: string): never {
  throw new RegistryError("manifestInvalid", { why });
}
