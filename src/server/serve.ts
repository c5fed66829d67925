import { join, resolve } from "node:path";
import { type Clock, systemClock } from "../base/clock.ts";
import type { LogFields, Logger } from "../base/logger.ts";
import { type Random, systemRandom } from "../base/random.ts";
import type { Config } from "../config/config.ts";
import type { ConfigNotice } from "../config/config-error.ts";
import type { LoadedConfig } from "../config/load.ts";
import { proxyTrust } from "../http/forwarded.ts";
import { Wire } from "../http/wire.ts";
import { temporaryFolder } from "../storage/layout.ts";
import { LineWriter } from "../telemetry/line-writer.ts";
import { logFormats } from "../telemetry/log-format.ts";
import { createLogger } from "../telemetry/logger.ts";
import { createPrometheus, type PrometheusMetrics } from "../telemetry/prometheus.ts";
import { type BackgroundWorks, startBackgroundWorks } from "./background-works.ts";
import { Collection } from "./collection.ts";
import { type ControlSocket, startControlSocket } from "./control-socket.ts";
import { startDebugServer } from "./debug-server.ts";
import { reportFileSystem } from "./file-system-report.ts";
import { Health } from "./health.ts";
import { openHeldRegistry } from "./held-registry.ts";
import type { Listener } from "./listener.ts";
import { listen } from "./listeners.ts";
import { serverMetrics } from "./metrics.ts";
import { authenticatorFor } from "./open-authenticator.ts";
import type { OpenRegistry } from "./open-registry.ts";
import { systemEvery } from "./periodic.ts";
import { requestObserver } from "./request-observer.ts";
import { RetentionRuns } from "./retention-runs.ts";
import { pushObstacle } from "./root-access.ts";
import { type HeldRoot, holdRoot } from "./root-owner.ts";
import { controlPath } from "./run-command.ts";
import type { Server } from "./server-socket.ts";
import { wireSettings } from "./settings.ts";
import { sizeThreadPool } from "./thread-pool.ts";

/**
 * The composition root: the only place that knows every room. It makes the parts in the order in
 * which they need each other, starts the background works, and takes everything down again.
 */
export interface RunningServer {
  /** Where clients find it. */
  readonly origin: string;
  /** Where the data is; for people. */
  readonly dataFolder: string;
  /** Lets open requests finish, `drainTimeoutMs` at most, then closes everything. */
  stop(): Promise<void>;
  /** Ends at once what is still running, also when `stop` was called before. */
  kill(): Promise<void>;
  /** Looks at once whether the certificate's files have changed; undefined without TLS. */
  readonly renewCertificate: (() => void) | undefined;
}

/** What only the program that starts a server knows. */
export interface ServeOptions {
  readonly version: string;
  /** The descriptor of a socket that is open already (sd_listen_fds(3)). */
  readonly activatedSocket: number | undefined;
}

interface Parts {
  readonly config: Config;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  readonly metrics: PrometheusMetrics;
  /** The access log, and the log for people. */
  readonly lines: LineWriter;
  readonly errors: LineWriter;
  readonly ends: AbortController;
}

/** File descriptors: lines for people go to standard error, the access log to standard output. */
const standardOutput = 1;
const standardError = 2;

/** Starts a registry as configured, and resolves when it answers requests. */
export async function serve(loaded: LoadedConfig, options: ServeOptions): Promise<RunningServer> {
  const { config } = loaded;
  const { driver } = config.storage;
  // Before the first file operation.
  if (driver.kind === "filesystem") sizeThreadPool(driver.threadsMax);
  const metrics = createPrometheus();
  const dropped = metrics.counter(serverMetrics.droppedLogLines);
  const onDropped = (lines: number): void => dropped.add(lines);
  const errors = new LineWriter(standardError, { onDropped });
  const logger = createLogger({
    level: config.log.level,
    format: logFormats[config.log.formatter],
    fields: Object.fromEntries(config.log.fields),
    clock: systemClock,
    write: (line) => errors.write(line),
  });
  const parts: Parts = {
    config,
    clock: systemClock,
    random: systemRandom,
    logger,
    metrics,
    lines: new LineWriter(standardOutput, { onDropped }),
    errors,
    ends: new AbortController(),
  };
  for (const notice of loaded.warnings) logger.warn(notice.message, placeOf(notice));
  for (const notice of loaded.notices) logger.info(notice.message, placeOf(notice));
  try {
    const root = holdStorage(parts);
    try {
      return await startOn(root, parts, options);
    } catch (error) {
      root?.release();
      throw error;
    }
  } catch (error) {
    // What was logged comes before what the command line says of the failure.
    errors.flush();
    throw error;
  }
}

