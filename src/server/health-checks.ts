import { existsSync } from "node:fs";
import { connect } from "node:net";
import { codeOf, messageOf } from "../base/errors.ts";
import type { CheckConfig, HealthConfig } from "../config/config.ts";
import { hideUrlSecrets } from "../config/quote.ts";

/** One thing that has to be well, asked at its own interval. */
export interface Check extends CheckConfig {
  readonly name: string;
  /** Throws when it is not well. */
  readonly look: () => Promise<void>;
}

/** The checks of the configuration: `health.file`, `health.http` and `health.tcp`. */
export function configuredChecks(config: HealthConfig): readonly Check[] {
  return [
    ...config.files.map((file) => ({
      ...file,
      name: `file:${file.path}`,
      look: async () => {
        // As in Distribution: the file is put there to take the registry out of rotation.
        if (existsSync(file.path)) throw new Error(`the file ${file.path} exists`);
      },
    })),
    ...config.http.map((check) => ({
      ...check,
      name: `http:${hideUrlSecrets(check.uri)}`,
      look: async () => {
        const headers = new Headers();
        for (const [name, values] of check.headers) headers.set(name, values.join(", "));
        const timeout = check.timeoutMs > 0 ? AbortSignal.timeout(check.timeoutMs) : null;
        const answer = await fetch(check.uri, { method: "HEAD", headers, signal: timeout });
        if (answer.status !== check.statusCode) {
          throw new Error(`${hideUrlSecrets(check.uri)} answered ${answer.status}`);
        }
      },
    })),
    ...config.tcp.map((check) => ({
      ...check,
      name: `tcp:${check.host}:${check.port}`,
      look: () => tryConnect(check),
    })),
  ];
}

async function tryConnect(check: HealthConfig["tcp"][number]): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const socket = connect({ host: check.host, port: check.port });
  if (check.timeoutMs > 0) {
    socket.setTimeout(check.timeoutMs, () => reject(new Error("the connection timed out")));
  }
  socket.once("connect", () => resolve());
  socket.once("error", reject);
  try {
    await promise;
  } catch (cause) {
    const why = codeOf(cause) || messageOf(cause);
    throw new Error(`${check.host}:${check.port} does not answer: ${why}`, { cause });
  } finally {
    socket.destroy();
  }
}
