/** Cuts the power at every operation of a scenario, and looks at every disk that may be left. */
import type { FileSystem } from "../../src/storage/drivers/file-system.ts";
import type { PassingClock } from "./collecting.ts";
import { CommittedRecords, type RecordsCopy } from "./committed-records.ts";
import type { DiskScenario, NamedScenario } from "./disk-scenarios.ts";
import { type InProcess, openInProcess } from "./in-process.ts";
import { intercepted } from "./intercepted-file-system.ts";
import { leftoversOn } from "./leftovers.ts";
import { problemsOnDisk, problemsServed } from "./model-check.ts";
import { type Allowed, Oracle } from "./model-oracle.ts";
import { NotedClient } from "./noted-client.ts";
import { afterPowerCut, choicesOf, type FrozenDisk, fingerprintOf, freeze } from "./power-cuts.ts";
import { SeededRandom } from "./seeded-random.ts";
import { type FolderNode, filesOn, type Ignored, SimulatedDisk } from "./simulated-disk.ts";
import { turns } from "./turns.ts";

export interface SearchOptions {
  readonly scenario: NamedScenario;
  readonly seed: number;
  /** Of one moment, beside the extremes. */
  readonly choicesMax: number;
  readonly ignored?: Ignored;
  /** What else goes wrong; the power is then cut after each answer only. */
  readonly also?: AlsoWrong;
}

/** Counted in operations that change the disk, or make a change durable. */
export type AlsoWrong =
  /** The process dies before this operation is done, another one takes over, and the client retries. */
  | { readonly kind: "killed"; readonly at: number }
  /** This operation takes so long that every other request overtakes it. */
  | { readonly kind: "held up"; readonly at: number };

export interface SearchResult {
  /** Different disks, or equal ones after different promises. */
  readonly states: number;
  readonly violations: readonly string[];
  /** False when the scenario had ended before `also` could happen. */
  readonly hasHappened: boolean;
}

/** What lay on the disk, what could be lost of it, and what was promised. */
interface Moment {
  readonly frozen: FrozenDisk;
  readonly allowed: Allowed;
  readonly after: string;
  readonly atMs: number;
  /** Where the scenario has them. */
  readonly records: RecordsCopy | undefined;
}

/** A millisecond a look, so that no two changes have the same time. */
class TickingClock implements PassingClock {
  #ms: number;
  constructor(startMs: number) {
    this.#ms = startMs;
  }
  pass(ms: number): void {
    this.#ms += ms;
  }
  nowMs(): number {
    this.#ms += 1;
    return this.#ms;
  }
  monotonicMs(): number {
    return this.nowMs();
  }
}

const startMs = 1_800_000_000_000;
const dayMs = 24 * 3_600_000;
/** After every scenario; and so long after, a temporary file is known to be nobody's. */
const restartMs = startMs + 365 * dayMs;

export async function searchPowerCuts(options: SearchOptions): Promise<SearchResult> {
  const random = new SeededRandom(options.seed);
  const scenario = options.scenario.make(random);
  const { moments, hasHappened } = await record(options, scenario, random);
  const seen = new Set<string>();
  const violations: string[] = [];
  for (const moment of moments) {
    const allowed = JSON.stringify([...moment.allowed]);
    const choices = { max: options.choicesMax, isBrief: options.also !== undefined, random };
    for (const choice of choicesOf(moment.frozen, choices)) {
      const root = afterPowerCut(moment.frozen, choice);
      const fingerprint = `${fingerprintOf(root)} ${moment.records?.version} ${allowed}`;
      if (seen.has(fingerprint)) continue;
      seen.add(fingerprint);
      const problems = await problemsAfter(root, moment, scenario);
      for (const problem of problems) {
        violations.push(`${options.scenario.name}, after ${moment.after}: ${problem}`);
      }
    }
  }
  return { states: seen.size, violations, hasHappened };
}

interface Recording {
  readonly moments: readonly Moment[];
  readonly hasHappened: boolean;
}