async function startOn(
  root: HeldRoot | undefined,
  parts: Parts,
  options: ServeOptions,
): Promise<RunningServer> {
  const opened = await openStorage(parts);
  try {
    const close = async (): Promise<void> => {
      await opened.close();
      // Last: by now nothing of this process touches the folder any more.
      root?.release();
    };
    const server = await startServing(parts, { ...opened, close }, options);
    root?.announce(server.origin);
    return server;
  } catch (error) {
    await opened.close();
    throw error;
  }
}

async function startServing(
  parts: Parts,
  opened: OpenRegistry,
  options: ServeOptions,
): Promise<RunningServer> {
  const { config, clock, logger } = parts;
  const health = new Health({ clock, logger, every: systemEvery });
  const wire = await createWire(parts, opened, health);
  let debug: Server | undefined;
  try {
    await health.start(config.health, {
      storage: () => opened.probe(),
      database: () => opened.probeDatabase(),
    });
    debug =
      config.http.debug &&
      startDebugServer({ ...parts, ...options, debug: config.http.debug, health });
    if (debug !== undefined) logger.info("the debug server listens", { url: debug.url.origin });
    const listener = await listen({
      ...options,
      http: config.http,
      answer: (request, peer) => wire.answer(request, peer),
      clock,
      logger,
      every: systemEvery,
    });
    const collection = new Collection({ ...parts, context: opened.context, config: config.gc });
    const retention = new RetentionRuns({ ...parts, opened, config: config.retention });
    const works = startBackgroundWorks(parts, opened, { collection, retention });
    const served = { works, collection, retention, health, ...options };
    const control = await startControl(parts, opened, served);
    sayWhatIsOpen(parts, listener);
    return runningServer({ parts, opened, health, listener, debug, works, control });
  } catch (error) {
    health.stop();
    await debug?.stop(true);
    throw error;
  }
}

interface Running {
  readonly parts: Parts;
  readonly opened: OpenRegistry;
  readonly health: Health;
  readonly listener: Listener;
  readonly debug: Server | undefined;
  readonly works: BackgroundWorks;
  readonly control: ControlSocket | undefined;
}

function runningServer(running: Running): RunningServer {
  const { parts, listener } = running;
  const { config } = parts;
  let closing: Promise<void> | undefined;
  const { promise: hurry, resolve: hurryUp } = Promise.withResolvers<void>();
  const stop = (): Promise<void> => (closing ??= close(running, hurry));
  return {
    origin: listener.origin,
    dataFolder: dataFolderOf(config),
    stop,
    kill: () => {
      hurryUp();
      return stop();
    },
    renewCertificate: config.http.tls && (() => listener.renewCertificate()),
  };
}

async function close(running: Running, hurry: Promise<void>): Promise<void> {
  const { parts, opened, health, listener, debug, works, control } = running;
  parts.logger.info("the registry is stopping; what is under way may end", {
    withinMs: parts.config.http.drainTimeoutMs,
  });
  health.drain();
  parts.ends.abort();
  // Commands too: what one of them changes after the lock is released meets another server.
  const drain = () => Promise.all([listener.stop(false), control?.ended()]);
  await stopListener(listener, { drain, hurry, ...parts.config.http });
  health.stop();
  await debug?.stop(true);
  await control?.stop();
  await works.ended();
  try {
    await opened.close();
  } catch (error) {
    // What was collected in memory could not be written: it is lost, and nothing else.
    parts.logger.error("the pulls that were counted last could not be written", { error });
  }
  parts.logger.info("the registry has stopped");
  parts.lines.flush();
  parts.errors.flush();
}

/** Undefined for a storage that no other process can reach. */
function holdStorage({ config, clock, logger }: Parts): HeldRoot | undefined {
  const { driver } = config.storage;
  if (driver.kind !== "filesystem") return undefined;
  return holdRoot(resolve(driver.rootDirectory), { clock, logger });
}

