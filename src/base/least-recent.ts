import { LRUCache } from "lru-cache";

/** As many values as fit by number; the least recently used go first. */
export class LeastRecent<Value extends object | string | boolean> {
  readonly #values: LRUCache<string, Value>;

  constructor(countMax: number) {
    this.#values = new LRUCache<string, Value>({ max: countMax });
  }

  get(key: string): Value | undefined {
    return this.#values.get(key);
  }

  set(key: string, value: Value): void {
    this.#values.set(key, value);
  }

  delete(key: string): void {
    this.#values.delete(key);
  }
}

/** Bytes that never change, by key, as many as fit; the least recently used go first. */
export class ByteCache<Entry extends { readonly bytes: Uint8Array }> {
  readonly #entries: LRUCache<string, Entry>;

  constructor(sizeBytesMax: number) {
    this.#entries = new LRUCache<string, Entry>({
      maxSize: sizeBytesMax,
      // An entry costs its bytes and about this much around them.
      sizeCalculation: (entry) => entry.bytes.byteLength + 512,
    });
  }

  get(key: string): Entry | undefined {
    return this.#entries.get(key);
  }

  has(key: string): boolean {
    return this.#entries.has(key);
  }

  delete(key: string): void {
    this.#entries.delete(key);
  }

  set(key: string, entry: Entry): void {
    this.#entries.set(key, entry);
  }
}
