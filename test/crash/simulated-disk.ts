/**
 * A disk in memory that knows what a power cut may take from it.
 *
 * It promises no more than POSIX does. What was written to a file may be lost until that file is
 * synced; an entry of a folder may be lost until that folder is synced, each entry by itself, so
 * that a rename between two folders may leave both names, one, or none. A sync of a file does
 * not make its name durable, and a sync of a folder not the name of that folder.
 */
import type { Clock } from "../../src/base/clock.ts";
import type {
  FileStat,
  FileSystem,
  FolderEntry,
  ReadableFile,
  WritableFile,
} from "../../src/storage/drivers/file-system.ts";

export interface FileNode {
  readonly kind: "file";
  readonly inode: number;
  /** What the file held since its last sync: first what is durable, last what readers see. */
  versions: readonly Uint8Array[];
  modifiedAtMs: number;
}

export interface FolderNode {
  readonly kind: "folder";
  readonly inode: number;
  /** By name, what it meant since the last sync of this folder: first durable, last visible. */
  readonly entries: Map<string, readonly Entry[]>;
  modifiedAtMs: number;
}

export type Node = FileNode | FolderNode;
/** Undefined: there was nothing of that name. */
export type Entry = Node | undefined;

/** Syncs that a deliberately broken disk acknowledges and does not do. */
export type Ignored = "nothing" | "file syncs" | "folder syncs";

export interface DiskOptions {
  readonly clock: Clock;
  readonly ignored?: Ignored;
  /** Called after every operation that changes the disk or makes a change durable. */
  readonly onChange?: (operation: string) => void;
}

export class SimulatedDisk implements FileSystem {
  readonly #options: DiskOptions;
  readonly root: FolderNode;
  #lastInode: number;
  /** Files that are open: not zero when all is quiet is a leak. */
  openFiles = 0;

  /** Empty, or with the tree `root`, which it takes over. */
  constructor(options: DiskOptions, root?: FolderNode) {
    this.#options = options;
    // Far above what any tree has, so that a new file never looks like an old one.
    this.#lastInode = root === undefined ? 1 : 1_000_000;
    this.root = root ?? { kind: "folder", inode: 1, entries: new Map(), modifiedAtMs: 0 };
  }

  async stat(path: string): Promise<FileStat | undefined> {
    return this.statNow(path);
  }

  statNow(path: string): FileStat | undefined {
    const node = this.#find(path);
    if (node === undefined) return undefined;
    return {
      isFolder: node.kind === "folder",
      sizeBytes: node.kind === "file" ? bytesOf(node).byteLength : 4096,
      modifiedAtMs: node.modifiedAtMs,
      inode: node.inode,
    };
  }

  async readFolder(path: string): Promise<readonly FolderEntry[] | undefined> {
    const node = this.#find(path);
    if (node?.kind !== "folder") return undefined;
    return [...visible(node)].map(([name, { kind }]) => ({ name, isFolder: kind === "folder" }));
  }