async function openStorage(parts: Parts): Promise<OpenRegistry> {
  const { config, logger } = parts;
  const { driver } = config.storage;
  const opened = await openHeldRegistry(config, parts);
  try {
    await opened.context.leases.begin();
    if (driver.kind !== "filesystem") return opened;
    if (driver.durability === "none") {
      logger.warn("storage.filesystem.durability is none: a power cut can lose what was pushed");
    }
    const unpushable = pushObstacle(resolve(driver.rootDirectory));
    const { isEnabled: isReadOnly } = config.storage.maintenance.readOnly;
    if (unpushable !== undefined && !isReadOnly) logger.warn(`pushes will fail: ${unpushable}`);
    const folder = join(resolve(driver.rootDirectory), temporaryFolder);
    await reportFileSystem({ ...parts, ...driver, folder });
  } catch (error) {
    await opened.close();
    throw error;
  }
  return opened;
}

async function createWire(
  parts: Parts,
  { registry, activity, reserve }: OpenRegistry,
  health: Health,
): Promise<Wire> {
  const { config } = parts;
  return new Wire({
    ...parts,
    registry,
    authenticator: await authenticatorFor(config.auth, parts),
    settings: wireSettings(config),
    trust: proxyTrust(config.http.trustedProxies),
    outOfRotation: () => health.outOfRotation(),
    isStorageFull: () => reserve?.isGivenBack === true,
    ...requestObserver({
      ...parts,
      activity,
      accessLog: config.log.accessLog,
      writeLine: (line) => parts.lines.write(line),
    }),
  });
}

/** Commands reach this server through a file in its data folder; a memory has none. */
async function startControl(
  { config, clock, random, logger, ends }: Parts,
  opened: OpenRegistry,
  served: {
    readonly works: BackgroundWorks;
    readonly collection: Collection;
    readonly retention: RetentionRuns;
    readonly health: Health;
    readonly version: string;
  },
): Promise<ControlSocket | undefined> {
  const { driver } = config.storage;
  if (driver.kind !== "filesystem") return undefined;
  return startControlSocket({
    logger,
    path: controlPath(resolve(driver.rootDirectory)),
    version: served.version,
    parts: {
      ...{ config, opened, clock, random, logger },
      collection: served.collection,
      retention: served.retention,
      health: served.health,
      isServing: true,
      adopted: () => served.works.adopted(),
    },
    ends: ends.signal,
  });
}

/** Where in the configuration something is that the log has to say. */
function placeOf({ path, origin }: ConfigNotice): LogFields {
  return {
    ...(path !== undefined && { key: path }),
    ...(origin?.kind === "file" && { line: origin.line }),
    ...(origin?.kind === "environment" && { variable: origin.name }),
  };
}

function sayWhatIsOpen({ config, logger }: Parts, { origin }: Listener): void {
  logger.info("listening", { origin, data: dataFolderOf(config), auth: config.auth.kind });
  if (config.auth.kind === "none") {
    logger.warn(`authentication is off: whoever reaches this port may ${whatAnybodyMay(config)}`);
  }
}

/** What is open to everybody where nobody has to log in. */
export function whatAnybodyMay({ storage }: Config): string {
  if (storage.maintenance.readOnly.isEnabled) return "pull";
  return storage.delete.isEnabled ? "push and delete" : "push";
}

function dataFolderOf({ storage: { driver } }: Config): string {
  return driver.kind === "filesystem" ? resolve(driver.rootDirectory) : "memory";
}

async function stopListener(
  listener: Listener,
  {
    drain,
    drainTimeoutMs,
    hurry,
  }: {
    readonly drain: () => Promise<unknown>;
    readonly drainTimeoutMs: number;
    readonly hurry: Promise<void>;
  },
): Promise<void> {
  const { promise: timeout, resolve: giveUp } = Promise.withResolvers<void>();
  const timer = setTimeout(giveUp, drainTimeoutMs);
  if (drainTimeoutMs > 0) await Promise.race([drain(), timeout, hurry]);
  clearTimeout(timer);
  await listener.stop(true);
}