async function record(
  { also, ignored = "nothing" }: SearchOptions,
  scenario: ReturnType<NamedScenario["make"]>,
  random: SeededRandom,
): Promise<Recording> {
  const clock = new TickingClock(startMs);
  const oracle = new Oracle();
  const moments: Moment[] = [];
  using records = scenario.hasRecords === true ? new CommittedRecords() : undefined;
  let isRecording = false;
  const note = (after: string): void => {
    if (!isRecording) return;
    const [allowed, atMs] = [oracle.allowed(), clock.nowMs()];
    const now = { allowed, atMs, records: records?.copy() };
    const last = moments.at(-1);
    // What was committed meanwhile was so before this operation, if every one is noted.
    if (also === undefined && last !== undefined && last.records !== now.records) {
      moments.push({ ...now, frozen: last.frozen, after: "a commit" });
    }
    moments.push({ ...now, frozen: freeze(disk.root, random), after });
  };
  const onChange = (operation: string): void => {
    if (also === undefined) note(operation);
  };
  const disk = new SimulatedDisk({ clock, ignored, onChange });
  const clientOn = async (fileSystem: FileSystem): Promise<NotedClient> => {
    const opened = await openInProcess({ fileSystem, clock, random, records: records?.location });
    return new NotedClient({ opened, oracle, clock, onAnswer: () => note("an answer") });
  };
  const during = async (
    fileSystem: FileSystem,
    work: ((client: NotedClient) => Promise<void>) | undefined,
  ): Promise<void> => {
    const client = await clientOn(fileSystem);
    await work?.(client);
    await client.opened.close();
  };
  await during(disk, scenario.prepare);
  disk.settle();
  isRecording = also?.kind !== "killed";
  const { fileSystem, happening } = withFault(disk, also);
  const ended = during(fileSystem, scenario.run).then(() => false);
  const hasHappened = await Promise.race([happening, ended]);
  if (also?.kind === "held up") await ended;
  if (also?.kind === "killed") {
    isRecording = true;
    await during(disk, scenario.recover);
  }
  return { moments, hasHappened };
}

/** Long enough for any other request to come to its end. */
const turnsOfDelay = 5_000;

function withFault(
  disk: SimulatedDisk,
  also: AlsoWrong | undefined,
): { readonly fileSystem: FileSystem; readonly happening: Promise<boolean> } {
  const { promise: happening, resolve: happen } = Promise.withResolvers<boolean>();
  if (also === undefined) return { fileSystem: disk, happening };
  let count = 0;
  const fileSystem = intercepted(disk, ({ name }) => {
    if (reading.has(name)) return undefined;
    count += 1;
    if (also.kind === "killed" && count >= also.at) {
      happen(true);
      return new Promise(() => undefined);
    }
    if (also.kind === "held up" && count === also.at) {
      happen(true);
      return turns(turnsOfDelay);
    }
    return undefined;
  });
  return { fileSystem, happening };
}

const reading: ReadonlySet<string> = new Set([
  "stat",
  "statNow",
  "readFolder",
  "openRead",
  "read",
  "close",
]);

async function problemsAfter(
  root: FolderNode,
  { allowed, ...moment }: Moment,
  { recover, isCleanAfter = false }: DiskScenario,
): Promise<readonly string[]> {
  const onDisk = problemsOnDisk(root);
  if (onDisk.length > 0) return onDisk;
  using records = moment.records === undefined ? undefined : new CommittedRecords(moment.records);
  const clock = new TickingClock(records === undefined ? restartMs : moment.atMs + dayMs);
  const disk = new SimulatedDisk({ clock }, root);
  const random = new SeededRandom(1);
  let registry: InProcess | undefined;
  try {
    registry = await openInProcess({ fileSystem: disk, clock, random, records: records?.location });
    const problems = [...(await problemsServed(registry, allowed))];
    for (const { path } of filesOn(disk.root)) {
      if (path.includes("/berth/tmp/")) problems.push(`${path} was left`);
    }
    if (problems.length > 0 || recover === undefined) return problems;
    const oracle = new Oracle();
    await recover(new NotedClient({ opened: registry, oracle, clock }));
    if (disk.openFiles > 0) problems.push(`${disk.openFiles} files were left open`);
    if (isCleanAfter) problems.push(...leftoversOn(disk.root));
    return [...problems, ...(await problemsServed(registry, oracle.allowed()))];
  } catch (error) {
    return [`failed: ${Bun.inspect(error)}`];
  } finally {
    await registry?.close();
  }
}
