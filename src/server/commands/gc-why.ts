import type { Clock } from "../../base/clock.ts";
import { isExpired } from "../../gc/keepers.ts";
import type { Reasons } from "../../gc/why.ts";
import type { CommandArguments, CommandParts, ExitCode } from "./command.ts";
import { digestNamed } from "./names.ts";
import { whenAdopted } from "./progress.ts";
import { sizeText, timeText } from "./text.ts";

/** `berth gc why DIGEST`: what keeps a blob, or where it went. 1 when it is not here. */
export async function gcWhy(parts: CommandParts, args: CommandArguments): Promise<ExitCode> {
  const digest = digestNamed(args.text("digest"));
  await whenAdopted(parts);
  const reasons = await parts.collection.reasonsFor(digest);
  // The next round forgets entries whose time is over, before it looks at anything else.
  const undo = reasons.undo.filter((entry) => !isExpired(entry, parts.clock));
  const isInPlace = (await parts.opened.context.blobs.sizeOf(digest)) !== undefined;
  for (const line of linesOf({ ...reasons, undo }, { ...parts, isInPlace })) parts.print(line);
  return reasons.sizeBytes === undefined ? 1 : 0;
}

function linesOf(
  reasons: Reasons,
  { config, clock, isInPlace }: CommandParts & { readonly isInPlace: boolean },
): readonly string[] {
  const { digest, state, sizeBytes, linkedBy } = reasons;
  if (sizeBytes === undefined) return [`${digest} is not here`, ...whereItWent(reasons)];
  const lines = [`${digest} ${sizeText(sizeBytes)}`];
  const keepers = keepersOf(reasons);
  const isKept = keepers.length > 0;
  const sinceMs = state?.trashedAtMs;
  if (sinceMs !== undefined) {
    const untilMs = sinceMs + config.gc.trashGraceMs;
    const trash = { isKept, isInPlace, sinceMs, untilMs };
    lines.push(inTrashLine(trash, clock));
  } else if (!isKept) {
    lines.push("nothing keeps it: it goes with the next round");
  }
  lines.push(...keepers);
  if (linkedBy.length > 0) lines.push(`  shown by ${linkedBy.join(", ")}`);
  return lines;
}

function inTrashLine(
  trash: { isKept: boolean; isInPlace: boolean; sinceMs: number; untilMs: number },
  clock: Clock,
): string {
  const { isKept, isInPlace, sinceMs, untilMs } = trash;
  const when =
    untilMs < clock.nowMs() ? "with the next round" : `with a round after ${timeText(untilMs)}`;
  // Pushed anew: the bytes that were moved away are a second copy.
  if (isInPlace) return `a copy from before ${timeText(sinceMs)} is in the trash and goes ${when}`;
  const end = isKept ? "returns to its place" : "is removed";
  return (
    `it is in the trash since ${timeText(sinceMs)}, comes back when somebody asks for it, and ` +
    `${end} ${when}`
  );
}

function keepersOf(reasons: Reasons): readonly string[] {
  const lines = reasons.references.map(({ repository, manifest, role, tags, parents }) => {
    const what = role === "self" ? "it is the manifest" : `it is ${role} of manifest`;
    const names = tags.length === 0 ? "no tag" : `tags ${tags.join(", ")}`;
    const above = parents.length === 0 ? "" : `, in index ${parents.join(", ")}`;
    return `  reference: ${what} ${repository}@${manifest} (${names}${above})`;
  });
  for (const { id, repository, digest, atMs, expiresAtMs, ...entry } of reasons.undo) {
    const name = entry.kind === "tag" ? `${repository}:${entry.tag}` : `${repository}@${digest}`;
    lines.push(
      `  undo: ${name} was deleted ${timeText(atMs)} and can be taken back until ` +
        `${timeText(expiresAtMs)} (berth trash restore ${id})`,
    );
  }
  const unreadable = reasons.frozen.filter((it) => it.unreadableManifests > 0);
  if (reasons.isFrozen && reasons.references.length === 0) {
    const names = unreadable.map((it) => it.repository).join(", ");
    lines.push(`  freeze: manifests of ${names} cannot be read, and may need it; see berth fsck`);
  }
  if (reasons.leasedUntilMs !== undefined) {
    lines.push(
      `  lease: a client was told that it exists; until ${timeText(reasons.leasedUntilMs)}`,
    );
  }
  return lines;
}

function whereItWent({ collected, references, frozen }: Reasons): readonly string[] {
  if (references.length > 0) {
    const [first] = references;
    return [
      `  but ${first?.repository ?? ""}@${first?.manifest ?? ""} needs it: push it again, ` +
        "and see berth fsck",
    ];
  }
  if (collected === undefined) {
    return frozen.length > 0 ? [] : ["  nothing is recorded of it in the last 90 days"];
  }
  const { atMs, touchedAtMs, trashedAtMs, sizeBytes, heldBy } = collected;
  const unused =
    `  it was collected ${timeText(atMs)}, ${sizeText(sizeBytes)}: no manifest named it, ` +
    `nobody had asked for it since ${timeText(touchedAtMs)}, and `;
  return [
    trashedAtMs < atMs
      ? `${unused}it had been in the trash since ${timeText(trashedAtMs)}`
      : `${unused}garbage-collect ran without a server`,
    ...(heldBy === "" ? [] : [`  at last it was shown by ${heldBy}`]),
  ];
}
