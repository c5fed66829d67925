import { systemClock } from "../base/clock.ts";
import type { Logger } from "../base/logger.ts";
import { LineWriter } from "../telemetry/line-writer.ts";
import { logFormats } from "../telemetry/log-format.ts";
import { createLogger } from "../telemetry/logger.ts";

/** A logger for commands that end: lines to standard error, written before the process goes. */
export function commandLogger(level: "info" | "warn"): Logger & { flush(): void } {
  const lines = new LineWriter(2);
  const logger = createLogger({
    level,
    format: logFormats.text,
    fields: {},
    clock: systemClock,
    write: (line) => lines.write(line),
  });
  return { ...logger, flush: () => lines.flush() };
}
