/** A registry in this process, on whatever disk a rig hands in, asked as the wire is asked. */
import { openAuthenticator } from "../../src/auth/open.ts";
import type { Clock } from "../../src/base/clock.ts";
import type { LogFields, Logger } from "../../src/base/logger.ts";
import type { Random } from "../../src/base/random.ts";
import { loadConfig } from "../../src/config/load.ts";
import type { DatabaseLocation } from "../../src/database/database.ts";
import { proxyTrust } from "../../src/http/forwarded.ts";
import { Wire } from "../../src/http/wire.ts";
import { type OpenRegistry, openRegistry } from "../../src/server/open-registry.ts";
import { registryPolicy, wireSettings } from "../../src/server/settings.ts";
import type { FileSystem } from "../../src/storage/drivers/file-system.ts";
import { FilesystemStore } from "../../src/storage/drivers/filesystem.ts";

const { config } = loadConfig({
  text: "version: 0.1\nstorage: { inmemory: {}, delete: { enabled: true } }\n",
  environment: {},
});
const settings = wireSettings(config);
const trust = proxyTrust(undefined);

export interface InProcessOptions {
  readonly fileSystem: FileSystem;
  /** `/registry` when it is left out: good for a disk in memory. */
  readonly rootFolder?: string;
  readonly clock: Clock;
  readonly random: Random;
  /** In memory, and so empty, when it is left out. */
  readonly records?: DatabaseLocation | undefined;
  /** False leaves the metadata behind the storage, as in the first moments after a start. */
  readonly isAdopted?: boolean;
}

export interface InProcess extends OpenRegistry {
  /** What was logged as an error: each is a failure that nobody foresaw. */
  readonly errors: readonly string[];
  answer(request: WireCall): Promise<Response>;
}

export interface WireCall {
  readonly method: string;
  /** From `/v2/` on. */
  readonly target: string;
  readonly headers?: Readonly<Record<string, string>>;
  /** Pieces come one by one, as from a slow client. */
  readonly body?: Uint8Array | ReadableStream<Uint8Array>;
}

/**
 * Opens a registry with metadata that are new and in memory, so the storage says everything; the
 * records too, unless they are handed in.
 */
export async function openInProcess(options: InProcessOptions): Promise<InProcess> {
  const { fileSystem, clock, random, rootFolder = "/registry" } = options;
  const errors: string[] = [];
  const logger = errorsTo(errors);
  const objects = await FilesystemStore.open({
    rootFolder,
    durability: "full",
    fileSystem,
    clock,
    random,
  });
  const opened = await openRegistry({
    storage: { kind: "opened", objects },
    metadata: { kind: "sqlite", path: ":memory:" },
    records: options.records ?? { kind: "sqlite", path: ":memory:" },
    policy: registryPolicy(config),
    clock,
    random,
    logger,
  });
  if (options.isAdopted !== false) {
    await opened.registry.adoption.run(new AbortController().signal);
  }
  const { registry } = opened;
  const authenticator = openAuthenticator;
  const wire = new Wire({ registry, authenticator, settings, trust, clock, random, logger });
  return { ...opened, errors, answer: (call) => wire.answer(requestOf(call), peer) };
}

const peer = { address: () => "127.0.0.1", isTls: false, keepOpen: () => undefined };

function requestOf({ method, target, headers = {}, body }: WireCall): Request {
  const length =
    body instanceof ReadableStream ? {} : { "Content-Length": String(body?.byteLength ?? 0) };
  return new Request(`http://localhost${target}`, {
    method,
    headers: { ...length, ...headers },
    ...(body !== undefined && { body }),
  });
}

function errorsTo(errors: string[]): Logger {
  const logger: Logger = {
    debug: () => undefined,
    info: () => undefined,
    warn: () => undefined,
    error: (message: string, fields?: LogFields) => {
      errors.push(`${message}: ${Bun.inspect(fields)}`);
    },
    child: () => logger,
  };
  return logger;
}
