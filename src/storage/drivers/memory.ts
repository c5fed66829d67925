import { posix } from "node:path";
import { concatBytes } from "../../base/bytes.ts";
import type { Clock } from "../../base/clock.ts";
import type { Appender, Content, ObjectEntry, ObjectStat, ObjectStore } from "../object-store.ts";

interface MemoryObject {
  bytes: Uint8Array;
  modifiedAtMs: number;
  version: number;
}

/** Objects in memory: `storage.inmemory`, for tests. Nothing survives the process. */
export class MemoryStore implements ObjectStore {
  readonly #objects = new Map<string, MemoryObject>();
  readonly #clock: Clock;
  #version = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  async stat(key: string): Promise<ObjectStat | undefined> {
    const found = this.#objects.get(key);
    if (found === undefined) return undefined;
    return {
      sizeBytes: found.bytes.byteLength,
      modifiedAtMs: found.modifiedAtMs,
      stamp: String(found.version),
    };
  }

  async read(key: string, sizeBytesMax: number): Promise<Uint8Array | undefined> {
    const bytes = this.#objects.get(key)?.bytes;
    if (bytes !== undefined && bytes.byteLength > sizeBytesMax) {
      throw new Error(`${key} is too large to read whole`);
    }
    return bytes;
  }

  async *readStream(
    key: string,
    range: { start: number; end: number },
  ): AsyncGenerator<Uint8Array> {
    const bytes = this.#objects.get(key)?.bytes;
    if (bytes === undefined) throw new Error(`${key} is gone`);
    yield bytes.subarray(range.start, range.end);
  }

  content(key: string): Content | undefined {
    const bytes = this.#objects.get(key)?.bytes;
    return bytes === undefined ? undefined : { kind: "bytes", bytes, sizeBytes: bytes.byteLength };
  }

  async put(key: string, bytes: Uint8Array): Promise<void> {
    this.#set(key, bytes.slice());
  }

  async putVolatile(key: string, bytes: Uint8Array): Promise<void> {
    await this.put(key, bytes);
  }

  async list(folder: string): Promise<readonly ObjectEntry[]> {
    const prefix = `${folder}/`;
    const entries = new Map<string, boolean>();
    for (const key of this.#objects.keys()) {
      if (!key.startsWith(prefix)) continue;
      const rest = key.slice(prefix.length);
      const slash = rest.indexOf("/");
      entries.set(slash === -1 ? rest : rest.slice(0, slash), slash !== -1);
    }
    return [...entries].map(([name, isFolder]) => ({ name, isFolder }));
  }

  async move(source: string, target: string): Promise<void> {
    const found = this.#objects.get(source);
    if (found === undefined) throw new Error(`${source} is gone`);
    this.#objects.delete(source);
    this.#set(target, found.bytes);
  }

  async moveVolatile(source: string, target: string): Promise<boolean> {
    if (!this.#objects.has(source)) return false;
    await this.move(source, target);
    return true;
  }

  async removeAll(keys: readonly string[]): Promise<void> {
    for (const key of keys) this.#objects.delete(key);
  }

  async removeAllWithFolders(keys: readonly string[]): Promise<void> {
    for (const key of keys) await this.removeFolder(posix.dirname(key));
  }

  async removeEmptyFolders(): Promise<void> {
    // A folder is here only while there is something in it.
  }

  async settle(): Promise<void> {
    // No power cut is outlived here.
  }

  async settleRemoval(): Promise<void> {
    // As above.
  }

  async remove(key: string): Promise<boolean> {
    return this.#objects.delete(key);
  }

  async removeFolder(folder: string): Promise<boolean> {
    let removed = false;
    for (const key of this.#objects.keys()) {
      if (key.startsWith(`${folder}/`)) removed = this.#objects.delete(key) || removed;
    }
    return removed;
  }

  async openAppend(key: string, offset: number): Promise<Appender | undefined> {
    const before = this.#objects.get(key)?.bytes ?? new Uint8Array();
    if (before.byteLength < offset) return undefined;
    // Grows in place by doubling, so that many small chunks do not copy everything each time.
    let buffer = new Uint8Array(Math.max(offset, 1 << 16));
    buffer.set(before.subarray(0, offset));
    let size = offset;
    this.#set(key, buffer.subarray(0, size));
    return {
      write: async (pieces) => {
        const bytes = concatBytes(pieces);
        if (size + bytes.byteLength > buffer.byteLength) {
          const larger = new Uint8Array(Math.max(size + bytes.byteLength, 2 * buffer.byteLength));
          larger.set(buffer.subarray(0, size));
          buffer = larger;
        }
        buffer.set(bytes, size);
        size += bytes.byteLength;
        // A session that was cancelled meanwhile must not come back to life.
        if (this.#objects.has(key)) this.#set(key, buffer.subarray(0, size));
      },
      sync: async () => undefined,
      close: async () => undefined,
    };
  }

  async probe(): Promise<void> {
    await this.put("probe", new Uint8Array());
    await this.remove("probe");
  }

  #set(key: string, bytes: Uint8Array): void {
    this.#version += 1;
    this.#objects.set(key, { bytes, modifiedAtMs: this.#clock.nowMs(), version: this.#version });
  }
}
