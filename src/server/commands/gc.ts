import type { RoundResult } from "../../gc/collector.ts";
import {
  type CommandArguments,
  type CommandParts,
  type ExitCode,
  refuseWhenReadOnly,
} from "./command.ts";
import { whenAdopted } from "./progress.ts";
import { countText, sizeText, timeText } from "./text.ts";

/** `berth gc run`: one whole round, as fast as it goes. */
export async function gcRun(parts: CommandParts, args: CommandArguments): Promise<ExitCode> {
  const { print, signal, collection } = parts;
  refuseWhenReadOnly(parts);
  await whenAdopted(parts);
  const isQuiet = args.flag("quiet");
  const result = await collection.round({
    signal,
    isFull: true,
    say: (event) => {
      if (isQuiet) return;
      if (event.kind === "kept") print(`kept     ${event.digest} (${event.keeper})`);
      else print(`${event.kind.padEnd(8)} ${event.digest} ${sizeText(event.sizeBytes)}`);
    },
  });
  for (const line of summaryOf(result)) print(line);
  return result.problem === undefined ? 0 : 1;
}

function summaryOf(result: RoundResult): readonly string[] {
  const lines = [
    `${countText(result.trashedBlobs, "blob")} (${sizeText(result.trashedBytes)}) to the trash, ` +
      `${countText(result.removedBlobs, "blob")} (${sizeText(result.removedBytes)}) removed, ` +
      `${countText(result.removedLinks, "link")} and ` +
      `${countText(result.removedRepositories, "empty repository")} cleared away`,
  ];
  return result.problem === undefined ? lines : [`nothing more: ${result.problem}`, ...lines];
}

/** `berth gc preview`: what a round would do now, and what waits for its time. */
export async function gcPreview(parts: CommandParts): Promise<ExitCode> {
  const { print, collection, opened } = parts;
  await whenAdopted(parts);
  const totals = new Map<string, { count: number; bytes: number }>();
  const add = (key: string, bytes: number): void => {
    const total = totals.get(key) ?? { count: 0, bytes: 0 };
    totals.set(key, { count: total.count + 1, bytes: total.bytes + bytes });
  };
  const steps = { trash: 0, remove: 0, kept: 0 };
  for await (const { blob, step, keeper } of collection.preview()) {
    const { digest, sizeBytes = 0 } = blob;
    if (keeper !== undefined) {
      // One in the trash that a manifest needs by now comes back, and is like any other then.
      if (keeper !== "reference") steps.kept += 1;
      print(`kept     ${digest} ${sizeText(sizeBytes)} (${keeper})`);
      continue;
    }
    steps[step] += 1;
    print(`${step.padEnd(8)} ${digest} ${sizeText(sizeBytes)}`);
    const holders = await opened.metadata.repositoriesWithBlob(digest, 1_000);
    for (const holder of holders.length > 0 ? holders : ["(no repository)"]) add(holder, sizeBytes);
  }
  if (totals.size > 0) print("");
  for (const [name, { count, bytes }] of [...totals].sort(([, a], [, b]) => b.bytes - a.bytes)) {
    print(`${name}: ${countText(count, "blob")}, ${sizeText(bytes)}`);
  }
  print(
    `${steps.trash} would go to the trash, ${steps.remove} would be removed, ` +
      `${steps.kept} are kept although nothing references them`,
  );
  const problem = parts.config.storage.maintenance.readOnly.isEnabled
    ? "the registry is read-only (storage.maintenance.readonly)"
    : await collection.clockProblem();
  if (problem !== undefined) print(`but a round would do nothing now: ${problem}`);
  return 0;
}

/** `berth gc status` */
export async function gcStatus(parts: CommandParts): Promise<ExitCode> {
  const { print, collection, opened, config } = parts;
  const { isEnabled, intervalMs, graceMs, trashGraceMs } = config.gc;
  const seconds = (ms: number): string => `${Math.round(ms / 1_000)} s`;
  print(
    isEnabled
      ? `collection is on: a round every ${seconds(intervalMs)}, grace ${seconds(graceMs)}, ` +
          `then ${seconds(trashGraceMs)} in the trash`
      : "collection is off (gc.enabled): only berth gc run collects",
  );
  if (config.storage.maintenance.readOnly.isEnabled) {
    print("no round begins, because the registry is read-only (storage.maintenance.readonly)");
  }
  const last = await collection.lastRound();
  if (last === undefined) print("no round has ended yet");
  else {
    print(`the last round ended ${timeText(last.endedAtMs)} after ${last.durationMs} ms`);
    for (const line of summaryOf(last)) print(`  ${line}`);
  }
  const trash = await opened.metadata.collection.trashTotals();
  print(`in the trash: ${countText(trash.count, "blob")}, ${sizeText(trash.sizeBytes)}`);
  for (const frozen of await opened.metadata.collection.frozenRepositories(100)) {
    print(
      `frozen: ${frozen.repository} has ${countText(frozen.unreadableManifests, "manifest")} and ` +
        `${countText(frozen.unreadableTags, "tag")} that cannot be read; see berth fsck`,
    );
  }
  return 0;
}
