import type { Clock } from "../base/clock.ts";
import type { LogFields, Logger } from "../base/logger.ts";
import type { LogFormat, LogLevel } from "./log-format.ts";

/**
 * What an operator sees of a running registry: log lines, the access log and Prometheus metrics.
 * This room formats and writes; it knows nothing of what the lines are about.
 */
export interface LoggerOptions {
  readonly level: LogLevel;
  readonly format: LogFormat;
  readonly fields: LogFields;
  readonly clock: Clock;
  readonly write: (line: string) => void;
}

const severity: Readonly<Record<LogLevel, number>> = { error: 0, warn: 1, info: 2, debug: 3 };

/** A logger that writes one line an entry. */
export function createLogger(options: LoggerOptions): Logger {
  const log = (level: LogLevel, message: string, fields: LogFields = {}): void => {
    if (severity[level] > severity[options.level]) return;
    const all = { ...options.fields, ...fields };
    options.write(options.format({ atMs: options.clock.nowMs(), level, message, fields: all }));
  };
  return {
    debug: (message, fields) => log("debug", message, fields),
    info: (message, fields) => log("info", message, fields),
    warn: (message, fields) => log("warn", message, fields),
    error: (message, fields) => log("error", message, fields),
    child: (fields) => createLogger({ ...options, fields: { ...options.fields, ...fields } }),
  };
}
