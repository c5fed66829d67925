import type { Reasons } from "../../gc/why.ts";
import type { CommandArguments, CommandParts, ExitCode } from "./command.ts";
import { digestNamed } from "./names.ts";
import { sizeText, timeText } from "./text.ts";

/** `berth gc why DIGEST`: what keeps a blob, or where it went. 1 when it is not here. */
export async function gcWhy(parts: CommandParts, args: CommandArguments): Promise<ExitCode> {
  const digest = digestNamed(args.text("digest"));
  await parts.adopted();
  const reasons = await parts.collection.reasonsFor(digest);
  for (const line of linesOf(reasons, parts.config.gc.trashGraceMs)) parts.print(line);
  return reasons.sizeBytes === undefined ? 1 : 0;
}

function linesOf(reasons: Reasons, trashGraceMs: number): readonly string[] {
  const { digest, state, sizeBytes } = reasons;
  if (sizeBytes === undefined) return [`${digest} is not here`, ...whereItWent(reasons)];
  const keepers = keepersOf(reasons);
  const trashedAtMs = state?.trashedAtMs;
  return [
    `${digest} ${sizeText(sizeBytes)}`,
    ...(trashedAtMs === undefined
      ? []
      : [
          `it is in the trash since ${timeText(trashedAtMs)}, comes back when somebody asks for ` +
            `it, and is removed after ${timeText(trashedAtMs + trashGraceMs)}`,
        ]),
    ...(keepers.length > 0 ? keepers : ["nothing keeps it: it goes with the next round"]),
    ...(reasons.linkedBy.length === 0 ? [] : [`  shown by ${reasons.linkedBy.join(", ")}`]),
  ];
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
  return [
    `  it was collected ${timeText(atMs)}, ${sizeText(sizeBytes)}: no manifest named it, ` +
      `nobody had asked for it since ${timeText(touchedAtMs)}, and it had been in the trash ` +
      `since ${timeText(trashedAtMs)}`,
    ...(heldBy === "" ? [] : [`  at last it was shown by ${heldBy}`]),
  ];
}
