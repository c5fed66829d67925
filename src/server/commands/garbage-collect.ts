import { everything } from "../../base/glob.ts";
import { collectedBlobs } from "../../gc/collected-blobs.ts";
import { markAndSweep } from "../../gc/mark-and-sweep.ts";
import type { Digest } from "../../oci/digest.ts";
import { RetentionRuns } from "../retention-runs.ts";
import { actorIn } from "./actor.ts";
import type { CommandArguments, CommandParts, ExitCode } from "./command.ts";
import { gcPreview, gcRun } from "./gc.ts";
import { whenAdopted } from "./progress.ts";
import { countText, sizeText } from "./text.ts";

/**
 * `berth garbage-collect`, with Distribution's options. Beside a server it is a round of live
 * collection, with its leases and graces; alone with the storage, where nothing can be pushed
 * meanwhile, it marks and sweeps at once as Distribution does.
 */
export async function garbageCollect(
  parts: CommandParts,
  args: CommandArguments,
): Promise<ExitCode> {
  if (parts.config.storage.maintenance.readOnly.isEnabled && parts.isServing) {
    throw new Error("the registry is read-only (storage.maintenance.readonly): stop it first");
  }
  await whenAdopted(parts);
  return parts.isServing ? collectBeside(parts, args) : collectAlone(parts, args);
}

async function collectBeside(parts: CommandParts, args: CommandArguments): Promise<ExitCode> {
  const isDryRun = args.flag("dryRun");
  const isDone = !args.flag("deleteUntagged") || (await deleteUntagged(parts, args));
  const exit = await (isDryRun ? gcPreview(parts) : gcRun(parts, args));
  parts.print(
    "the registry is running: what clients were told of lately waits for its grace, and what " +
      "was deleted for its undo time (berth gc why DIGEST, berth trash purge)",
  );
  return isDone ? exit : 1;
}

/**
 * What `-m` deletes, if nobody was told of it within the grace: somebody may be about to tag it.
 * No tag goes, also not one of a signature whose subject is gone. False when it had to end early.
 */
async function deleteUntagged(parts: CommandParts, args: CommandArguments): Promise<boolean> {
  const { config, opened, print, signal } = parts;
  const isDryRun = args.flag("dryRun");
  const rule = {
    repositories: [everything],
    keep: { tags: [] },
    protect: [everything],
    untaggedAfterMs: config.gc.graceMs,
  };
  const runs = new RetentionRuns({
    ...parts,
    opened,
    config: { ...config.retention, rules: [rule] },
    actor: actorIn(args, "berth garbage-collect"),
  });
  let count = 0;
  let halted: string | undefined;
  const say = (name: string, reference: string): void => {
    count += 1;
    if (isDryRun) print(`${name}: manifest eligible for deletion: ${reference}`);
    else print(`${name}: manifest deleted: ${reference}`);
  };
  if (isDryRun) {
    for await (const name of runs.repositories()) {
      const plan = await runs.plan(name);
      for (const manifest of plan === "frozen" ? [] : plan.manifests) {
        if (!manifest.isKept) say(name, manifest.digest);
      }
    }
  } else {
    const result = await runs.run({
      signal,
      isFull: true,
      say: (deletion) => say(deletion.repository, deletion.reference),
    });
    ({ halted } = result);
  }
  if (halted !== undefined) print(`no more untagged manifests: ${halted}`);
  print(`${countText(count, "untagged manifest")} ${isDryRun ? "would go" : "deleted"}`);
  return halted === undefined;
}

async function collectAlone(parts: CommandParts, args: CommandArguments): Promise<ExitCode> {
  const { opened, logger, print, clock, config } = parts;
  const isDryRun = args.flag("dryRun");
  const { blobs, reader } = opened.context;
  const { collection } = opened.metadata;
  const trashedBeforeMs = clock.nowMs() - config.gc.trashGraceMs;
  const result = await markAndSweep({
    links: opened.links,
    blobs,
    reader,
    logger,
    deletesUntagged: args.flag("deleteUntagged"),
    isDryRun,
    isSetAside: async (digest) =>
      ((await opened.quarantine.sizeOf(digest)) ?? (await blobs.sizeInTrash(digest))) !== undefined,
    // Without a row nobody knows since when it has been there: the server's next round marks it.
    isOver: async (digest) =>
      ((await collection.stateOf(digest))?.trashedAtMs ?? Infinity) < trashedBeforeMs,
    keeps: async (digest) => (await opened.activity.trash.keptAmong([digest])).has(digest),
    say: args.flag("quiet") ? () => undefined : print,
  });
  if (!isDryRun) {
    const gone = [...result.removed, ...result.endedTrash];
    await noteCollected(gone, parts);
    // The metadata follows the layout, here as everywhere.
    await opened.registry.adoption.rebuild(parts.signal);
    await collection.forget(gone);
  }
  const removed = isDryRun ? "would be removed" : "removed";
  print(
    `${countText(result.markedBlobs, "blob")} marked; ` +
      `${countText(result.removedBlobs, "blob")} (${sizeText(result.freedBytes)}) and ` +
      `${countText(result.removedManifests, "manifest")} ${removed}`,
  );
  if (result.endedTrash.length > 0) {
    const count = countText(result.endedTrash.length, "blob");
    print(`${count} (${sizeText(result.endedTrashBytes)}) ${removed} from the trash of collection`);
  }
  if (result.keptBlobs > 0) {
    print(
      `${countText(result.keptBlobs, "blob")} kept, because what needs them was deleted lately ` +
        "and can be taken back: berth trash ls, berth trash purge",
    );
  }
  return 0;
}

/** For `berth gc why`, from what is still known of them. */
async function noteCollected(
  digests: readonly Digest[],
  { opened, clock }: CommandParts,
): Promise<void> {
  const { collection } = opened.metadata;
  const states = [...(await collection.statesOf(digests)).values()];
  // A digest that was only named by a manifest never had bytes.
  const blobs = states.filter((state) => state.sizeBytes !== undefined);
  const notes = collectedBlobs(blobs, await collection.linksTo(digests), clock.nowMs());
  if (notes.length > 0) await opened.activity.collected.record(notes);
}
