/** What the tests of this room share. The program does not import it. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Clock } from "../base/clock.ts";
import type { LogFields, Logger } from "../base/logger.ts";
import type { Credentials, Decision } from "./authenticator.ts";

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

export interface LogLine {
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
  const path = mkdtempSync(join(tmpdir(), "berth-auth-"));
  return {
    path,
    file: (name) => join(path, name),
    [Symbol.dispose]: () => rmSync(path, { recursive: true, force: true }),
  };
}

export function withAuthorization(authorization: string | undefined): Credentials {
  return { authorization, origin: "https://registry.example" };
}

export function basic(user: string, password: string): Credentials {
  return withAuthorization(`Basic ${Buffer.from(`${user}:${password}`).toString("base64")}`);
}

/** The decision, which must have come without a promise: nothing expensive was done for it. */
export function atOnce(decision: Decision | Promise<Decision>): Decision {
  if (decision instanceof Promise) throw new Error("the decision came as a promise");
  return decision;
}
