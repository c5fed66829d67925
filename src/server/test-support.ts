/** What the tests of this room share. The program does not import it. */
import { writeFileSync } from "node:fs";
import { connect as connectPlain, type Socket } from "node:net";
import { type ConnectionOptions, connect, type TLSSocket } from "node:tls";
import {
  type CertificateIssuer,
  type CertificateRequest,
  certificatePem,
  issueCertificate,
} from "../base/certificate.ts";
import { systemClock } from "../base/clock.ts";
import { systemRandom } from "../base/random.ts";
import { recordingLogger, temporaryFolder } from "../base/test-support.ts";
import type { HttpConfig, TlsConfig } from "../config/config.ts";
import { loadConfig } from "../config/load.ts";
import type { Answer, Listener } from "./listener.ts";
import { listen } from "./listeners.ts";
import { type Every, systemEvery } from "./periodic.ts";

const hourMs = 3_600_000;

/** A certificate with its key, in PEM form. */
export interface Pair {
  readonly cert: string;
  readonly key: string;
}

function issue(
  commonName: string,
  role: CertificateRequest["role"],
  issuer?: CertificateIssuer,
): CertificateIssuer {
  const nowMs = systemClock.nowMs();
  const [notBeforeMs, notAfterMs] = [nowMs - hourMs, nowMs + hourMs];
  return issueCertificate({
    commonName,
    role,
    issuer,
    notBeforeMs,
    notAfterMs,
    random: systemRandom,
  });
}

function pem({ certificate, privateKey }: CertificateIssuer): Pair {
  const key = privateKey.export({ type: "pkcs8", format: "pem" });
  return { cert: certificatePem(certificate), key };
}

const serverRole = { kind: "server", dnsNames: ["localhost"], ipAddresses: ["127.0.0.1"] } as const;
const authority = issue("The harbour", { kind: "authority" });
const stranger = issue("Another harbour", { kind: "authority" });

/** Certificates of two authorities: the one that servers and clients trust, and a stranger. */
export const certificates = {
  authority: pem(authority).cert,
  server: (name: string): Pair => pem(issue(name, serverRole, authority)),
  client: pem(issue("client", { kind: "client" }, authority)),
  strangerClient: pem(issue("stranger", { kind: "client" }, stranger)),
};

/** An `every` whose time passes when a test says so. */
export class HandTimer {
  readonly #works = new Set<() => void>();

  readonly every: Every = (_intervalMs, work) => {
    this.#works.add(work);
    return () => this.#works.delete(work);
  };

  get count(): number {
    return this.#works.size;
  }

  tick(): void {
    // What a work adds is for the next turn.
    for (const work of [...this.#works]) work();
  }
}

export interface TestFolder extends Disposable {
  readonly path: string;
  file(name: string): string;
  write(name: string, text: string): string;
}

export function testFolder(): TestFolder {
  const folder = temporaryFolder();
  const write = (name: string, text: string): string => {
    writeFileSync(folder.file(name), text);
    return folder.file(name);
  };
  return { ...folder, file: (name) => folder.file(name), write };
}

export type ClientCertificates = NonNullable<TlsConfig["clientCertificates"]>;

/** Who shows a certificate of the authority is admitted. */
export function clientCertificates(
  folder: TestFolder,
  mode: ClientCertificates["mode"],
): ClientCertificates {
  return { caPaths: [folder.write("clients.pem", certificates.authority)], mode };
}

/** Writes a pair and hands out the configuration that names it. */
export function tlsConfig(
  folder: TestFolder,
  pair: Pair,
  more: Partial<TlsConfig> = {},
): TlsConfig {
  return {
    certificatePath: folder.write("server.crt", pair.cert),
    keyPath: folder.write("server.key", pair.key),
    minimumVersion: "tls1.2",
    ...more,
  };
}

export const loopbackHttp: HttpConfig = {
  ...loadConfig({ environment: {} }).config.http,
  listen: { kind: "tcp", host: "127.0.0.1", port: 0 },
};

export type TestListener = Listener &
  AsyncDisposable & {
    readonly port: number;
    readonly log: ReturnType<typeof recordingLogger>;
    readonly timer: HandTimer;
  };

/** Listens; the watch on certificates is turned by hand, the rest runs by itself. */
export async function startListener(
  http: Partial<HttpConfig>,
  options: { readonly answer?: Answer; readonly activatedSocket?: number } = {},
): Promise<TestListener> {
  const log = recordingLogger();
  const timer = new HandTimer();
  const listener = await listen({
    http: { ...loopbackHttp, ...http },
    answer:
      options.answer ?? (async (_, peer) => Response.json({ ...peer, address: peer.address() })),
    clock: systemClock,
    logger: log,
    // The watch is the only work with an interval of seconds.
    every: (intervalMs, work) =>
      (intervalMs >= 1_000 ? timer.every : systemEvery)(intervalMs, work),
    activatedSocket: options.activatedSocket,
  });
  return {
    origin: listener.origin,
    renewCertificate: () => listener.renewCertificate(),
    stop: (isNow) => listener.stop(isNow),
    port: Number(/:(\d+)$/.exec(listener.origin)?.[1] ?? 0),
    log,
    timer,
    [Symbol.asyncDispose]: () => listener.stop(true),
  };
}

/** What a client saw of a connection: the answer, or why there was none. */
export interface Seen {
  readonly answer: string;
  readonly error: string;
  readonly protocol: string | null;
  readonly cipher: string;
  readonly serverName: string;
}

const plainRequest = "GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";

/** One TLS connection with one request. Never rejects. */
export async function shake(where: ConnectionOptions, request = plainRequest): Promise<Seen> {
  const { promise, resolve } = Promise.withResolvers<Seen>();
  const socket: TLSSocket = connect({
    host: "127.0.0.1",
    servername: "localhost",
    ca: certificates.authority,
    ...where,
  });
  let [answer, error] = ["", ""];
  let facts = { protocol: socket.getProtocol(), cipher: "", serverName: "" };
  socket.once("secureConnect", () => {
    facts = {
      protocol: socket.getProtocol(),
      cipher: socket.getCipher().standardName ?? "",
      serverName: String(socket.getPeerCertificate().subject.CN),
    };
    socket.write(request);
  });
  socket.on("data", (data: Buffer) => {
    answer += data.toString("latin1");
  });
  socket.on("error", (problem) => {
    error = problem.message;
  });
  socket.once("close", () => resolve({ answer, error, ...facts }));
  return promise;
}

/** Sends `request` over a plain socket and hands out everything that comes until it is closed. */
export async function rawAnswer(
  where:
    | { readonly port: number; readonly localAddress?: string; readonly localPort?: number }
    | { readonly path: string },
  request: string | Uint8Array = plainRequest,
): Promise<string> {
  const { promise, resolve, reject } = Promise.withResolvers<string>();
  const socket: Socket = connectPlain({ ...where, ...("port" in where && { host: "127.0.0.1" }) });
  let answer = "";
  socket.once("connect", () => socket.write(request));
  socket.on("data", (data: Buffer) => {
    answer += data.toString("latin1");
  });
  socket.once("error", reject);
  socket.once("close", () => resolve(answer));
  return promise;
}

export function bodyOf(answer: string): string {
  return answer.slice(answer.indexOf("\r\n\r\n") + 4);
}
