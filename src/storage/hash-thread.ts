/** From the main thread, in the order of a lane. */
export type HashOrder =
  | { readonly kind: "memory"; readonly memory: SharedArrayBuffer }
  | { readonly kind: "open"; readonly lane: number; readonly algorithm: "sha256" | "sha512" }
  | {
      readonly kind: "add";
      readonly lane: number;
      readonly slot: number;
      /** Where the bytes lie in the memory: `[start, end)`. */
      readonly start: number;
      readonly end: number;
    }
  | { readonly kind: "digest"; readonly lane: number; readonly ticket: number }
  | { readonly kind: "close"; readonly lane: number };

/** To the main thread. */
export type HashAnswer =
  /** The bytes of a slot are hashed: it may be filled again. */
  | { readonly kind: "free"; readonly slot: number }
  | { readonly kind: "digest"; readonly ticket: number; readonly hex: string };

/** What a thread's program sees of its own world. */
declare const self: {
  onmessage: (event: { readonly data: HashOrder }) => void;
  postMessage: (answer: HashAnswer) => void;
};

/**
 * The program of the hashing thread: digests of streams, computed beside the main thread. Bytes
 * come in slots of shared memory; what it keeps is one running hash a lane.
 *
 * It is started from its own text, so it may use nothing from outside itself: that way the
 * executable needs no second file, and there is no path to get wrong.
 */
function hashThread(): void {
  const lanes = new Map<number, Bun.CryptoHasher>();
  let memory = new Uint8Array(new SharedArrayBuffer(0));
  const hasherOf = (lane: number): Bun.CryptoHasher => {
    const hasher = lanes.get(lane);
    if (hasher === undefined) throw new Error(`no lane ${lane}`);
    return hasher;
  };
  self.onmessage = ({ data: order }) => {
    switch (order.kind) {
      case "memory":
        memory = new Uint8Array(order.memory);
        return;
      case "open":
        lanes.set(order.lane, new Bun.CryptoHasher(order.algorithm));
        return;
      case "add":
        hasherOf(order.lane).update(memory.subarray(order.start, order.end));
        self.postMessage({ kind: "free", slot: order.slot });
        return;
      case "digest": {
        // A copy gives the digest, so that more bytes may follow.
        const hex = hasherOf(order.lane).copy().digest("hex");
        self.postMessage({ kind: "digest", ticket: order.ticket, hex });
        return;
      }
      case "close":
        lanes.delete(order.lane);
    }
  };
}

/** Starts the thread. */
export function startHashThread(): Worker {
  const program = new Blob([`(${hashThread.toString()})()`], { type: "text/javascript" });
  const url = URL.createObjectURL(program);
  const worker = new Worker(url, { smol: true });
  worker.unref();
  return worker;
}
