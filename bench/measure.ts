/**
 * What a server costs while it works, read from /proc: processor time and memory of its whole
 * tree of processes. Nothing runs inside the servers, and every contestant is read the same way.
 */
import { readdirSync, readFileSync, writeFileSync } from "node:fs";

export interface Cost {
  /** User and system time in clock ticks of 10 ms. */
  readonly serverTicks: number;
  /**
   * The most memory that was resident at once. One process: the kernel's own high-water mark.
   * Several: the largest sum of their proportional shares that was seen, ten times a second,
   * since adding up high-water marks would count shared pages twice.
   */
  readonly peakMemoryBytes: number;
  /** What all processors of the machine were busy for meanwhile, whoever kept them busy. */
  readonly machineTicks: number;
  readonly elapsedMs: number;
}

const samplePeriodMs = 100;

/** Runs `work` and returns what the processes below `rootPid` spent meanwhile. */
export async function measureCost<T>(
  rootPid: number,
  work: () => Promise<T>,
): Promise<{ readonly result: T; readonly cost: Cost }> {
  const before = processTree(rootPid);
  for (const pid of before) resetPeak(pid);
  let peakShareBytes = shareBytes(before);
  const timer =
    before.length > 1
      ? setInterval(() => {
          peakShareBytes = Math.max(peakShareBytes, shareBytes(processTree(rootPid)));
        }, samplePeriodMs)
      : undefined;
  const machineBefore = machineTicks();
  const startedAtMs = performance.now();
  const ticksBefore = new Map(before.map((pid) => [pid, ticksOf(pid)]));
  try {
    const result = await work();
    const elapsedMs = performance.now() - startedAtMs;
    const busyTicks = machineTicks() - machineBefore;
    const after = processTree(rootPid);
    let serverTicks = 0;
    for (const pid of after) serverTicks += ticksOf(pid) - (ticksBefore.get(pid) ?? 0);
    const [only] = after;
    const isSingle = after.length === 1 && before.length === 1 && only !== undefined;
    const peakMemoryBytes = isSingle
      ? statusBytes(only, "VmHWM")
      : Math.max(peakShareBytes, shareBytes(after));
    const cost = { serverTicks, peakMemoryBytes, machineTicks: busyTicks, elapsedMs };
    return { result, cost };
  } finally {
    clearInterval(timer);
  }
}

/** Waits until the tree of processes has nothing left to do, at most `timeoutMs`. */
export async function waitUntilIdle(rootPid: number, timeoutMs: number): Promise<void> {
  let quietPeriods = 0;
  let last = treeTicks(rootPid);
  for (let waitedMs = 0; waitedMs < timeoutMs; waitedMs += 250) {
    await Bun.sleep(250);
    const now = treeTicks(rootPid);
    quietPeriods = now - last <= 1 ? quietPeriods + 1 : 0;
    if (quietPeriods === 3) return;
    last = now;
  }
  throw new Error(`process ${rootPid} is still busy after ${timeoutMs / 1_000} s`);
}

export function treeTicks(rootPid: number): number {
  return processTree(rootPid).reduce((sum, pid) => sum + ticksOf(pid), 0);
}

/** Busy time of all processors since boot, see /proc/stat in proc(5). */
function machineTicks(): number {
  const [first = ""] = (readProc("/proc/stat") ?? "").split("\n");
  const [user = 0, nice = 0, system = 0, , , irq = 0, softirq = 0, steal = 0] = first
    .split(/\s+/)
    .slice(1)
    .map(Number);
  return user + nice + system + irq + softirq + steal;
}

/** `rootPid` and all its descendants that are alive. */
function processTree(rootPid: number): number[] {
  const children = new Map<number, number[]>();
  for (const name of readdirSync("/proc")) {
    const pid = Number(name);
    if (!Number.isInteger(pid)) continue;
    const parent = statFields(pid)?.parentPid;
    if (parent !== undefined) children.set(parent, [...(children.get(parent) ?? []), pid]);
  }
  const tree = [rootPid];
  for (const pid of tree) tree.push(...(children.get(pid) ?? []));
  return tree;
}

function ticksOf(pid: number): number {
  return statFields(pid)?.ticks ?? 0;
}

/** See proc_pid_stat(5): the name in parentheses may itself hold spaces and parentheses. */
function statFields(pid: number): { parentPid: number; ticks: number } | undefined {
  const text = readProc(`/proc/${pid}/stat`);
  if (text === undefined) return undefined;
  const fields = text.slice(text.lastIndexOf(")") + 2).split(" ");
  return { parentPid: Number(fields[1]), ticks: Number(fields[11]) + Number(fields[12]) };
}

function statusBytes(pid: number, key: string): number {
  const match = new RegExp(`^${key}:\\s+(\\d+) kB$`, "m").exec(
    readProc(`/proc/${pid}/status`) ?? "",
  );
  if (match === null)
    throw new Error(`process ${pid} has no ${key}: it ended during the measurement`);
  return Number(match[1]) * 1_024;
}

function shareBytes(pids: readonly number[]): number {
  let sum = 0;
  for (const pid of pids) {
    const match = /^Pss:\s+(\d+) kB$/m.exec(readProc(`/proc/${pid}/smaps_rollup`) ?? "");
    sum += Number(match?.[1] ?? 0) * 1_024;
  }
  return sum;
}

/** Starts the kernel's high-water mark again from what is resident now (proc_pid_clear_refs(5)). */
function resetPeak(pid: number): void {
  writeFileSync(`/proc/${pid}/clear_refs`, "5");
}

function readProc(path: string): string | undefined {
  try {
    return readFileSync(path, "utf8");
  } catch {
    // The process ended between the listing and the reading.
    return undefined;
  }
}
