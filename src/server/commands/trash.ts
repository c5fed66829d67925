import type { TrashEntry } from "../../activity/trash-store.ts";
import { actorIn } from "./actor.ts";
import {
  type CommandArguments,
  type CommandParts,
  type ExitCode,
  refuseWhenReadOnly,
} from "./command.ts";
import { repositoryNamed } from "./names.ts";
import { restoreOptionsIn, sayRestored } from "./restore.ts";
import { actorText, countText, nameText, sizeText, timeText } from "./text.ts";

/** `berth trash ls [REPO]`: what can be taken back, the newest first. */
export async function listTrash(parts: CommandParts, args: CommandArguments): Promise<ExitCode> {
  const text = args.optionalText("repository");
  const filter = text === undefined ? {} : { repository: repositoryNamed(text) };
  let operation = "";
  for await (const entry of parts.opened.registry.undo.entries(filter)) {
    if (entry.operation !== operation) {
      operation = entry.operation;
      parts.print(`${operation}  deleted ${timeText(entry.atMs)} ${actorText(entry.by)}`);
    }
    parts.print(`  ${lineOf(entry)}`);
  }
  if (operation === "") {
    parts.print(text === undefined ? "the trash is empty" : `the trash has nothing of ${text}`);
  }
  return 0;
}

/** `berth trash restore ID|OPERATION`. */
export async function restoreTrash(parts: CommandParts, args: CommandArguments): Promise<ExitCode> {
  const { undo } = parts.opened.registry;
  const text = args.text("entry");
  const options = restoreOptionsIn(parts, args);
  if (!isEntryId(text)) {
    const restored = await undo.restoreOperation(text, options);
    if (restored.length > 0) return sayRestored(restored, parts);
  } else {
    const restored = await undo.restoreEntry(Number(text), options);
    if (restored !== undefined) return sayRestored([restored], parts);
  }
  parts.print(`the trash has no ${text}: berth trash ls lists what there is`);
  return 1;
}

/** What `berth trash purge` would forget. */
export async function previewPurge(parts: CommandParts, args: CommandArguments): Promise<ExitCode> {
  const entries = await entriesIn(parts, args);
  for (const entry of entries) parts.print(lineOf(entry));
  if (entries.length > 0) return 0;
  parts.print("there is nothing to purge");
  return 1;
}

/** `berth trash purge [ID|OPERATION…] [--all]`: forgets entries before their time. */
export async function purgeTrash(parts: CommandParts, args: CommandArguments): Promise<ExitCode> {
  refuseWhenReadOnly(parts);
  const entries = await entriesIn(parts, args);
  await parts.opened.registry.undo.purge(entries, actorIn(args, "berth trash purge"));
  parts.print(
    `${countText(entries.length, "entry")} purged; what nothing else needs goes with the next ` +
      "rounds of collection",
  );
  return 0;
}

/** @throws {Error} with a sentence when an entry is not there. */
async function entriesIn(
  { opened }: CommandParts,
  args: CommandArguments,
): Promise<readonly TrashEntry[]> {
  const { trash } = opened.activity;
  if (args.flag("all")) return opened.registry.undo.allEntries({});
  const entries = new Map<number, TrashEntry>();
  for (const text of args.texts("entries")) {
    const entry = isEntryId(text) ? await trash.find(Number(text)) : undefined;
    const found =
      entry === undefined ? await opened.registry.undo.allEntries({ operation: text }) : [entry];
    if (found.length === 0) throw new Error(`the trash has no ${text}`);
    for (const it of found) entries.set(it.id, it);
  }
  return [...entries.values()];
}

/** Everything else names an operation. */
function isEntryId(text: string): boolean {
  return /^\d{1,15}$/.test(text);
}

function lineOf(entry: TrashEntry): string {
  const { id, repository: name, digest, sizeBytes, expiresAtMs } = entry;
  const what =
    entry.kind === "tag"
      ? `${nameText({ name, tag: entry.tag })}@${digest}`
      : nameText({ name, digest });
  return `${id}  ${what}  ${sizeText(sizeBytes)}  until ${timeText(expiresAtMs)}`;
}
