/** What may lie on a simulated disk after a power cut. */
import type { SeededRandom } from "./seeded-random.ts";
import type { Entry, FileNode, FolderNode, Node } from "./simulated-disk.ts";

/** Pages are lost one by one. */
const pageSizeBytes = 4096;

/** A disk at one moment, which does not change any more. */
export interface FrozenDisk {
  readonly root: FolderNode;
  /** Everything that a power cut decides about, each by itself. */
  readonly doubts: readonly Doubt[];
}

/** One entry of a folder, or the bytes of one file, with what may be there afterwards. */
type Doubt =
  | {
      readonly kind: "entry";
      readonly folder: FolderNode;
      readonly name: string;
      readonly outcomes: readonly Entry[];
    }
  | { readonly kind: "bytes"; readonly file: FileNode; readonly outcomes: readonly Uint8Array[] };

/** The number of an outcome for each doubt. */
export type Choice = readonly number[];

/** Copies the tree: also what only a lost removal would bring back. */
export function freeze(root: FolderNode, random: SeededRandom): FrozenDisk {
  const copies = new Map<Node, Node>();
  const doubts: Doubt[] = [];
  const copyEntry = (entry: Entry): Entry => (entry === undefined ? undefined : copyOf(entry));
  const copyOf = (node: Node): Node => copies.get(node) ?? copy(node);
  function copy(node: Node): Node {
    const { inode, modifiedAtMs } = node;
    if (node.kind === "file") {
      const file: FileNode = { kind: "file", inode, modifiedAtMs, versions: node.versions };
      copies.set(node, file);
      const outcomes = outcomesOf(node.versions, random);
      if (outcomes.length > 1) doubts.push({ kind: "bytes", file, outcomes });
      return file;
    }
    return copyFolder(node);
  }
  function copyFolder(node: FolderNode): FolderNode {
    const { inode, modifiedAtMs } = node;
    const folder: FolderNode = { kind: "folder", inode, modifiedAtMs, entries: new Map() };
    copies.set(node, folder);
    for (const [name, history] of node.entries) {
      const outcomes = history.map(copyEntry);
      folder.entries.set(name, outcomes);
      if (outcomes.length > 1) doubts.push({ kind: "entry", folder, name, outcomes });
    }
    return folder;
  }
  return { root: copyFolder(root), doubts };
}

/** What a file may hold: any version since its sync, or the last one in part. */
function outcomesOf(versions: readonly Uint8Array[], random: SeededRandom): readonly Uint8Array[] {
  const before = versions[0] ?? new Uint8Array();
  const after = versions.at(-1) ?? before;
  if (versions.length < 2 || after.byteLength === 0) return versions;
  // The size is on the disk, and of the bytes nothing, a first part, or some pages.
  const onlySize = new Uint8Array(after.byteLength);
  onlySize.set(before.subarray(0, after.byteLength));
  const cut = after.subarray(0, random.below(after.byteLength));
  const pages = onlySize.slice();
  for (let start = 0; start < after.byteLength; start += pageSizeBytes) {
    const isThere = after.byteLength > pageSizeBytes && random.below(2) === 0;
    if (isThere) pages.set(after.subarray(start, start + pageSizeBytes), start);
  }
  const torn = onlySize.slice();
  torn.set(after.subarray(0, cut.byteLength));
  // Last is what readers saw, as for entries.
  return [...versions.slice(0, -1), onlySize, cut, pages, torn, after];
}

/**
 * Choices to try: all of them when they are `max` at most. Otherwise nothing is there, all is
 * there, and unless it is to be brief each doubt alone, all but each, and what `random` says.
 */
export function* choicesOf(
  { doubts }: FrozenDisk,
  options: { readonly max: number; readonly isBrief: boolean; readonly random: SeededRandom },
): Generator<Choice> {
  const counts = doubts.map(({ outcomes }) => outcomes.length);
  const all = counts.reduce((product, count) => product * count, 1);
  if (all <= options.max) {
    for (let index = 0; index < all; index += 1) yield choiceAt(index, counts);
    return;
  }
  const none = counts.map(() => 0);
  const whole = counts.map((count) => count - 1);
  yield none;
  yield whole;
  if (options.isBrief) return;
  for (const [index, count] of counts.entries()) {
    for (let outcome = 1; outcome < count; outcome += 1) yield none.with(index, outcome);
    for (let outcome = 0; outcome < count - 1; outcome += 1) yield whole.with(index, outcome);
  }
  for (let index = 0; index < options.max; index += 1) {
    yield counts.map((count) => options.random.below(count));
  }
}

function choiceAt(index: number, counts: Choice): Choice {
  let rest = index;
  return counts.map((count) => {
    const outcome = rest % count;
    rest = Math.floor(rest / count);
    return outcome;
  });
}

/** The disk as the machine finds it when it is switched on again; all that is there is durable. */
export function afterPowerCut(frozen: FrozenDisk, choice: Choice): FolderNode {
  const entries = new Map<readonly Entry[], Entry>();
  const contents = new Map<FileNode, Uint8Array | undefined>();
  for (const [index, doubt] of frozen.doubts.entries()) {
    const outcome = choice[index] ?? 0;
    if (doubt.kind === "bytes") contents.set(doubt.file, doubt.outcomes[outcome]);
    else entries.set(doubt.outcomes, doubt.outcomes[outcome]);
  }
  const copies = new Map<Node, Node>();
  function copyOf(node: Node): Node {
    const known = copies.get(node);
    if (known !== undefined) return known;
    if (node.kind === "folder") return copyFolder(node);
    const bytes = contents.get(node) ?? node.versions.at(-1) ?? new Uint8Array();
    const { inode, modifiedAtMs } = node;
    const file: FileNode = { kind: "file", inode, modifiedAtMs, versions: [bytes] };
    copies.set(node, file);
    return file;
  }
  function copyFolder(node: FolderNode): FolderNode {
    const { inode, modifiedAtMs } = node;
    const folder: FolderNode = { kind: "folder", inode, modifiedAtMs, entries: new Map() };
    copies.set(node, folder);
    for (const [name, history] of node.entries) {
      const entry = entries.has(history) ? entries.get(history) : history.at(-1);
      if (entry !== undefined) folder.entries.set(name, [copyOf(entry)]);
    }
    return folder;
  }
  return copyFolder(frozen.root);
}

/** Equal for disks with equal names and bytes. */
export function fingerprintOf(root: FolderNode): string {
  const hasher = new Bun.CryptoHasher("sha1");
  const add = (folder: FolderNode): void => {
    for (const name of [...folder.entries.keys()].sort()) {
      const node = folder.entries.get(name)?.at(-1);
      if (node?.kind === "file") {
        const bytes = node.versions.at(-1) ?? new Uint8Array();
        hasher.update(`f${name}/${bytes.byteLength}/`).update(bytes);
      } else if (node !== undefined) {
        hasher.update(`d${name}/`);
        add(node);
        hasher.update("/");
      }
    }
  };
  add(root);
  return hasher.digest("base64");
}
