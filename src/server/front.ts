import { once } from "node:events";
import { connect, createServer, type Server as NetServer, type Socket } from "node:net";
import { createServer as createTlsServer, TLSSocket } from "node:tls";
import { unreachable } from "../base/assert.ts";
import type { TlsConfig } from "../config/config.ts";
import { CertificateWatch } from "./certificate-watch.ts";
import {
  type Listener,
  type ListenOptions,
  originAt,
  peerAddress,
  watchIntervalMs,
} from "./listener.ts";
import { drainServer, keepOpen, openServer, retireServer, type Server } from "./server-socket.ts";
import type { TlsMaterial } from "./tls-options.ts";

export interface FrontOptions extends ListenOptions {
  readonly material: TlsMaterial | undefined;
}

/** Milliseconds that a client has to close its side after everything was sent to it. */
const lingerMs = 5_000;
const loopback = "127.0.0.1";

/**
 * A listener for what Bun.serve cannot do: a socket of node:net or node:tls that hands every
 * connection on to a Bun.serve of this process, byte for byte.
 *
 *     client ── TLS, or a handed-over socket ── front ── loopback ── Bun.serve ── answer
 *
 * The server inside knows a connection by the port that the front has connected from, finds the
 * client's address by it, and refuses everybody else on this machine: they have passed no gate.
 * A copy of every byte is the price: 640 MB/s instead of 740 were measured without TLS.
 */
export async function openFront(options: FrontOptions): Promise<Front> {
  const front = new Front(options);
  await front.open();
  return front;
}

export class Front implements Listener {
  origin = "";
  readonly #options: FrontOptions;
  #inside: Server;
  /** Servers whose connections were admitted by rules that have changed since. */
  readonly #outgoing = new Set<Server>();
  readonly #outside: NetServer;
  readonly #watch: CertificateWatch | undefined;
  readonly #renew: (material: TlsMaterial) => void = () => undefined;
  #stopWatching: () => void = () => undefined;
  #isTcp = false;
  /** Addresses of the clients, by the port of the front's side of the inner connection. */
  readonly #peers = new Map<number, string>();
  readonly #sockets = new Set<Socket>();
  /** The connection to the server inside that belongs to one of them. */
  readonly #inner = new WeakMap<Socket, Socket>();

