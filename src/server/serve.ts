import { resolve } from "node:path";
import { type Clock, systemClock } from "../base/clock.ts";
import type { Logger } from "../base/logger.ts";
import { type Random, systemRandom } from "../base/random.ts";
import type { Config } from "../config/config.ts";
import type { LoadedConfig } from "../config/load.ts";
import { purgeStaleUploads } from "../gc/stale-uploads.ts";
import { proxyTrust } from "../http/forwarded.ts";
import { Wire } from "../http/wire.ts";
import { LineWriter } from "../telemetry/line-writer.ts";
import { logFormats } from "../telemetry/log-format.ts";
import { createLogger } from "../telemetry/logger.ts";
import { createPrometheus, type PrometheusMetrics } from "../telemetry/prometheus.ts";
import { startDebugServer } from "./debug-server.ts";
import { Health } from "./health.ts";
import { type Listener, listen } from "./listeners.ts";
import { serverMetrics } from "./metrics.ts";
import { authenticatorFor } from "./open-authenticator.ts";
import { type OpenRegistry, openConfiguredRegistry } from "./open-registry.ts";
import { requestObserver } from "./request-observer.ts";
import { wireSettings } from "./settings.ts";

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
  /** Ends at once what is still running. */
  kill(): Promise<void>;
}

interface Parts {
  readonly config: Config;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  readonly metrics: PrometheusMetrics;
  readonly lines: LineWriter;
  readonly ends: AbortController;
}

/** File descriptors: lines for people go to standard error, the access log to standard output. */
const standardOutput = 1;
const standardError = 2;

/** Starts a registry as configured, and resolves when it answers requests. */
export async function serve(loaded: LoadedConfig): Promise<RunningServer> {
  const { config } = loaded;
  const errors = new LineWriter(standardError);
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
    metrics: createPrometheus(),
    lines: new LineWriter(standardOutput),
    ends: new AbortController(),
  };
  for (const { path, message } of loaded.warnings) logger.warn(message, { key: path });
  for (const { path, message } of loaded.notices) logger.info(message, { key: path });
  const opened = await openStorage(parts);
  const health = new Health(logger);
  await health.start(config.health, () => opened.objects.probe());
  const listener = listen(config.http, await createWire(parts, opened));
  const debug =
    config.http.debug && startDebugServer({ ...parts, debug: config.http.debug, health });
  startBackgroundWorks(parts, opened);
  sayWhatIsOpen(parts, listener);
  const close = async (isNow: boolean): Promise<void> => {
    health.isDraining = true;
    parts.ends.abort();
    await stopListener(listener, isNow ? 0 : config.http.drainTimeoutMs);
    health.stop();
    await debug?.stop(true);
    await opened.close();
    logger.info("the registry has stopped");
    parts.lines.flush();
    errors.flush();
  };
  const dataFolder = dataFolderOf(config);
  return { origin: listener.origin, dataFolder, stop: () => close(false), kill: () => close(true) };
}

async function openStorage({ config, clock, random, logger }: Parts): Promise<OpenRegistry> {
  const { driver } = config.storage;
  if (driver.kind === "filesystem" && driver.durability === "none") {
    logger.warn("storage.filesystem.durability is none: a power cut can lose what was pushed");
  }
  return openConfiguredRegistry(config, { clock, random, logger });
}

async function createWire(parts: Parts, { registry }: OpenRegistry): Promise<Wire> {
  const { config } = parts;
  return new Wire({
    ...parts,
    registry,
    authenticator: await authenticatorFor(config.auth, parts),
    settings: wireSettings(config),
    trust: proxyTrust(config.http.trustedProxies),
    onAnswer: requestObserver({
      ...parts,
      accessLog: config.log.accessLog,
      writeLine: (line) => parts.lines.write(line),
    }),
  });
}

/** What goes on beside the requests; each ends when `ends` says so. */
function startBackgroundWorks(parts: Parts, opened: OpenRegistry): void {
  const { config, logger, ends, metrics } = parts;
  const { adoption } = opened.registry;
  void adoption.run(ends.signal);
  metrics.gauge({
    ...serverMetrics.adoptionComplete,
    read: () => (adoption.progress().isComplete ? 1 : 0),
  });
  metrics.gauge({
    ...serverMetrics.adoptionCheckedRepositories,
    read: () => adoption.progress().checked,
  });
  const { uploadPurging } = config.storage.maintenance;
  if (!uploadPurging.isEnabled) return;
  const purge = async (): Promise<void> => {
    try {
      await purgeStaleUploads({ ...parts, ...opened, ...uploadPurging }, ends.signal);
    } catch (error) {
      logger.error("purging stale uploads failed", { error });
    }
  };
  const timer = setInterval(() => void purge(), uploadPurging.intervalMs);
  timer.unref();
  ends.signal.addEventListener("abort", () => clearInterval(timer));
}

function sayWhatIsOpen({ config, logger }: Parts, { origin }: Listener): void {
  logger.info("listening", { origin, data: dataFolderOf(config), auth: config.auth.kind });
  if (config.auth.kind === "none") {
    logger.warn("authentication is off: whoever reaches this port may push and delete");
  }
}

function dataFolderOf({ storage: { driver } }: Config): string {
  return driver.kind === "filesystem" ? resolve(driver.rootDirectory) : "memory";
}

async function stopListener(listener: Listener, drainTimeoutMs: number): Promise<void> {
  if (drainTimeoutMs === 0) {
    await listener.stop(true);
    return;
  }
  const { promise: timeout, resolve: giveUp } = Promise.withResolvers<void>();
  const timer = setTimeout(giveUp, drainTimeoutMs);
  await Promise.race([listener.stop(false), timeout]);
  clearTimeout(timer);
  await listener.stop(true);
}