  async makeFolder(path: string): Promise<boolean> {
    const { parent, name } = this.#place(path);
    if (current(parent, name) !== undefined) return false;
    this.#set(parent, name, {
      kind: "folder",
      inode: this.#newInode(),
      entries: new Map(),
      modifiedAtMs: this.#options.clock.nowMs(),
    });
    this.#changed(`mkdir ${path}`);
    return true;
  }

  async rename(source: string, target: string): Promise<void> {
    const from = this.#place(source);
    const node = current(from.parent, from.name);
    if (node === undefined) throw failure("ENOENT", `rename ${source}`);
    const to = this.#place(target);
    if (current(to.parent, to.name)?.kind === "folder") throw failure("EISDIR", target);
    this.#set(to.parent, to.name, node);
    this.#set(from.parent, from.name, undefined);
    this.#changed(`rename ${source} ${target}`);
  }

  async unlink(path: string): Promise<boolean> {
    const found = this.#findPlace(path);
    const node = found === undefined ? undefined : current(found.parent, found.name);
    if (found === undefined || node === undefined) return false;
    if (node.kind === "folder") throw failure("EISDIR", `unlink ${path}`);
    this.#set(found.parent, found.name, undefined);
    this.#changed(`unlink ${path}`);
    return true;
  }

  async removeEmptyFolder(path: string): Promise<boolean> {
    const found = this.#findPlace(path);
    const node = found === undefined ? undefined : current(found.parent, found.name);
    if (found === undefined || node?.kind !== "folder" || visible(node).size > 0) return false;
    this.#set(found.parent, found.name, undefined);
    this.#changed(`rmdir ${path}`);
    return true;
  }

  async syncFolder(path: string): Promise<void> {
    const node = this.#find(path);
    if (node?.kind !== "folder") throw failure("ENOENT", `fsync ${path}`);
    if (this.#options.ignored === "folder syncs") return;
    for (const [name, history] of node.entries) {
      const last = history.at(-1);
      if (last === undefined) node.entries.delete(name);
      else node.entries.set(name, [last]);
    }
    this.#changed(`fsync folder ${path}`);
  }

  async openWrite(path: string, mode: "create" | "append"): Promise<WritableFile> {
    const { parent, name } = this.#place(path);
    const found = current(parent, name);
    if (found?.kind === "folder") throw failure("EISDIR", `open ${path}`);
    if (found !== undefined && mode === "create") throw failure("EEXIST", `open ${path}`);
    const node = found ?? this.#makeFile(parent, name);
    if (found === undefined) this.#changed(`create ${path}`);
    this.openFiles += 1;
    return {
      write: async (pieces, position) => {
        this.#write(node, pieces, position);
        this.#changed(`write ${path}`);
      },
      truncate: async (sizeBytes) => {
        const after = new Uint8Array(sizeBytes);
        after.set(bytesOf(node).subarray(0, sizeBytes));
        this.#setBytes(node, after);
        this.#changed(`truncate ${path}`);
      },
      sync: async () => {
        if (this.#options.ignored === "file syncs") return;
        node.versions = [bytesOf(node)];
        this.#changed(`fdatasync ${path}`);
      },
      close: async () => void (this.openFiles -= 1),
    };
  }

  async openRead(path: string): Promise<ReadableFile | undefined> {
    const node = this.#find(path);
    if (node?.kind !== "file") return undefined;
    this.openFiles += 1;
    return {
      read: async (buffer, position) => {
        const piece = bytesOf(node).subarray(position, position + buffer.byteLength);
        buffer.set(piece);
        return piece.byteLength;
      },
      close: async () => void (this.openFiles -= 1),
    };
  }

  /** As if a long time had passed: all that readers see is durable. */
  settle(): void {
    const settle = (node: Node): void => {
      if (node.kind === "file") {
        node.versions = [bytesOf(node)];
        return;
      }
      for (const name of node.entries.keys()) {
        const entry = current(node, name);
        if (entry === undefined) node.entries.delete(name);
        else node.entries.set(name, [entry]);
        if (entry !== undefined) settle(entry);
      }
    };
    settle(this.root);
  }

  #write(node: FileNode, pieces: readonly Uint8Array[], position: number): void {
    const before = bytesOf(node);
    const sizeBytes = pieces.reduce((sum, piece) => sum + piece.byteLength, position);
    const after = new Uint8Array(Math.max(before.byteLength, sizeBytes));
    after.set(before);
    let offset = position;
    for (const piece of pieces) {
      after.set(piece, offset);
      offset += piece.byteLength;
    }
    this.#setBytes(node, after);
  }

  #setBytes(node: FileNode, bytes: Uint8Array): void {
    node.versions = [...node.versions, bytes];
    node.modifiedAtMs = this.#options.clock.nowMs();
  }

  #makeFile(parent: FolderNode, name: string): FileNode {
    const modifiedAtMs = this.#options.clock.nowMs();
    const versions = [new Uint8Array()];
    const node: FileNode = { kind: "file", inode: this.#newInode(), versions, modifiedAtMs };
    this.#set(parent, name, node);
    return node;
  }

  #set(parent: FolderNode, name: string, entry: Entry): void {
    parent.entries.set(name, [...(parent.entries.get(name) ?? [undefined]), entry]);
    parent.modifiedAtMs = this.#options.clock.nowMs();
  }

  #find(path: string): Entry {
    let node: Entry = this.root;
    for (const name of namesOf(path)) {
      if (node?.kind !== "folder") return undefined;
      node = current(node, name);
    }
    return node;
  }

  #findPlace(path: string): { readonly parent: FolderNode; readonly name: string } | undefined {
    const names = namesOf(path);
    const name = names.at(-1);
    const parent = this.#find(names.slice(0, -1).join("/"));
    return name === undefined || parent?.kind !== "folder" ? undefined : { parent, name };
  }

  #place(path: string): { readonly parent: FolderNode; readonly name: string } {
    const found = this.#findPlace(path);
    if (found === undefined) throw failure("ENOENT", path);
    return found;
  }

  #newInode(): number {
    this.#lastInode += 1;
    return this.#lastInode;
  }

  #changed(operation: string): void {
    this.#options.onChange?.(operation);
  }
}

/** Every file that readers see, by its path. */
export function* filesOn(
  folder: FolderNode,
  path = "",
): Generator<{ readonly path: string; readonly bytes: Uint8Array }> {
  for (const [name, node] of visible(folder)) {
    if (node.kind === "folder") yield* filesOn(node, `${path}/${name}`);
    else yield { path: `${path}/${name}`, bytes: bytesOf(node) };
  }
}

/** The path of every folder that readers see. */
export function* foldersOn(folder: FolderNode, path = ""): Generator<string> {
  for (const [name, node] of visible(folder)) {
    if (node.kind === "file") continue;
    yield `${path}/${name}`;
    yield* foldersOn(node, `${path}/${name}`);
  }
}

function visible(folder: FolderNode): ReadonlyMap<string, Node> {
  const found = new Map<string, Node>();
  for (const [name, history] of folder.entries) {
    const node = history.at(-1);
    if (node !== undefined) found.set(name, node);
  }
  return found;
}

function current(folder: FolderNode, name: string): Entry {
  return folder.entries.get(name)?.at(-1);
}

function bytesOf(node: FileNode): Uint8Array {
  return node.versions.at(-1) ?? new Uint8Array();
}

function namesOf(path: string): readonly string[] {
  return path.split("/").filter((name) => name !== "");
}

function failure(code: string, what: string): Error {
  return Object.assign(new Error(`${code}: ${what}`), { code });
}
