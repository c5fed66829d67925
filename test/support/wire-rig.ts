/**
 * A registry in this process, on a port of 127.0.0.1, with everything between the socket and the
 * disk as in the product; only what a test wants to have in its hand is put in by it.
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Authenticator } from "../../src/auth/authenticator.ts";
import { openAuthenticator } from "../../src/auth/open.ts";
import { type Clock, systemClock } from "../../src/base/clock.ts";
import type { LogFields, Logger } from "../../src/base/logger.ts";
import { systemRandom } from "../../src/base/random.ts";
import { loadConfig } from "../../src/config/load.ts";
import type { DatabaseLocation } from "../../src/database/database.ts";
import { proxyTrust } from "../../src/http/forwarded.ts";
import { type Answered, Wire } from "../../src/http/wire.ts";
import { listen } from "../../src/server/listeners.ts";
import { type OpenRegistry, openRegistry } from "../../src/server/open-registry.ts";
import { systemEvery } from "../../src/server/periodic.ts";
import { registryPolicy, wireSettings } from "../../src/server/settings.ts";
import type { FileSystem } from "../../src/storage/drivers/file-system.ts";
import { FilesystemStore } from "../../src/storage/drivers/filesystem.ts";
import { type RawAnswer, type RawRequest, sendRaw } from "./raw-http.ts";

/** The drivers that need nothing but this machine; every case of the wire runs on each. */
export const localDrivers = ["memory", "filesystem"] as const;

export interface WireRigOptions {
  readonly driver: (typeof localDrivers)[number];
  /**
   * Settings by the rest of their environment name: `{ HTTP_PREFIX: "/registry/" }` is what a
   * user would set as REGISTRY_HTTP_PREFIX.
   */
  readonly settings?: Readonly<Record<string, string>>;
  /** In the place of `auth`; without it everyone may do everything. */
  readonly authenticator?: Authenticator;
  readonly clock?: Clock;
  /** Told of every answer, in the place of the access log. */
  readonly onAnswer?: (answered: Answered) => void;
  /** False leaves the metadata behind the storage, as it is in the first moments after a start. */
  readonly isAdopted?: boolean;
  /** In the place of the real one, below the filesystem driver. */
  readonly fileSystem?: FileSystem;
  /** In the place of a new temporary folder. */
  readonly outerFolder?: string;
  /** Room that is kept for a full disk; none without it. */
  readonly reserveBytes?: number;
  /** Files where the product has them, or a PostgreSQL server; in memory without it. */
  readonly databases?: "files" | { readonly url: string };
}

export interface WireRig extends OpenRegistry {
  readonly port: number;
  /** The folder that the registry keeps its data in; empty with the memory driver. */
  readonly dataFolder: string;
  /** A folder of this rig's own, above the data: nothing else in it may ever change. */
  readonly outerFolder: string;
  /** Messages logged as errors: an internal failure that a client saw as 500 leaves one. */
  readonly errors: readonly string[];
  send(request: RawRequest): Promise<RawAnswer>;
  stop(): Promise<void>;
}

const base = `
version: 0.1
storage:
  inmemory: {}
  delete: { enabled: true }
http:
  addr: 127.0.0.1:0
`;

async function startWireRig(options: WireRigOptions): Promise<WireRig> {
  const { authenticator = openAuthenticator, clock = systemClock } = options;
  const environment = Object.fromEntries(
    Object.entries(options.settings ?? {}).map(([name, value]) => [`REGISTRY_${name}`, value]),
  );
  const { config } = loadConfig({ text: base, environment });
  const outerFolder = options.outerFolder ?? mkdtempSync(join(tmpdir(), "berth-wire-"));
  const dataFolder = options.driver === "filesystem" ? join(outerFolder, "data") : "";
  const errors: string[] = [];
  const logger = errorsTo(errors);
  const opened = await openRegistry({
    storage: await storageFor(options, dataFolder),
    ...databasesOf(options, dataFolder),
    policy: registryPolicy(config),
    clock,
    random: systemRandom,
    logger,
  });
  if (options.isAdopted !== false) {
    await opened.registry.adoption.run(new AbortController().signal);
  }
  const wire = new Wire({
    registry: opened.registry,
    authenticator,
    settings: wireSettings(config),
    trust: proxyTrust(config.http.trustedProxies),
    clock,
    random: systemRandom,
    logger,
    isStorageFull: () => opened.reserve?.isGivenBack === true,
    ...(options.onAnswer !== undefined && { onAnswer: options.onAnswer }),
  });
  const listener = await listen({
    http: config.http,
    answer: (request, peer) => wire.answer(request, peer),
    clock,
    logger,
    every: systemEvery,
    activatedSocket: undefined,
  });
  const port = Number(listener.origin.slice(listener.origin.lastIndexOf(":") + 1));
  return {
    ...opened,
    port,
    dataFolder,
    outerFolder,
    errors,
    send: (request) => sendRaw(port, request),
    stop: async () => {
      await listener.stop(true);
      await opened.close();
      if (options.outerFolder === undefined) rmSync(outerFolder, { recursive: true, force: true });
    },
  };
}

/** Starts a rig, hands it to `work`, and takes it down whatever happens. */
export async function withWireRig(
  options: WireRigOptions,
  work: (rig: WireRig) => Promise<void>,
): Promise<void> {
  const rig = await startWireRig(options);
  try {
    await work(rig);
  } finally {
    await rig.stop();
  }
}

/** Of a rig on a PostgreSQL server: the metadata and the records, for the test to remove. */
export const rigSchemas = ["wire_rig_metadata", "wire_rig_berth"] as const;

function databasesOf(
  { databases }: WireRigOptions,
  dataFolder: string,
): { readonly metadata: DatabaseLocation; readonly records: DatabaseLocation } {
  if (typeof databases === "object") {
    const server = { kind: "postgres", ...databases } as const;
    const [metadata, records] = rigSchemas;
    return {
      metadata: { ...server, schema: metadata },
      records: { ...server, schema: records },
    };
  }
  const at = (name: string): DatabaseLocation => ({
    kind: "sqlite",
    path: databases === undefined ? ":memory:" : join(dataFolder, `berth/${name}.sqlite`),
  });
  return { metadata: at("metadata"), records: at("berth") };
}

async function storageFor(
  { driver, fileSystem, reserveBytes = 0 }: WireRigOptions,
  rootFolder: string,
): Promise<Parameters<typeof openRegistry>[0]["storage"]> {
  if (driver === "memory") return { kind: "memory" };
  const options = { rootFolder, durability: "full", reserveBytes } as const;
  if (fileSystem === undefined) return { kind: "filesystem", ...options };
  const objects = await FilesystemStore.open({
    ...options,
    fileSystem,
    clock: systemClock,
    random: systemRandom,
  });
  return { kind: "opened", objects };
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
