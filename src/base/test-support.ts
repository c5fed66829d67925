/** What the tests of every room share. The program does not import it. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Clock } from "./clock.ts";
import type { LogFields, Logger } from "./logger.ts";

/** A clock that moves when it is told to, from 2026-01-01. */
export class FakeClock implements Clock {
  #passedMs = 0;
  #startMs = Date.UTC(2026, 0, 1);

  nowMs(): number {
    return this.#startMs + this.#passedMs;
  }

  monotonicMs(): number {
    return this.#passedMs;
  }

  pass(ms: number): void {
    this.#passedMs += ms;
  }

  /** Somebody sets the wall clock. */
  step(ms: number): void {
    this.#startMs += ms;
  }
}

interface LogLine {
  readonly level: "debug" | "info" | "warn" | "error";
  readonly message: string;
  readonly fields: LogFields;
}

/** A logger that keeps its lines. */
export function recordingLogger(): Logger & { readonly lines: readonly LogLine[] } {
  const lines: LogLine[] = [];
  const at =
    (level: LogLine["level"]) =>
    (message: string, fields: LogFields = {}): void => {
      lines.push({ level, message, fields });
    };
  const logger = {
    lines,
    debug: at("debug"),
    info: at("info"),
    warn: at("warn"),
    error: at("error"),
    child: () => logger,
  };
  return logger;
}

/** A folder of its own that goes when the `using` block ends. */
export function temporaryFolder(): Disposable & {
  readonly path: string;
  file(name: string): string;
} {
  const path = mkdtempSync(join(tmpdir(), "berth-test-"));
  return {
    path,
    file: (name) => join(path, name),
    [Symbol.dispose]: () => rmSync(path, { recursive: true, force: true }),
  };
}
