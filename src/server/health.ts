import { existsSync } from "node:fs";
import { connect } from "node:net";
import type { Logger } from "../base/logger.ts";
import type { CheckConfig, HealthConfig } from "../config/config.ts";

/** One thing that has to be well, asked at its own interval. */
interface Check extends CheckConfig {
  readonly name: string;
  /** Throws when it is not well. */
  readonly look: () => Promise<void>;
}

const storageCheck: CheckConfig = { intervalMs: 10_000, threshold: 1 };

/**
 * The state of this process and of what it stands on.
 *
 * Readiness asks the storage for a real durable write: a full or read-only disk turns it red,
 * while pulls go on being served. The checks of `health.*` come on top.
 */
export class Health {
  readonly #failures = new Map<string, string>();
  readonly #counts = new Map<string, number>();
  readonly #timers: ReturnType<typeof setInterval>[] = [];
  readonly #logger: Logger;
  isDraining = false;

  constructor(logger: Logger) {
    this.#logger = logger;
  }

  /** Starts all checks; the first look at the storage is over when this resolves. */
  async start(config: HealthConfig, probeStorage: () => Promise<void>): Promise<void> {
    const storage: Check = {
      ...storageCheck,
      ...config.storageDriver,
      name: "storagedriver",
      look: probeStorage,
    };
    await this.#run(storage);
    for (const check of [storage, ...configuredChecks(config)]) {
      const timer = setInterval(() => void this.#run(check), check.intervalMs);
      timer.unref();
      this.#timers.push(timer);
    }
  }

  stop(): void {
    for (const timer of this.#timers) clearInterval(timer);
  }

  /** What is not well, by name of the check; empty when everything is. */
  problems(): Readonly<Record<string, string>> {
    return {
      ...Object.fromEntries(this.#failures),
      ...(this.isDraining && { shutdown: "the registry is stopping" }),
    };
  }

  async #run(check: Check): Promise<void> {
    try {
      await check.look();
      this.#counts.delete(check.name);
      if (this.#failures.delete(check.name)) {
        this.#logger.info("a health check is well again", { check: check.name });
      }
    } catch (error) {
      const count = (this.#counts.get(check.name) ?? 0) + 1;
      this.#counts.set(check.name, count);
      if (count < check.threshold || this.#failures.has(check.name)) return;
      this.#failures.set(check.name, error instanceof Error ? error.message : String(error));
      this.#logger.error("a health check fails", { check: check.name, error });
    }
  }
}

function configuredChecks(config: HealthConfig): readonly Check[] {
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
      name: `http:${check.uri}`,
      look: async () => {
        const headers = new Headers();
        for (const [name, values] of check.headers) headers.set(name, values.join(", "));
        const timeout = check.timeoutMs > 0 ? AbortSignal.timeout(check.timeoutMs) : null;
        const answer = await fetch(check.uri, { method: "HEAD", headers, signal: timeout });
        if (answer.status !== check.statusCode) {
          throw new Error(`${check.uri} answered ${answer.status}`);
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
  } finally {
    socket.destroy();
  }
}
