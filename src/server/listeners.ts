import { DirectListener } from "./direct-listener.ts";
import { openFront } from "./front.ts";
import { listenProblem } from "./listen-problem.ts";
import type { Listener, ListenOptions } from "./listener.ts";
import { readTlsMaterial, type TlsMaterial } from "./tls-options.ts";
import { removeStaleSocket } from "./unix-socket.ts";

/**
 * Starts to answer requests where the configuration says.
 *
 * Bun.serve is in front wherever it can be. What it cannot do goes through a forwarder in this
 * process (front.ts): sockets that were opened before, client certificates that are looked at by
 * other rules than its own, and a certificate that changes on a Unix socket.
 *
 * @throws {Error} with a sentence that says what is wrong and what to do.
 */
export async function listen(options: ListenOptions): Promise<Listener> {
  const { http, logger, activatedSocket } = options;
  const material = http.tls && readTlsMaterial(http.tls);
  if (material !== undefined) warnOfEnd(material, options);
  if (http.listen.kind === "unix" && activatedSocket === undefined) {
    await removeStaleSocket(http.listen.path);
  }
  if (!isFrontNeeded(options)) return DirectListener.open(options, material);
  if (http.isHttp2Enabled && material !== undefined) {
    logger.warn("HTTP/2 is not offered on this kind of listener; clients use HTTP/1.1");
  }
  try {
    return await openFront({ ...options, material });
  } catch (error) {
    throw listenProblem(error, { key: "http.addr", listen: http.listen });
  }
}

function isFrontNeeded({ http, activatedSocket }: ListenOptions): boolean {
  if (activatedSocket !== undefined) return true;
  if (http.tls === undefined) return false;
  const mode = http.tls.clientCertificates?.mode;
  return (
    http.listen.kind === "unix" ||
    mode === "require-any-client-cert" ||
    mode === "verify-client-cert-if-given"
  );
}

function warnOfEnd({ validUntilMs, subject }: TlsMaterial, { clock, logger }: ListenOptions): void {
  if (validUntilMs > clock.nowMs()) return;
  const validUntil = new Date(validUntilMs).toISOString();
  logger.warn("the certificate has ended: clients will refuse it", { subject, validUntil });
}
