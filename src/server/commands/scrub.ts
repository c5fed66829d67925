import { join, resolve } from "node:path";
import type { Quarantined, ScrubState } from "../../gc/scrub.ts";
import { quarantinedBlobKey, quarantineFolder } from "../../storage/layout.ts";
import {
  type CommandArguments,
  type CommandParts,
  type ExitCode,
  refuseWhenReadOnly,
} from "./command.ts";
import { whenAdopted } from "./progress.ts";
import { rateIn } from "./rate.ts";
import { sizeText } from "./text.ts";

/**
 * `berth scrub [--full-speed | --rate N] [--continue]`: hashes every blob again, and ends with 1
 * when one is damaged.
 */
export async function scrub(parts: CommandParts, args: CommandArguments): Promise<ExitCode> {
  const { print, opened, config, signal } = parts;
  // What is damaged could not be moved aside.
  refuseWhenReadOnly(parts);
  await whenAdopted(parts);
  let damaged = 0;
  const state = await opened.scrub.round({
    bytesPerSecond: args.flag("fullSpeed")
      ? undefined
      : (rateIn(args) ?? config.scrub.rateBytesPerSecond),
    isNew: !args.flag("continue"),
    signal,
    onProgress: (now) => print(`${shareOf(now)} looked at: ${countsOf(now)}`),
    onFound: (digest, found) => {
      damaged += 1;
      print(`${digest}  ${found.kind}: ${found.why}`);
    },
  });
  if (state.finishedAtMs === undefined) {
    print(`interrupted after ${countsOf(state)}; --continue goes on from there`);
    return 1;
  }
  print(`every blob was hashed again: ${countsOf(state)}`);
  await printQuarantine(await opened.scrub.tidyQuarantine({ isDryRun: true }), parts);
  return damaged + state.corrupt + state.unreadable === 0 ? 0 : 1;
}

/** `berth scrub status` */
export async function scrubStatus(parts: CommandParts): Promise<ExitCode> {
  const { opened, print, config } = parts;
  const state = await opened.scrub.state();
  if (state === undefined) print("nothing was hashed again yet");
  else if (state.finishedAtMs !== undefined) {
    print(`the last round ended ${timeOf(state.finishedAtMs)}: ${countsOf(state)}`);
  } else {
    const verb = opened.scrub.isRunning ? "runs" : "stands still";
    const since = timeOf(state.startedAtMs);
    print(`a round ${verb} since ${since}, ${shareOf(state)} looked at: ${countsOf(state)}`);
  }
  const { isEnabled, intervalMs } = config.scrub;
  if (!isEnabled) print("no round begins by itself: scrub.enabled is false");
  else if (state?.finishedAtMs !== undefined) {
    print(`the next round is due ${timeOf(state.finishedAtMs + intervalMs)}`);
  }
  const quarantined = await opened.scrub.tidyQuarantine({ isDryRun: true });
  await printQuarantine(quarantined, parts);
  return quarantined.some(({ outcome }) => outcome === "waiting") ? 1 : 0;
}

async function printQuarantine(
  quarantined: readonly Quarantined[],
  { print, opened, config }: CommandParts,
): Promise<void> {
  const { driver } = config.storage;
  const dataFolder = driver.kind === "filesystem" ? resolve(driver.rootDirectory) : "";
  const outcomes = {
    healed: "was pushed again; the next scrub removes the damaged bytes",
    returned: "can be read again; the next scrub puts it back",
  };
  if (quarantined.length === 0) print("nothing is in quarantine");
  else print(`${quarantined.length} in quarantine (${quarantineFolder}):`);
  for (const { digest, outcome } of quarantined) {
    if (outcome !== "waiting") {
      print(`  ${digest}  ${outcomes[outcome]}`);
      continue;
    }
    const [user] = await opened.metadata.repositoriesNaming(digest, 1);
    const fate =
      user === undefined
        ? "nothing needs it any more"
        : `waits for a push to ${user}; if nobody has it any more`;
    print(`  ${digest}  ${fate}: rm ${join(dataFolder, quarantinedBlobKey(digest))}`);
  }
}

function countsOf({ blobs, bytes, corrupt, unreadable }: ScrubState): string {
  const counts = `${blobs} blobs, ${sizeText(bytes)}, ${corrupt} damaged`;
  return unreadable === 0 ? counts : `${counts}, ${unreadable} unreadable`;
}

/** Digests are spread evenly, so the place of the last one says how much is done. */
function shareOf({ cursor }: ScrubState): string {
  const place = cursor?.startsWith("sha512:") === true ? 1 : shareOfDigest(cursor);
  return `${Math.floor(place * 100)} %`;
}

function shareOfDigest(digest: string | undefined): number {
  return digest === undefined ? 0 : Number.parseInt(digest.slice(7, 15), 16) / 2 ** 32;
}

function timeOf(atMs: number): string {
  return new Date(atMs).toISOString();
}
