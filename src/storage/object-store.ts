/**
 * The room of bytes at rest: what lies under which name, and what a promise that resolved is
 * worth when the power goes. It knows nothing of HTTP, of users and of databases.
 *
 * `ObjectStore` is the seam between Berth and a place to keep things: a folder, memory, a
 * bucket. Everything above it (`blob-store`, `link-store`, `upload-store`) is written once.
 * Keys are paths without a leading slash, built by `layout.ts` from parsed values only.
 */
export interface ObjectStore {
  /** Undefined when there is no object at `key`; a folder is none. */
  stat(key: string): Promise<ObjectStat | undefined>;

  /**
   * All bytes of a small object, or undefined when there is none.
   *
   * @throws {Error} when it has more than `sizeBytesMax`.
   */
  read(key: string, sizeBytesMax: number): Promise<Uint8Array | undefined>;

  /** The bytes from `start` up to `end`, in pieces. The object must exist. */
  readStream(key: string, range: { start: number; end: number }): AsyncIterable<Uint8Array>;

  /** How the object can leave, or undefined when there is none. On the path of every pull. */
  content(key: string): Content | undefined;

  /**
   * Stores a small object: readers see the old bytes or the new, never a part. Durable when it
   * resolves: the bytes, the name and every folder above it outlive a power cut.
   */
  put(key: string, bytes: Uint8Array): Promise<void>;

  /** As `put`, but without a promise about power cuts: for what can be found out again. */
  putVolatile(key: string, bytes: Uint8Array): Promise<void>;

  /** What lies directly under `folder`, in no order; empty when there is no such folder. */
  list(folder: string): Promise<readonly ObjectEntry[]>;

  /** Moves one object, over an existing one if need be. Atomic, and durable when it resolves. */
  move(source: string, target: string): Promise<void>;

  /**
   * As `move`, but without a promise about power cuts, after which the object may be at either
   * place, or, where nobody needs it, at none. False when there is nothing at `source`.
   */
  moveVolatile(source: string, target: string): Promise<boolean>;

  /**
   * Makes sure that an object which is there outlives a power cut: whoever put it may still be on
   * the way to that promise, or have been killed before it.
   */
  settle(key: string): Promise<void>;

  /**
   * The same of an object that is gone: whoever removed it may have been killed before its folder
   * was synced, and the next power cut would bring it back.
   */
  settleRemoval(key: string): Promise<void>;

  /** True when there was an object at `key`; durable when it resolves. */
  remove(key: string): Promise<boolean>;

  /** Removes a folder with all it holds; not atomic. True when there was anything. */
  removeFolder(folder: string): Promise<boolean>;

  /** Objects; durable together, in no order among them. */
  removeAll(keys: readonly string[]): Promise<void>;

  /** The same of objects that have a folder each: it goes with them, and all that it holds. */
  removeAllWithFolders(keys: readonly string[]): Promise<void>;

  /** Removes those that are empty, in this order; a power cut may bring them back. */
  removeEmptyFolders(folders: readonly string[]): Promise<void>;

  /**
   * Opens an object for writing at `offset`. What lies beyond `offset` is cut off. At offset 0 an
   * object is made when there is none; undefined when it has fewer bytes than `offset`, because
   * nobody may fill the gap with bytes that were never sent. Undefined behaviour: two appenders
   * on one key at once.
   */
  openAppend(key: string, offset: number): Promise<Appender | undefined>;

  /** Proves with a durable write that the store takes writes, and leaves nothing behind. */
  probe(): Promise<void>;
}

export interface ObjectStat {
  readonly sizeBytes: number;
  /** Milliseconds since 1970. */
  readonly modifiedAtMs: number;
  /** Changes whenever the object does: to tell without reading whether it is still the same. */
  readonly stamp: string;
}

export interface ObjectEntry {
  readonly name: string;
  readonly isFolder: boolean;
}

/** Bytes on their way out, in the form that costs the least. */
export type Content =
  | { readonly kind: "file"; readonly path: string; readonly sizeBytes: number }
  | { readonly kind: "bytes"; readonly bytes: Uint8Array; readonly sizeBytes: number };

export interface Appender {
  /** Appends all pieces; the caller must not change them before the promise resolves. */
  write(pieces: readonly Uint8Array[]): Promise<void>;
  /**
   * All that was written outlives a power cut once this resolves. When it rejects, nobody can say
   * which bytes are stored, those of earlier appenders included: the object is gone then.
   */
  sync(): Promise<void>;
  close(): Promise<void>;
}
