/**
 * A registry under load that is struck by faults, again and again, with the oracle beside it:
 *
 *   load ─ fault ─ look at the disk ─ start ─ look over HTTP ─ load ─ …
 */
import { Database } from "bun:sqlite";
import { join } from "node:path";
import { type BerthOptions, BerthProcess, type StartTime } from "./berth-process.ts";
import { ageTemporaryFiles, checkDisk, remaining } from "./disk-check.ts";
import { Journal } from "./journal.ts";
import { Oracle } from "./oracle.ts";
import { commonBlobs, Pusher, Refusal } from "./pusher.ts";
import { RegistryClient } from "./registry-client.ts";
import { type Figure, none } from "./rig.ts";
import { SeededRandom } from "./seeded-random.ts";

export interface TrialOptions extends BerthOptions {
  readonly name: string;
  readonly seed: number | string;
  readonly pushersCount: number;
}

/** When the fault strikes: after so many more requests have been sent, and so much time. */
export interface Moment {
  readonly requests: number;
  readonly delayMs: number;
}

export class Trial implements AsyncDisposable {
  readonly berth: BerthProcess;
  readonly random: SeededRandom;
  readonly oracle: Oracle;
  readonly client: RegistryClient;
  readonly pushers: readonly Pusher[];
  readonly starts: StartTime[] = [];
  readonly lost: string[] = [];
  readonly corrupt: string[] = [];
  readonly broken: string[] = [];
  readonly litter: string[] = [];
  /** What fsck found after a fault. */
  readonly unclean: string[] = [];
  /** What a registry in good health refused. */
  readonly refused: string[] = [];
  readonly #journal: Journal;
  #requestsLeft = 0;
  #reached = Promise.withResolvers<void>();

  constructor(options: TrialOptions) {
    const { name, seed, dataFolder, pushersCount } = options;
    this.berth = new BerthProcess(options);
    this.random = new SeededRandom(`${name} ${seed}`);
    this.#journal = new Journal(name, dataFolder);
    this.oracle = new Oracle(this.#journal);
    this.client = new RegistryClient(this.berth.origin, { onSend: () => this.#count() });
    const common = commonBlobs(this.random.fork("common"));
    this.pushers = Array.from({ length: pushersCount }, (_, index) => {
      const random = this.random.fork(`pusher ${index}`);
      const { oracle, client } = this;
      return new Pusher({ name: String(index), random, oracle, client, commonBlobs: common });
    });
  }

  get pushes(): number {
    return this.pushers.reduce((sum, { pushes }) => sum + pushes, 0);
  }

  /** Lets all pushers work, strikes at that moment, and returns when they have noticed. */
  async loadUntil(moment: Moment, fault: () => Promise<void>): Promise<void> {
    const stop = new AbortController();
    this.#reached = Promise.withResolvers();
    this.#requestsLeft = moment.requests;
    const working = Promise.all(this.pushers.map((pusher) => this.#work(pusher, stop.signal)));
    await Promise.race([this.#reached.promise, working]);
    await Bun.sleep(moment.delayMs);
    stop.abort();
    await fault();
    await working;
  }

  /** Starts the registry after a fault and looks at everything. It is not running before. */
  async recover(label: string): Promise<void> {
    const { dataFolder } = this.berth;
    const disk = checkDisk(dataFolder);
    const temporary = ageTemporaryFiles(dataFolder);
    this.starts.push(await this.berth.start());
    const served = await this.oracle.verify(this.client);
    const fsck = await this.berth.command("fsck");
    const mark = (line: string): string => `${label}: ${line}`;
    if (fsck.exit !== 0) this.unclean.push(...fsck.lines.filter(isError).map(mark));
    this.lost.push(...served.lost.map(mark));
    this.corrupt.push(...[...disk.corrupt, ...served.corrupt].map(mark));
    this.broken.push(...served.broken.map(mark));
    this.litter.push(...[...disk.litter, ...remaining(temporary)].map(mark));
  }

  /** Ends the registry as an operator does, and looks at its databases. */
  async end(): Promise<void> {
    const code = await this.berth.stop();
    if (code !== 0) this.broken.push(`the registry ended with ${code}: ${this.berth.log()}`);
    for (const name of ["metadata.sqlite", "berth.sqlite"]) {
      using database = new Database(join(this.berth.dataFolder, "berth", name));
      const found = database.query<{ integrity_check: string }, []>("pragma integrity_check").all();
      const text = found.map(({ integrity_check }) => integrity_check).join("; ");
      if (text !== "ok") this.corrupt.push(`${name}: ${text}`);
    }
  }

  /** What every trial promises. */
  figures(): readonly Figure[] {
    const { lost, corrupt, broken, litter, unclean, refused } = this;
    return [
      none("acknowledged operations lost", lost),
      none("wrong bytes, served or under a final name", corrupt),
      none("images that a tag or a manifest names and that cannot be pulled", broken),
      none("files left that should not be", litter),
      none("errors that fsck finds", unclean),
      none("requests refused, or unanswered, in good health", [...refused, ...this.client.hangs]),
    ];
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.berth[Symbol.asyncDispose]();
    const isFine = this.figures().every(({ holds }) => holds);
    this.#journal.close(!isFine);
    if (!isFine) process.stderr.write(`what was acknowledged is in ${this.#journal.path}\n`);
  }

  async #work(pusher: Pusher, signal: AbortSignal): Promise<void> {
    try {
      await pusher.work(signal);
    } catch (error) {
      if (!(error instanceof Refusal)) throw error;
      this.refused.push(error.message);
    }
  }

  #count(): void {
    this.#requestsLeft -= 1;
    if (this.#requestsLeft === 0) this.#reached.resolve();
  }
}

const isError = (line: string): boolean => line.startsWith("error");
