import type { Clock } from "../../base/clock.ts";
import type { Logger } from "../../base/logger.ts";
import type { Random } from "../../base/random.ts";
import type { Config } from "../../config/config.ts";
import { RegistryError } from "../../oci/problems.ts";
import type { Collection } from "../collection.ts";
import type { Health } from "../health.ts";
import type { OpenRegistry } from "../open-registry.ts";
import type { RetentionRuns } from "../retention-runs.ts";

/**
 * A command on a registry: `berth gc run`, `berth rm`. It runs inside the server that has the
 * registry open, because locks and leases live there; without a server, in a process that
 * holds the registry alone. It never knows which.
 */
export type Command = (parts: CommandParts, args: CommandArguments) => Promise<ExitCode>;

/** 0 when all is well; 1 when what was asked for is not so, or could not be done. */
export type ExitCode = 0 | 1;

export interface CommandParts {
  readonly config: Config;
  readonly opened: OpenRegistry;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  readonly collection: Collection;
  readonly retention: RetentionRuns;
  /** False in a process that has the registry to itself, where nothing is pushed meanwhile. */
  readonly isServing: boolean;
  /** Absent where nothing is served. */
  readonly health?: Pick<Health, "problems">;
  /** Aborted when the person has given up waiting, or the server stops. */
  readonly signal: AbortSignal;
  /** One line of the answer, without its end. */
  readonly print: (line: string) => void;
  /** Resolves when the metadata store knows the whole storage. */
  readonly adopted: () => Promise<void>;
}

/** @throws {RegistryError} `readOnly` where nothing may be changed, by commands neither. */
export function refuseWhenReadOnly({ config }: Pick<CommandParts, "config">): void {
  if (config.storage.maintenance.readOnly.isEnabled) throw new RegistryError("readOnly");
}

type ArgumentValue = string | boolean | readonly string[];

/** What a command was called with. It came through a socket, so everything is looked at. */
export class CommandArguments {
  readonly #values: Readonly<Record<string, unknown>>;

  constructor(values: Readonly<Record<string, unknown>>) {
    this.#values = values;
  }

  /** @throws {Error} when it is missing. */
  text(name: string): string {
    const value = this.optionalText(name);
    if (value === undefined) throw new Error(`the command wants ${name}`);
    return value;
  }

  optionalText(name: string): string | undefined {
    const value = this.#values[name];
    return typeof value === "string" ? value : undefined;
  }

  flag(name: string): boolean {
    return this.#values[name] === true;
  }

  texts(name: string): readonly string[] {
    const value = this.#values[name];
    return Array.isArray(value) ? value.filter((item) => typeof item === "string") : [];
  }
}

/** What the command line passes on. */
export type CommandValues = Readonly<Record<string, ArgumentValue | undefined>>;
