import { createHasher, type Digest, type DigestAlgorithm, parseDigest } from "../oci/digest.ts";
import { type HashAnswer, type HashOrder, startHashThread } from "./hash-thread.ts";

/** A hash that goes along with a stream. */
export interface RunningHash {
  /** Takes the bytes in; they may be overwritten when it resolves. One call at a time. */
  add(pieces: readonly Uint8Array[]): Promise<void>;
  /** The digest of all bytes so far; more may follow. */
  digest(): Promise<Digest>;
  /** Gives back what the hash holds. */
  close(): void;
}

/** Hashes where it is called: for small blobs, which are most. */
export function hashHere(algorithm: DigestAlgorithm): RunningHash {
  const hasher = createHasher(algorithm);
  return {
    add: async (pieces) => {
      for (const piece of pieces) hasher.update(piece);
    },
    digest: async () => hasher.digest(),
    close: () => undefined,
  };
}

/** A piece of the memory that both threads see; few, so that many uploads at once need little. */
const slotBytes = 256 * 1024;
const slotCount = 8;

interface Waiting<T> {
  readonly resolve: (value: T) => void;
  readonly reject: (error: Error) => void;
}

/**
 * A thread that hashes, shared by all uploads of this process. SHA-256 is most of the work of a
 * push; beside the main thread, receiving and writing go on meanwhile. It is started by the
 * first large upload and ends with the process.
 */
export class HashingThread {
  readonly #worker = startHashThread();
  readonly #memory: Uint8Array;
  readonly #free: number[] = Array.from({ length: slotCount }, (_, slot) => slot);
  readonly #slotWaits: Waiting<number>[] = [];
  readonly #tickets = new Map<number, Waiting<string>>();
  #lastLane = 0;
  #lastTicket = 0;
  /** Set when the thread broke down: whoever waits or comes later is told. */
  #failure: Error | undefined;

  constructor() {
    const memory = new SharedArrayBuffer(slotBytes * slotCount);
    this.#memory = new Uint8Array(memory);
    this.#worker.onmessage = ({ data }: { readonly data: HashAnswer }) => this.#note(data);
    this.#worker.onerror = ({ message }) => this.#fail(message);
    this.#order({ kind: "memory", memory });
  }

  get isBroken(): boolean {
    return this.#failure !== undefined;
  }

  /** A new hash over no bytes. */
  open(algorithm: DigestAlgorithm): RunningHash {
    this.#lastLane += 1;
    const lane = this.#lastLane;
    this.#order({ kind: "open", lane, algorithm });
    return {
      add: async (pieces) => {
        for (const piece of pieces) await this.#add(lane, piece);
      },
      digest: () => this.#digest(lane, algorithm),
      close: () => this.#order({ kind: "close", lane }),
    };
  }

  async #add(lane: number, piece: Uint8Array): Promise<void> {
    for (let offset = 0; offset < piece.byteLength; offset += slotBytes) {
      const slot = this.#free.pop() ?? (await this.#wait(this.#slotWaits));
      const part = piece.subarray(offset, offset + slotBytes);
      const start = slot * slotBytes;
      this.#memory.set(part, start);
      this.#order({ kind: "add", lane, slot, start, end: start + part.byteLength });
    }
  }

  async #digest(lane: number, algorithm: DigestAlgorithm): Promise<Digest> {
    if (this.#failure !== undefined) throw this.#failure;
    this.#lastTicket += 1;
    const ticket = this.#lastTicket;
    const { promise, resolve, reject } = Promise.withResolvers<string>();
    this.#tickets.set(ticket, { resolve, reject });
    this.#order({ kind: "digest", lane, ticket });
    const digest = parseDigest(`${algorithm}:${await promise}`);
    if (digest === undefined) throw new Error("the hashing thread gave no digest");
    return digest;
  }

  #wait<T>(queue: Waiting<T>[]): Promise<T> {
    if (this.#failure !== undefined) return Promise.reject(this.#failure);
    const { promise, resolve, reject } = Promise.withResolvers<T>();
    queue.push({ resolve, reject });
    return promise;
  }

  #note(answer: HashAnswer): void {
    if (answer.kind === "digest") {
      this.#tickets.get(answer.ticket)?.resolve(answer.hex);
      this.#tickets.delete(answer.ticket);
      return;
    }
    const next = this.#slotWaits.shift();
    if (next === undefined) this.#free.push(answer.slot);
    else next.resolve(answer.slot);
  }

  #fail(message: string): void {
    const failure = new Error(`the hashing thread failed: ${message}`);
    this.#failure = failure;
    for (const { reject } of [...this.#slotWaits, ...this.#tickets.values()]) reject(failure);
    this.#slotWaits.length = 0;
    this.#tickets.clear();
  }

  #order(order: HashOrder): void {
    this.#worker.postMessage(order);
  }
}