  constructor(options: FrontOptions) {
    const { material, http, logger } = options;
    this.#options = options;
    this.#inside = this.#openInside();
    const forward = (socket: Socket): void => this.#forward(socket);
    if (material === undefined) {
      this.#outside = createServer({ allowHalfOpen: true }, forward);
    } else {
      const server = createTlsServer({ ...material.options, allowHalfOpen: true }, forward);
      this.#outside = server;
      this.#renew = ({ options }) => {
        server.setSecureContext(options);
        if (http.tls?.clientCertificates !== undefined) this.#renewInside();
      };
    }
    // Tracked from the beginning: with TLS, `forward` hears of a socket after its handshake only.
    this.#outside.on("connection", (socket) => this.#track(socket));
    if (http.tls !== undefined) this.#watch = new CertificateWatch(http.tls, logger);
  }

  /** The port of the server inside, on the loopback interface. */
  get insidePort(): number {
    return this.#inside.port ?? 0;
  }

  /** The ports that this side of the open inner connections has. */
  get innerPorts(): Iterable<number> {
    return this.#peers.keys();
  }

  async open(): Promise<void> {
    const { http, activatedSocket, material, every } = this.#options;
    const { listen } = http;
    if (activatedSocket !== undefined) this.#outside.listen({ fd: activatedSocket });
    else if (listen.kind === "unix") this.#outside.listen({ path: listen.path });
    else this.#outside.listen({ port: listen.port, ...(listen.host && { host: listen.host }) });
    try {
      await once(this.#outside, "listening");
    } catch (error) {
      await this.#inside.stop(true);
      throw error;
    }
    const address = this.#outside.address();
    const isTls = material !== undefined;
    if (address !== null && typeof address === "object" && "port" in address) {
      this.#isTcp = true;
      const host =
        activatedSocket === undefined && listen.kind === "tcp" ? listen.host : address.address;
      const shown = {
        kind: "tcp",
        port: address.port,
        ...(host !== undefined && { host }),
      } as const;
      this.origin = originAt(shown, isTls);
    } else {
      this.origin = activatedSocket === undefined ? originAt(listen, isTls) : "unix:(handed over)";
    }
    if (isTls) this.#stopWatching = every(watchIntervalMs, () => this.renewCertificate());
  }

  renewCertificate(): void {
    this.#watch?.check(this.#renew);
  }

  /** Who was admitted comes to the end of a request, and then has to show a certificate again. */
  #renewInside(): void {
    const before = this.#inside;
    this.#inside = this.#openInside();
    this.#outgoing.add(before);
    const retired = retireServer(before, this.#options.every);
    void retired.then(() => this.#outgoing.delete(before));
  }

  async stop(isNow: boolean): Promise<void> {
    this.#stopWatching();
    this.#outside.close();
    const servers = [this.#inside, ...this.#outgoing];
    if (isNow) {
      await Promise.all(servers.map((server) => server.stop(true)));
      for (const socket of this.#sockets) socket.destroy();
      return;
    }
    await Promise.all(servers.map((server) => drainServer(server, this.#options.every)));
    // The answers have left the server inside, but perhaps not this process.
    await Promise.all([...this.#sockets].map((socket) => this.#closed(socket)));
  }

  #openInside(): Server {
    const { answer, material } = this.#options;
    const isTls = material !== undefined;
    return openServer({
      listen: { kind: "tcp", host: loopback, port: 0 },
      tls: undefined,
      isHttp2: false,
      fetch: (request, server) => {
        const from = server.requestIP(request);
        // Another loopback address has ports of its own, with the same numbers.
        const address = from?.address === loopback ? this.#peers.get(from.port) : undefined;
        if (address === undefined) return new Response(null, { status: 403 });
        return answer(request, {
          address: () => address,
          isTls,
          keepOpen: () => keepOpen(server, request),
        });
      },
    });
  }

  #track(socket: Socket): void {
    this.#sockets.add(socket);
    socket.once("close", () => this.#sockets.delete(socket));
    // Whatever goes wrong with a client's connection, what counts is that it is closed then.
    socket.on("error", () => socket.destroy());
  }

  #forward(outer: Socket): void {
    if (outer instanceof TLSSocket && !isAdmitted(outer, this.#options.http.tls)) {
      outer.destroy();
      return;
    }
    const address = this.#isTcp ? outer.remoteAddress : "";
    if (address === undefined) {
      // Gone already: it would be known by no address, as those are who come by a Unix socket.
      outer.destroy();
      return;
    }
    const inner = connect({ host: loopback, port: this.insidePort, allowHalfOpen: true });
    inner.once("connect", () => {
      const ownPort = inner.localPort ?? 0;
      this.#peers.set(ownPort, peerAddress(address));
      inner.once("close", () => this.#peers.delete(ownPort));
      outer.pipe(inner);
      inner.pipe(outer);
    });
    this.#inner.set(outer, inner);
    inner.once("end", () => {
      // Everything was read; what is left to send is sent. Then it is the client's turn to close.
      outer.end();
      outer.setTimeout(lingerMs, () => outer.destroy());
    });
    inner.once("error", () => outer.destroy());
    outer.once("close", () => inner.destroy());
  }

  /**
   * Resolves when a connection is closed. One that never carried a request is cut, and one on
   * which nothing moves any more after a while.
   */
  async #closed(socket: Socket): Promise<void> {
    if (socket.closed) return;
    const { promise, resolve } = Promise.withResolvers<void>();
    socket.once("close", () => resolve());
    socket.setTimeout(lingerMs, () => socket.destroy());
    if ((this.#inner.get(socket)?.bytesWritten ?? 0) === 0) socket.destroy();
    await promise;
  }
}

/** What node:tls has not judged itself: the two modes that Bun.serve does not have. */
function isAdmitted(socket: TLSSocket, tls: TlsConfig | undefined): boolean {
  const mode = tls?.clientCertificates?.mode;
  const isGiven = Object.keys(socket.getPeerCertificate()).length > 0;
  switch (mode) {
    case undefined:
    case "request-client-cert":
      return true;
    case "require-any-client-cert":
      return isGiven;
    case "verify-client-cert-if-given":
      return !isGiven || socket.authorized;
    case "require-and-verify-client-cert":
      return socket.authorized;
    default:
      return unreachable(mode);
  }
}
