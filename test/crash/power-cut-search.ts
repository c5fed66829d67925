/** Cuts the power at every operation of a scenario, and looks at every disk that may be left. */
import type { Clock } from "../../src/base/clock.ts";
import { problemsOnDisk, problemsServed } from "./disk-check.ts";
import type { NamedScenario } from "./disk-scenarios.ts";
import { type InProcess, openInProcess } from "./in-process.ts";
import { intercepted } from "./intercepted-file-system.ts";
import { NotedClient } from "./noted-client.ts";
import { type Allowed, Oracle } from "./oracle.ts";
import { afterPowerCut, choicesOf, type FrozenDisk, fingerprintOf, freeze } from "./power-cuts.ts";
import { SeededRandom } from "./seeded-random.ts";
import { filesOn, type FolderNode, type Ignored, SimulatedDisk } from "./simulated-disk.ts";

export interface SearchOptions {
  readonly scenario: NamedScenario;
  readonly seed: number;
  /** Of one moment, beside the extremes. */
  readonly choicesMax: number;
  readonly ignored?: Ignored;
  /** The process is killed first, before this many changes of the disk, and the client retries. */
  readonly killedAfter?: number;
}

export interface SearchResult {
  /** Different disks, or equal ones after different promises. */
  readonly states: number;
  readonly violations: readonly string[];
  /** False when the scenario had ended before it could be killed. */
  readonly isKilled: boolean;
}

/** What lay on the disk, what could be lost of it, and what was promised. */
interface Moment {
  readonly frozen: FrozenDisk;
  readonly allowed: Allowed;
  readonly after: string;
}

/** A millisecond a look, so that no two changes have the same time. */
class TickingClock implements Clock {
  #ms: number;
  constructor(startMs: number) {
    this.#ms = startMs;
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
/** So long after, a temporary file is known to be nobody's. */
const restartMs = startMs + 2 * 3_600_000;

export async function searchPowerCuts(options: SearchOptions): Promise<SearchResult> {
  const random = new SeededRandom(options.seed);
  const scenario = options.scenario.make(random);
  const { moments, isKilled } = await record(options, scenario, random);
  const seen = new Set<string>();
  const violations: string[] = [];
  for (const moment of moments) {
    const allowed = JSON.stringify([...moment.allowed]);
    for (const choice of choicesOf(moment.frozen, { max: options.choicesMax, random })) {
      const root = afterPowerCut(moment.frozen, choice);
      const fingerprint = `${fingerprintOf(root)} ${allowed}`;
      if (seen.has(fingerprint)) continue;
      seen.add(fingerprint);
      const problems = await problemsAfter(root, moment.allowed, scenario.recover);
      for (const problem of problems) {
        violations.push(`${options.scenario.name}, after ${moment.after}: ${problem}`);
      }
    }
  }
  return { states: seen.size, violations, isKilled };
}

async function record(
  options: SearchOptions,
  scenario: ReturnType<NamedScenario["make"]>,
  random: SeededRandom,
): Promise<{ readonly moments: readonly Moment[]; readonly isKilled: boolean }> {
  const clock = new TickingClock(startMs);
  const oracle = new Oracle();
  const moments: Moment[] = [];
  let isRecording = false;
  const note = (after: string): void => {
    if (!isRecording) return;
    moments.push({ frozen: freeze(disk.root, random), allowed: oracle.allowed(), after });
  };
  const { ignored = "nothing", killedAfter } = options;
  const disk = new SimulatedDisk({ clock, ignored, onChange: note });
  const clientOn = async (fileSystem: typeof disk | ReturnType<typeof intercepted>) => {
    const opened = await openInProcess({ fileSystem, clock, random });
    return new NotedClient({ opened, oracle, onAnswer: () => note("an answer") });
  };
  const first = await clientOn(disk);
  await scenario.prepare?.(first);
  disk.settle();
  await first.opened.close();
  if (killedAfter === undefined) {
    isRecording = true;
    const isConcurrent = options.scenario.isConcurrent === true;
    const client = await clientOn(isConcurrent ? intercepted(disk, pausing(random)) : disk);
    await scenario.run(client);
    await client.opened.close();
    return { moments, isKilled: false };
  }
  const isKilled = await killed(disk, killedAfter, async (fileSystem) => {
    await scenario.run(await clientOn(fileSystem));
  });
  const retrying = await clientOn(disk);
  const isAnswered = oracle.answered;
  isRecording = true;
  await scenario.recover?.(retrying);
  await retrying.opened.close();
  note(`the retry, ${oracle.answered - isAnswered} answers`);
  return { moments, isKilled };
}

/** Waits for some turns of the microtask queue, now and then for many: requests overtake. */
function pausing(random: SeededRandom): () => Promise<void> {
  return async () => {
    const turnsMax = random.below(6) === 0 ? 600 : 12;
    for (let turns = random.below(turnsMax); turns > 0; turns -= 1) await undefined;
  };
}

/** Runs `work` until it has changed the disk `changes` times, and never lets it go on. */
async function killed(
  disk: SimulatedDisk,
  changes: number,
  work: (fileSystem: ReturnType<typeof intercepted>) => Promise<void>,
): Promise<boolean> {
  const { promise: death, resolve: die } = Promise.withResolvers<true>();
  let left = changes;
  const fileSystem = intercepted(disk, ({ name }) => {
    if (reading.has(name)) return undefined;
    left -= 1;
    if (left >= 0) return undefined;
    die(true);
    return new Promise(() => undefined);
  });
  return Promise.race([death, work(fileSystem).then(() => false)]);
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
  allowed: Allowed,
  recover: ((client: NotedClient) => Promise<void>) | undefined,
): Promise<readonly string[]> {
  const onDisk = problemsOnDisk(root);
  if (onDisk.length > 0) return onDisk;
  const clock = new TickingClock(restartMs);
  const disk = new SimulatedDisk({ clock }, root);
  const random = new SeededRandom(1);
  let registry: InProcess | undefined;
  try {
    registry = await openInProcess({ fileSystem: disk, clock, random });
    const problems = [...(await problemsServed(registry, allowed))];
    for (const { path } of filesOn(disk.root)) {
      if (path.includes("/berth/tmp/")) problems.push(`${path} was left`);
    }
    if (problems.length > 0 || recover === undefined) return problems;
    const oracle = new Oracle();
    await recover(new NotedClient({ opened: registry, oracle }));
    if (disk.openFiles > 0) problems.push(`${disk.openFiles} files were left open`);
    return [...problems, ...(await problemsServed(registry, oracle.allowed()))];
  } catch (error) {
    return [`failed: ${Bun.inspect(error)}`];
  } finally {
    await registry?.close();
  }
}
