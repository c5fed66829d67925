import type { ListenConfig } from "../config/config.ts";
import type { Peer } from "../http/forwarded.ts";
import { CertificateWatch } from "./certificate-watch.ts";
import { listenProblem } from "./listen-problem.ts";
import {
  type Listener,
  type ListenOptions,
  originAt,
  peerAddress,
  watchIntervalMs,
} from "./listener.ts";
import { drainServer, keepOpen, openServer, retireServer, type Server } from "./server-socket.ts";
import type { TlsMaterial } from "./tls-options.ts";

/** Bun.serve itself, on the address of the configuration. */
export class DirectListener implements Listener {
  readonly origin: string;
  readonly #options: ListenOptions;
  /** The port that was really opened: the configuration's may be 0. */
  readonly #listen: ListenConfig;
  readonly #watch: CertificateWatch | undefined;
  readonly #stopWatching: () => void = () => undefined;
  #server: Server;
  /** Servers with an earlier certificate whose requests are not over. */
  readonly #outgoing = new Set<Server>();

  static async open(
    options: ListenOptions,
    material: TlsMaterial | undefined,
  ): Promise<DirectListener> {
    const { http } = options;
    try {
      if (http.tls !== undefined) await probe(http.listen);
      return new DirectListener(options, material);
    } catch (error) {
      throw listenProblem(error, { key: "http.addr", listen: http.listen });
    }
  }

  private constructor(options: ListenOptions, material: TlsMaterial | undefined) {
    const { http, logger } = options;
    this.#options = options;
    this.#listen = http.listen;
    this.#server = this.#open(material);
    if (http.listen.kind === "tcp") {
      this.#listen = { ...http.listen, port: this.#server.port ?? http.listen.port };
    }
    this.origin = originAt(this.#listen, material !== undefined);
    if (http.tls === undefined) return;
    this.#watch = new CertificateWatch(http.tls, logger);
    this.#stopWatching = options.every(watchIntervalMs, () => this.renewCertificate());
  }

  renewCertificate(): void {
    this.#watch?.check((material) => {
      const before = this.#server;
      // Both are open for a while, so no connection is refused; the kernel then has only one.
      this.#server = this.#open(material);
      this.#outgoing.add(before);
      const retired = retireServer(before, this.#options.every);
      void retired.then(() => this.#outgoing.delete(before));
    });
  }

  async stop(isNow: boolean): Promise<void> {
    this.#stopWatching();
    const servers = [this.#server, ...this.#outgoing];
    await Promise.all(servers.map((server) => (isNow ? server.stop(true) : this.#drain(server))));
  }

  #drain(server: Server): Promise<void> {
    return drainServer(server, this.#options.every);
  }

  /**
   * Looked up at once for what may change something, and so is recorded with its address: the
   * runtime forgets it when the client goes. For a pull it would be a part of its price.
   */
  #addressOf(request: Request, server: Server): Peer["address"] {
    if (this.#listen.kind === "unix") return () => "";
    const look = (): string | undefined => {
      const found = server.requestIP(request)?.address;
      return found && peerAddress(found);
    };
    if (request.method === "GET" || request.method === "HEAD") return look;
    const address = look();
    return () => address;
  }

  #open(material: TlsMaterial | undefined): Server {
    const { http, answer } = this.#options;
    const isTls = material !== undefined;
    return openServer({
      listen: this.#listen,
      tls: material?.options,
      isHttp2: http.isHttp2Enabled && isTls,
      fetch: (request, server) =>
        answer(request, {
          address: this.#addressOf(request, server),
          isTls,
          keepOpen: () => keepOpen(server, request),
        }),
    });
  }
}

/**
 * Fails when the port is taken. A server that shares its port, as the change of a certificate
 * needs, would join whoever is there and share it too.
 */
async function probe(listen: ListenConfig): Promise<void> {
  const fetch = (): Response => new Response(null, { status: 503 });
  await openServer({ listen, fetch, isHttp2: false, tls: undefined }).stop(true);
}
