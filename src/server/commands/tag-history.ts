import type { Actor } from "../../activity/records.ts";
import type { Digest } from "../../oci/digest.ts";
import { foundByComparison } from "../../registry/found-moves.ts";
import type { CommandArguments, CommandParts, ExitCode } from "./command.ts";
import { repositoryNamed, tagNamed } from "./names.ts";
import { actorText } from "./text.ts";

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
function textOf(actor: Actor): string {
  if (actor.client !== undefined && actor.client === foundByComparison.client) return actor.client;
  return actorText(actor);
}
