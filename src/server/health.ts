import type { Clock } from "../base/clock.ts";
import { codeOf, messageOf, reasonsOf } from "../base/errors.ts";
import type { Logger } from "../base/logger.ts";
import type { CheckConfig, HealthConfig } from "../config/config.ts";
import { RegistryError } from "../oci/problems.ts";
import { type Check, configuredChecks } from "./health-checks.ts";
import type { Every } from "./periodic.ts";

export interface HealthOptions {
  readonly clock: Clock;
  readonly logger: Logger;
  readonly every: Every;
}

/** Questions to what every registry stands on; they throw when it is not well. */
export interface Probes {
  /** A real durable write. */
  readonly storage: () => Promise<void>;
  /** A question: what is not answered cannot be pulled nor pushed. */
  readonly database: () => Promise<void>;
}

/** What is known of one check. */
interface State {
  readonly check: Check;
  failuresInARow: number;
  /** Why it is not well; undefined while it is. */
  problem: string | undefined;
  /** Since when it has been waiting for an answer; undefined when it is not. */
  askedAtMs: number | undefined;
}

const storageCheck: CheckConfig = { intervalMs: 10_000, threshold: 1 };
const storageCheckName = "storagedriver";
const databaseCheckName = "database";
/** While one of these fails, what can be served is served. */
const ownChecks: ReadonlySet<string> = new Set([storageCheckName, databaseCheckName]);
/** Distribution's name for a registry that was taken out of rotation by hand. */
const byHandName = "manual_http_status";

/**
 * The state of this process and of what it stands on.
 *
 * Readiness asks the storage for a real durable write: a full or read-only disk turns it red,
 * while pulls go on being served. A database that gives no answer does so too. The checks of `health.*` come on top, and so does the hand of
 * an operator. A check that gives no answer until it is due again has failed: a dead network
 * file system answers nothing at all.
 */
export class Health {
  readonly #options: HealthOptions;
  readonly #states: State[] = [];
  readonly #stops: (() => void)[] = [];
  #isDown = false;
  #isDraining = false;

  constructor(options: HealthOptions) {
    this.#options = options;
  }

  /**
   * Starts all checks. Resolves when the first look at the storage is over, or has taken as long
   * as the time between two looks: a start is not held up by a storage that hangs.
   */
  async start(config: HealthConfig, probes: Probes): Promise<void> {
    const own = { ...storageCheck, ...config.storageDriver };
    const storage: Check = { ...own, name: storageCheckName, look: probes.storage };
    const database: Check = { ...own, name: databaseCheckName, look: probes.database };
    const { promise: isLate, resolve: giveUp } = Promise.withResolvers<void>();
    const looks = [storage, database, ...configuredChecks(config)].map((check) => {
      const state: State = {
        check,
        failuresInARow: 0,
        problem: undefined,
        askedAtMs: undefined,
      };
      this.#states.push(state);
      const look = (): Promise<void> => this.#look(state);
      const stop = this.#options.every(check.intervalMs, () => {
        if (check === storage) giveUp();
        void look();
      });
      this.#stops.push(stop);
      return look;
    });
    // The others have their first look at the end of their interval, as in Distribution.
    await Promise.race([looks[0]?.(), isLate]);
  }

  stop(): void {
    for (const stop of this.#stops) stop();
  }

  /** The registry is about to end: it takes nothing new, and says so from now on. */
  drain(): void {
    this.#isDraining = true;
  }

  /** Takes the registry out of rotation, until it is put back. */
  setDown(isDown: boolean): void {
    if (isDown === this.#isDown) return;
    this.#isDown = isDown;
    const { logger } = this.#options;
    if (isDown) logger.warn("the registry was taken out of rotation by hand");
    else logger.info("the registry was put back into rotation by hand");
  }

  /**
   * Why the API answers no request at all, or undefined when it does: as in Distribution, what
   * an operator has configured or said takes the registry out of rotation. A storage that takes
   * no writes does not: pulls go on.
   *
   * Anybody may read it, so it says nothing of what a check looks at; the log and the debug server
   * do.
   */
  outOfRotation(): string | undefined {
    if (this.#isDown) return "taken out of rotation by hand";
    const isOut = ({ check, problem }: State): boolean =>
      problem !== undefined && !ownChecks.has(check.name);
    return this.#states.some(isOut) ? "a health check fails" : undefined;
  }

  /** What is not well, by name of the check; empty when everything is. */
  problems(): Readonly<Record<string, string>> {
    const failing = this.#states.flatMap(({ check, problem }): [string, string][] =>
      problem === undefined ? [] : [[check.name, problem]],
    );
    return {
      ...Object.fromEntries(failing),
      ...(this.#isDown && { [byHandName]: "taken out of rotation by hand" }),
      ...(this.#isDraining && { shutdown: "the registry is stopping" }),
    };
  }

  async #look(state: State): Promise<void> {
    const { clock } = this.#options;
    const nowMs = clock.monotonicMs();
    if (state.askedAtMs !== undefined) {
      // Still waiting: never two looks at once, they would only pile up.
      const seconds = Math.round((nowMs - state.askedAtMs) / 1_000);
      this.#failed(state, new Error(`there is no answer after ${seconds} s`));
      return;
    }
    state.askedAtMs = nowMs;
    try {
      await state.check.look();
      this.#succeeded(state);
    } catch (error) {
      this.#failed(state, error);
    } finally {
      state.askedAtMs = undefined;
    }
  }

  #succeeded(state: State): void {
    state.failuresInARow = 0;
    if (state.problem === undefined) return;
    state.problem = undefined;
    this.#options.logger.info("a health check is well again", { check: state.check.name });
  }

  /** The log hears of a failure when it begins to count, and not again until it is over. */
  #failed(state: State, error: unknown): void {
    state.failuresInARow += 1;
    if (state.failuresInARow < state.check.threshold) return;
    const isNew = state.problem === undefined;
    state.problem = sentenceOf(error);
    if (!isNew) return;
    const { name } = state.check;
    this.#options.logger.error(`a health check fails: ${state.problem}`, { check: name, error });
  }
}

const sentences: Readonly<Record<string, string>> = {
  ENOSPC: "the storage is full: pushes fail until there is room again, pulls go on",
  EDQUOT: "the storage's quota is used up: pushes fail until there is room again, pulls go on",
  EROFS: "the storage is mounted read-only: pushes fail, pulls go on",
  EACCES: "the registry's user may not write to the storage: pushes fail, pulls go on",
};

/** What an operator reads: the innermost reason with a sentence of its own, or the message. */
function sentenceOf(error: unknown): string {
  // Not why it began, which the log has said, but what it takes to end it.
  if (error instanceof RegistryError && error.reason === "storageDegraded") return error.message;
  if (error instanceof RegistryError && error.reason === "databaseUnavailable") {
    return `the database does not answer: ${reasonsOf(error.cause)}`;
  }
  for (let cause = error; cause instanceof Error; cause = cause.cause) {
    const sentence = sentences[codeOf(cause)];
    if (sentence !== undefined) return sentence;
  }
  return messageOf(error);
}
