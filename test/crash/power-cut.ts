/**
 * The power fails under load: the disk takes nothing any more, and what was not synced is gone.
 *
 * The disk is an ext4 in a file. FS_IOC_SHUTDOWN stops it as a power cut does: the pages and the
 * journal in memory are never written. In the mode `writeback`, ext4 gives a file its name and its
 * length without its bytes; in `ordered`, its default, it mostly does not.
 */
import { join } from "node:path";
import { disksUnavailable, MountedDisk } from "./mounted-disk.ts";
import { atLeast, type Figure, type Rig, type RigOptions } from "./rig.ts";
import { Trial } from "./trial.ts";

const cycles = {
  short: { ordered: 3, writeback: 2 },
  long: { ordered: 120, writeback: 40 },
} as const;

const modes = {
  ordered: "data=ordered",
  writeback: "data=writeback,noauto_da_alloc",
} as const;

/** After so many cycles a new disk begins, so that a look at all of it stays short. */
const cyclesPerDisk = 20;

export const powerCut: Rig = {
  name: "power-cut",
  fault: "power cut (FS_IOC_SHUTDOWN on loop ext4)",
  unavailable: async () => disksUnavailable("ext4"),
  async run(options) {
    // Two disks at once: a cycle waits for its disk most of the time.
    const found = await Promise.all(
      (["ordered", "writeback"] as const).map(async (mode) => cutAgain(mode, options)),
    );
    return found.flat();
  },
};

async function cutAgain(mode: keyof typeof modes, options: RigOptions): Promise<readonly Figure[]> {
  const { form, seed, say } = options;
  const wanted = cycles[form][mode];
  const sums = new Map<string, Figure>();
  let pushes = 0;
  for (let done = 0; done < wanted; done += cyclesPerDisk) {
    await using disk = await MountedDisk.create({
      kind: "ext4",
      sizeMiB: 256,
      options: modes[mode],
    });
    const name = `power-cut-${mode}`;
    const dataFolder = join(disk.folder, "registry");
    const facts = { name, seed: `${seed} ${done}`, dataFolder, pushersCount: 3 };
    await using trial = new Trial(facts);
    const count = Math.min(cyclesPerDisk, wanted - done);
    await cutDisk({ disk, trial, count, label: `${mode}, disk ${done / cyclesPerDisk}` });
    for (const figure of trial.figures()) addUp(sums, figure);
    pushes += trial.pushes;
    say(`${mode}: ${done + count} cuts, ${pushes} pushes`);
  }
  return [
    atLeast("power cuts", wanted, wanted),
    atLeast("pushes acknowledged", pushes, wanted),
    ...sums.values(),
  ].map((figure) => ({ ...figure, name: `${mode}: ${figure.name}` }));
}

async function cutDisk(work: {
  readonly disk: MountedDisk;
  readonly trial: Trial;
  readonly count: number;
  readonly label: string;
}): Promise<void> {
  const { disk, trial, count, label } = work;
  const { berth, random } = trial;
  await berth.start();
  for (let cut = 1; cut <= count; cut += 1) {
    const moment = { requests: random.integer(4, 160), delayMs: random.next() * 8 };
    await trial.loadUntil(moment, async () => {
      disk.cutPower();
      // What is answered in this moment was promised before the cut.
      await Bun.sleep(random.integer(0, 3));
      await berth.kill();
    });
    await disk.restorePower();
    await trial.recover(`${label}, cut ${cut}`);
  }
  await trial.end();
}

function addUp(sums: Map<string, Figure>, figure: Figure): void {
  const known = sums.get(figure.name);
  if (known === undefined) {
    sums.set(figure.name, figure);
    return;
  }
  sums.set(figure.name, {
    ...figure,
    value: known.value + figure.value,
    holds: known.holds && figure.holds,
    evidence: [...(known.evidence ?? []), ...(figure.evidence ?? [])].slice(0, 8),
  });
}
