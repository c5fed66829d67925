/**
 * A TCP proxy on the loopback interface that treats connections as bad networks do: cuts them
 * after a number of bytes, with a FIN or with a reset, and passes bytes on in small slices.
 *
 *   client ── up ──► proxy ── up ──► server
 *          ◄─ down ─       ◄─ down ─
 */
import { once } from "node:events";
import { connect, createServer, type Server, type Socket } from "node:net";

export interface Fault {
  /** Which bytes are counted and cut; those of the client when not given. */
  readonly direction?: "up" | "down";
  /** After so many bytes, of all connections together, the connection at hand is cut. */
  readonly cutAfterBytes?: number;
  /** How it is cut, on both sides; with a FIN when not given. */
  readonly how?: "close" | "reset";
  /** Bytes come in slices of this size, with a pause between them. */
  readonly slice?: { readonly sizeBytes: number; readonly pauseMs: number };
}

export class FaultProxy implements AsyncDisposable {
  readonly #server: Server;
  readonly #targetPort: number;
  readonly #open = new Set<Socket>();
  #fault: Fault = {};
  #countedBytes = 0;
  #cuts = 0;

  private constructor(targetPort: number) {
    this.#targetPort = targetPort;
    this.#server = createServer({ noDelay: true, allowHalfOpen: true }, (client) =>
      this.#accept(client),
    );
  }

  static async start(targetPort: number): Promise<FaultProxy> {
    const proxy = new FaultProxy(targetPort);
    proxy.#server.listen(0, "127.0.0.1");
    await once(proxy.#server, "listening");
    return proxy;
  }

  get origin(): string {
    const address = this.#server.address();
    if (address === null || typeof address === "string") throw new Error("it does not listen");
    return `http://127.0.0.1:${address.port}`;
  }

  /** Bytes that came in the direction of the fault since it was set. */
  get countedBytes(): number {
    return this.#countedBytes;
  }

  /** Connections that were cut since the fault was set. */
  get cuts(): number {
    return this.#cuts;
  }

  /** From here on; counting begins anew. One cut, and the fault is over. */
  set(fault: Fault): void {
    this.#fault = fault;
    this.#countedBytes = 0;
    this.#cuts = 0;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const socket of this.#open) socket.destroy();
    const closed = once(this.#server, "close");
    this.#server.close();
    await closed;
  }

  #accept(client: Socket): void {
    const server = connect({ port: this.#targetPort, host: "127.0.0.1", allowHalfOpen: true });
    server.setNoDelay(true);
    const pair = [client, server] as const;
    for (const socket of pair) {
      this.#open.add(socket);
      socket.on("error", () => undefined);
      socket.on("close", () => {
        this.#open.delete(socket);
        for (const other of pair) other.destroy();
      });
    }
    void this.#pass("up", client, server);
    void this.#pass("down", server, client);
  }

  async #pass(direction: "up" | "down", source: Socket, target: Socket): Promise<void> {
    try {
      for await (const bytes of source as AsyncIterable<Buffer>) {
        const isCut = !(await this.#forward(direction, bytes, target));
        if (!isCut) continue;
        this.#cut(source, target);
        return;
      }
      target.end();
    } catch {
      target.destroy(); // The other side is gone: so is this one.
    }
  }

  /** Passes bytes on up to the point of a cut; false when that was reached. */
  async #forward(direction: "up" | "down", bytes: Buffer, target: Socket): Promise<boolean> {
    const fault = this.#fault;
    if (direction !== (fault.direction ?? "up")) {
      await write(target, bytes);
      return true;
    }
    const leftBytes = (fault.cutAfterBytes ?? Number.POSITIVE_INFINITY) - this.#countedBytes;
    const isCut = bytes.byteLength >= leftBytes;
    const passed = isCut ? bytes.subarray(0, leftBytes) : bytes;
    this.#countedBytes += passed.byteLength;
    const { sizeBytes = passed.byteLength, pauseMs = 0 } = fault.slice ?? {};
    for (let start = 0; start < passed.byteLength; start += sizeBytes) {
      await write(target, passed.subarray(start, start + sizeBytes));
      if (pauseMs > 0) await Bun.sleep(pauseMs);
    }
    return !isCut;
  }

  #cut(...sockets: readonly Socket[]): void {
    const { how = "close" } = this.#fault;
    this.#cuts += 1;
    this.#fault = {};
    for (const socket of sockets) {
      if (how === "reset") socket.resetAndDestroy();
      else socket.destroySoon();
    }
  }
}

async function write(target: Socket, bytes: Buffer): Promise<void> {
  if (bytes.byteLength === 0) return;
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  target.write(bytes, (error) => (error ? reject(error) : resolve()));
  await promise;
}
