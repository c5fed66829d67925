import { planRemoval, type RemovalPlan, type TagLoss } from "../../registry/removal-plan.ts";
import type { Removal, RemovalTarget, Removed } from "../../registry/removals.ts";
import { actorIn } from "./actor.ts";
import {
  type CommandArguments,
  type CommandParts,
  type ExitCode,
  refuseWhenReadOnly,
} from "./command.ts";
import { parseNamed } from "./names.ts";
import { whenAdopted } from "./progress.ts";
import { countedEvery, countText, listedMax, nameText, sizeText, timeText } from "./text.ts";

/** `berth rm --dry-run …`: what would go, what would not, and what comes back when. */
export async function previewRemoval(
  parts: CommandParts,
  args: CommandArguments,
): Promise<ExitCode> {
  const targets = targetsIn(args);
  // How many bytes return is known only when every repository is.
  await whenAdopted(parts);
  const plan = await planRemoval(targets, parts.opened.context);
  if (!isPossible(plan, parts)) return 1;
  sayWhatGoes(plan, parts);
  sayWhatReturns(plan, parts);
  return 0;
}

/** `berth rm …`: looks again, then removes. */
export async function remove(parts: CommandParts, args: CommandArguments): Promise<ExitCode> {
  const { opened, config, print, clock } = parts;
  refuseWhenReadOnly(parts);
  const plan = await planRemoval(targetsIn(args), opened.context);
  if (!isPossible(plan, parts)) return 1;
  const startedAtMs = clock.nowMs();
  const actor = actorIn(args, "berth rm");
  const onRemoved = (count: number): void => {
    if (count % countedEvery === 0) print(`${count} deleted so far`);
  };
  const watch = { signal: parts.signal, onRemoved };
  const removal = await opened.registry.removals.remove(plan.targets, actor, watch);
  sayInPart(removal.removed, parts, (it) => `deleted ${nameText(it)}`);
  if (removal.isStopped) print("it was interrupted: the rest is still there");
  const { retentionMs } = config.trash;
  if (retentionMs === 0) {
    print("this cannot be taken back: trash.retention is 0");
    return removal.isStopped ? 1 : 0;
  }
  const final = await finalOf(removal, parts);
  if (final.length < removal.removed.length) {
    const until = timeText(startedAtMs + retentionMs);
    print(`until ${until} this takes it back: berth trash restore ${removal.operation}`);
    sayInPart(final, parts, (it) => `but ${nameText(it)} is gone for good: ${whyFinal}`);
  } else if (final.length > 0) print(`this cannot be taken back: ${whyFinal}`);
  return removal.isStopped ? 1 : 0;
}

const whyFinal = "it could not be read, or the full disk had no room for a note of it";

/** What the trash has nothing of, whatever was expected. */
async function finalOf(
  { operation, removed }: Removal,
  { opened }: CommandParts,
): Promise<readonly Removed[]> {
  const entries = await opened.registry.undo.allEntries({ operation });
  const kept = new Set(
    entries.map(({ repository: name, digest, ...entry }) =>
      nameText(entry.kind === "tag" ? { name, tag: entry.tag } : { name, digest }),
    ),
  );
  return removed.filter((it) => !kept.has(nameText(it)));
}

/** @throws {Error} with a sentence. */
function targetsIn(args: CommandArguments): readonly RemovalTarget[] {
  return args.texts("targets").map((text): RemovalTarget => {
    const { repository: name, tag, digest } = parseNamed(text);
    if (tag !== undefined) {
      const seen = digest && { digest, pushedAtMs: Infinity };
      return { kind: "tag", name, tag, seen };
    }
    return digest === undefined ? { kind: "repository", name } : { kind: "manifest", name, digest };
  });
}

/** Says why not, when something stands in the way. */
function isPossible({ unknown, immutable, blocked }: RemovalPlan, parts: CommandParts): boolean {
  for (const target of unknown) {
    const seen = target.kind === "tag" ? target.seen : undefined;
    const why = seen === undefined ? "is not there" : `does not point to ${seen.digest}`;
    parts.print(`${nameText(target)} ${why}`);
  }
  sayInPart(immutable, parts, (tag) => {
    return `${nameText(tag)} is immutable: immutabletags of the configuration says ${tag.pattern}`;
  });
  sayInPart(blocked, parts, ({ name, digest, indexes }) => {
    const more = indexes.length > 1 ? ` and ${countText(indexes.length - 1, "other")}` : "";
    return `${name}@${digest} is needed by the index ${indexes[0] ?? ""}${more}: delete that too`;
  });
  if (unknown.length + immutable.length + blocked.length === 0) return true;
  parts.print("nothing was deleted");
  return false;
}

function sayWhatGoes({ tags, manifests, referrers }: RemovalPlan, parts: CommandParts): void {
  sayInPart(tags, parts, (tag) => `deletes ${nameText(tag)}${whyOf(tag)}`);
  sayInPart(manifests, parts, (manifest) => `deletes ${nameText(manifest)}`);
  sayInPart(referrers, parts, ({ name, digest, referrer, artifactType }) => {
    const what = artifactType === undefined ? "" : ` (${artifactType})`;
    const which = nameText(
      referrer.includes(":") ? { name, digest: referrer } : { name, tag: referrer },
    );
    return `leaves  ${which}${what}, which is about ${digest}`;
  });
}

function whyOf({ digest, isAskedFor }: TagLoss): string {
  if (digest === undefined) return ", which leads nowhere";
  return isAskedFor ? `, which is ${digest}` : `, because it points to ${digest}`;
}

function sayWhatReturns(plan: RemovalPlan, parts: CommandParts): void {
  const { freedBytes, manifests, tags, final } = plan;
  const { config, clock, print } = parts;
  const { retentionMs } = config.trash;
  if (manifests.length === 0) {
    print("no bytes return: a manifest without a tag stays, and can be pulled by its digest");
  } else {
    const waitMs = retentionMs + config.gc.graceMs + config.gc.trashGraceMs;
    const atMs = clock.nowMs() + waitMs;
    const when = config.gc.isEnabled
      ? `after ${timeText(atMs)} (trash.retention, gc.grace and gc.trashgrace)`
      : "only with berth gc run: gc.enabled is false";
    print(`${sizeText(freedBytes)} that nothing else needs return ${when}`);
  }
  if (retentionMs === 0) {
    print("it cannot be taken back: trash.retention is 0");
  } else if (final.length < tags.length + manifests.length) {
    print(`until ${timeText(clock.nowMs() + retentionMs)} it can be taken back`);
    sayInPart(final, parts, (it) => `but ${nameText(it)} cannot be: ${whyUnreadable}`);
  } else print(`it cannot be taken back: ${whyUnreadable}`);
}

const whyUnreadable = "it cannot be read, so nobody knows what belongs to it";

function sayInPart<T>(
  items: readonly T[],
  { print }: CommandParts,
  textOf: (item: T) => string,
): void {
  for (const item of items.slice(0, listedMax)) print(textOf(item));
  if (items.length > listedMax) print(`… and ${items.length - listedMax} more like these`);
}
