import type { Actor } from "../../activity/records.ts";
import type { Digest } from "../../oci/digest.ts";
import { foundByComparison } from "../../registry/found-moves.ts";
import type { CommandArguments, CommandParts, ExitCode } from "./command.ts";
import { repositoryNamed, tagNamed } from "./names.ts";

const eventsPerPage = 1_000;

/** `berth tag history REPO TAG`: every move of a tag, the newest first. */
export async function tagHistory(parts: CommandParts, args: CommandArguments): Promise<ExitCode> {
  const repository = repositoryNamed(args.text("repository"));
  const tag = tagNamed(args.text("tag"));
  let before: number | undefined;
  let count = 0;
  for (;;) {
    const page = { tag, limit: eventsPerPage, ...(before !== undefined && { before }) };
    const events = await parts.opened.activity.listTagEvents(repository, page);
    for (const event of events) {
      const when = new Date(event.atMs).toISOString();
      parts.print(`${when}  ${moveOf(event.before, event.after)}  ${textOf(event.by)}`);
    }
    count += events.length;
    before = events.at(-1)?.id;
    if (before === undefined) break;
  }
  if (count > 0) return 0;
  parts.print(`nothing is recorded of ${repository}:${tag}`);
  return 1;
}

function moveOf(before: Digest | undefined, after: Digest | undefined): string {
  if (after === undefined) return `deleted, was ${before ?? "unknown"}`;
  return before === undefined ? `set to ${after}` : `${before} -> ${after}`;
}

/** Who and from where, as far as it is known. */
function textOf({ name, address, client }: Actor): string {
  if (client !== undefined && client === foundByComparison.client) return client;
  // A rule or a command of the registry itself came from nowhere.
  if (name === undefined && address === undefined && client !== undefined) return `by ${client}`;
  const where = address === undefined ? "" : ` from ${address}`;
  const how = client === undefined ? "" : ` with ${client}`;
  return `by ${name ?? "anonymous"}${where}${how}`;
}
