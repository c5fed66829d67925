import type { ActivityStore, TagEvent } from "../activity/activity-store.ts";
import type { Digest } from "../oci/digest.ts";
import type { RepositoryName } from "../oci/repository-name.ts";
import type { Tag } from "../oci/tag.ts";

const eventsPerQuery = 1_000;

export interface EarlierDigest {
  readonly digest: Digest;
  /** True when the tag came from there to where it is in its last move. */
  readonly isLastMove: boolean;
}

/**
 * The digest that a tag had before its last move or deletion; undefined when the history knows
 * none. `current` is what it points to now.
 */
export async function earlierDigestOf(
  name: RepositoryName,
  { tag, current }: { readonly tag: Tag; readonly current: Digest | undefined },
  activity: ActivityStore,
): Promise<EarlierDigest | undefined> {
  let before: number | undefined;
  let isNewest = true;
  for (;;) {
    const page = { tag, limit: eventsPerQuery, ...(before !== undefined && { before }) };
    const events = await activity.listTagEvents(name, page);
    for (const event of events) {
      const digest = otherDigestIn(event, current);
      if (digest !== undefined) {
        const isLastMove = isNewest && event.after === current && event.before === digest;
        return { digest, isLastMove };
      }
      // Another push of the same digest moves nothing.
      if (event.before !== event.after) isNewest = false;
    }
    before = events.at(-1)?.id;
    if (before === undefined) return undefined;
  }
}

/** When the tag was last pushed to `digest`, as far as its latest moves tell; otherwise 0. */
export async function lastPushMs(
  name: RepositoryName,
  { tag, digest }: { readonly tag: Tag; readonly digest: Digest },
  activity: ActivityStore,
): Promise<number> {
  const events = await activity.listTagEvents(name, { tag, limit: 10 });
  return events.find((event) => event.after === digest)?.atMs ?? 0;
}

function otherDigestIn(event: TagEvent, current: Digest | undefined): Digest | undefined {
  return [event.after, event.before].find((digest) => digest !== undefined && digest !== current);
}
