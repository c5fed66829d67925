/**
 * The room of the configuration: every key there is, with its type, its default and a sentence
 * (`keys/`), how `config.yml` and `REGISTRY_*` variables become one `Config` (`load.ts`), and how
 * it is shown (`redact.ts`, `reference.ts`).
 *
 * It obeys Distribution's format, version 0.1, and its rules for the environment, so that a
 * `config.yml` and an environment move over unchanged. It refuses to know what the keys are used
 * for, and it neither reads files nor the process's environment: both are handed in.
 *
 * The table is the schema. A key that is not in it does not exist; the reference, the example
 * file, the names of environment variables and the checks are all made from it.
 */
import type { Key, Section } from "./key.ts";
import { authKeys, authSections } from "./keys/auth-keys.ts";
import { gcKeys, gcSections } from "./keys/gc-keys.ts";
import { httpKeys, httpSections } from "./keys/http-keys.ts";
import { logKeys, logSections } from "./keys/log-keys.ts";
import { otherKeys, otherSections } from "./keys/other-keys.ts";
import { retentionKeys, retentionSections } from "./keys/retention-keys.ts";
import { storageKeys, storageSections } from "./keys/storage-keys.ts";
import { trashKeys, trashSections } from "./keys/trash-keys.ts";

const table = [
  ...otherKeys,
  ...logKeys,
  ...storageKeys,
  ...gcKeys,
  ...trashKeys,
  ...authKeys,
  ...httpKeys,
  ...retentionKeys,
] as const;

/** The paths of the keys of one type, so that a key read as what it is not does not compile. */
export type PathOf<Type extends Key["type"]> = Extract<
  (typeof table)[number],
  { readonly type: Type }
>["path"];

export const sections: readonly Section[] = [
  ...logSections,
  ...storageSections,
  ...gcSections,
  ...trashSections,
  ...authSections,
  ...httpSections,
  ...retentionSections,
  ...otherSections,
];

/** Every key, the members of sections included. */
export const keys: readonly Key[] = [...table, ...sections.flatMap(membersOf)];

/** Keys and sections form one tree; each level knows its children by name. */
export type Shape = SectionShape | ListShape | DictionaryShape | LeafShape;

export interface SectionShape {
  readonly kind: "section";
  readonly path: string;
  readonly section: Section | undefined;
  /** Distribution has a map here or above, so names are found without regard to case. */
  readonly isMap: boolean;
  /** Berth needs nothing of what is here or below, so it does not ask what that is. */
  readonly isUnneeded: boolean;
  readonly fields: Map<string, Shape>;
}

/** A list of maps. `path` ends in `[]`. */
export interface ListShape {
  readonly kind: "list";
  readonly path: string;
  readonly section: Section | undefined;
  readonly item: SectionShape;
}

/** A map whose names the person chooses. */
export interface DictionaryShape {
  readonly kind: "dictionary";
  readonly path: string;
  readonly item: LeafShape;
}

export interface LeafShape {
  readonly kind: "leaf";
  readonly path: string;
  readonly key: Key;
}

const sectionsByPath = new Map(sections.map((section) => [section.path, section]));
const keysByPath = new Map(keys.map((key) => [key.path, key]));

export const shape: SectionShape = buildShape();

/** The row of `path`, which must be in the table. */
export function keyOf(path: string): Key {
  const key = keysByPath.get(path);
  if (key === undefined) throw new Error(`the table of keys has no ${path}`);
  return key;
}

/** The variable that sets the key or section at `path`; `0` stands for the index of a list. */
export function environmentNameOf(path: string): string {
  const names: string[] = ["REGISTRY"];
  const parts = path.split(".");
  for (const [index, part] of parts.entries()) {
    const section = sectionsByPath.get(parts.slice(0, index + 1).join("."));
    const isList = part.endsWith("[]");
    names.push(section?.goName ?? environmentSegment(part));
    if (isList) names.push("0");
  }
  return names.join("_");
}

function environmentSegment(part: string): string {
  return part.startsWith("<") ? part : part.replace("[]", "").toUpperCase();
}

function membersOf(section: Section): Key[] {
  return (section.members ?? []).map((name) => ({
    path: `${section.path}.${name}`,
    type: "unchecked",
    prose: section.prose,
    isMember: true,
  }));
}

function buildShape(): SectionShape {
  const root: SectionShape = {
    kind: "section",
    path: "",
    section: undefined,
    isMap: false,
    isUnneeded: false,
    fields: new Map(),
  };
  // Sections first, so that one without keys (storage.inmemory) is there too.
  for (const section of sections) sectionAt(root, section.path.split("."));
  for (const key of keys) {
    const parts = key.path.split(".");
    const name = parts.pop() ?? "";
    if (name.startsWith("<")) placeDictionary(root, parts, key);
    else sectionAt(root, parts).fields.set(name, { kind: "leaf", path: key.path, key });
  }
  return root;
}

/** The section at `parts`, made with all above it where it is not there yet. */
function sectionAt(root: SectionShape, parts: readonly string[]): SectionShape {
  let current = root;
  for (const part of parts) {
    const name = part.replace("[]", "");
    const existing = current.fields.get(name);
    if (existing?.kind === "section") {
      current = existing;
      continue;
    }
    if (existing?.kind === "list") {
      current = existing.item;
      continue;
    }
    const path = current.path === "" ? part : `${current.path}.${part}`;
    const section = sectionsByPath.get(path);
    const isMap = current.isMap || section?.isMap === true;
    const isUnneeded = current.isUnneeded || section?.standing === "accepted";
    const fields = new Map<string, Shape>();
    const made: SectionShape = { kind: "section", path, section, isMap, isUnneeded, fields };
    const isList = part.endsWith("[]");
    current.fields.set(name, isList ? { kind: "list", path, section, item: made } : made);
    current = made;
  }
  return current;
}

function placeDictionary(root: SectionShape, parts: string[], key: Key): void {
  const path = parts.join(".");
  const name = parts.pop() ?? "";
  const item: LeafShape = { kind: "leaf", path: key.path, key };
  sectionAt(root, parts).fields.set(name, { kind: "dictionary", path, item });
}
