import type { ActivityStore } from "../activity/activity-store.ts";
import type { Clock } from "../base/clock.ts";
import { piecesOf } from "../base/pieces.ts";
import type { SharedLocks } from "../base/shared-lock.ts";
import type { RepositoryContent, RepositorySnapshot } from "../metadata/metadata-store.ts";
import type { Digest } from "../oci/digest.ts";
import type { RepositoryName } from "../oci/repository-name.ts";
import type { Tag } from "../oci/tag.ts";
import type { LinkStore } from "../storage/link-store.ts";
import type { Actor } from "./actor.ts";
import { tagLock } from "./lock-keys.ts";

/** Who moved a tag, where nobody was there to write it down. */
export const foundByComparison: Actor = { client: "found when the storage was compared" };

/** Events that share a commit. */
const tagsAtOnce = 100;

const eventsPerQuery = 1_000;

interface Parts {
  readonly links: LinkStore;
  readonly activity: ActivityStore;
  readonly locks: SharedLocks;
  readonly clock: Clock;
}

/**
 * Adds to the history what happened to tags without being recorded: a crash came between a tag's
 * link and its event, or another program had the volume. Written before the metadata follow the
 * layout, so that a crash in between loses nothing: the difference is found again.
 */
export async function recordFoundMoves(
  name: RepositoryName,
  {
    recorded,
    found,
  }: {
    readonly recorded: Pick<RepositorySnapshot, "tags">;
    readonly found: Pick<RepositoryContent, "tags">;
  },
  parts: Parts,
): Promise<void> {
  const inLayout = new Map(found.tags.map(({ tag, digest }) => [tag, digest]));
  const tags = new Set([...recorded.tags.keys(), ...inLayout.keys()]);
  const suspects = [...tags]
    .map((tag) => ({ tag, known: recorded.tags.get(tag)?.digest }))
    .filter(({ tag, known }) => known !== inLayout.get(tag));
  await addFoundMoves(name, suspects, parts);
}

/**
 * The same for a repository that no rows are left of, because the metadata were deleted: the
 * history says what its tags pointed to. Of other tags nobody knows what they were before.
 */
export async function recordMovesSinceHistory(
  name: RepositoryName,
  found: Pick<RepositoryContent, "tags">,
  parts: Parts,
): Promise<void> {
  const inLayout = new Map(found.tags.map(({ tag, digest }) => [tag, digest]));
  const newest = new Map<Tag, Digest | undefined>();
  for (let before: number | undefined; ; ) {
    const page = { limit: eventsPerQuery, ...(before !== undefined && { before }) };
    const events = await parts.activity.listTagEvents(name, page);
    for (const { tag, after } of events) if (!newest.has(tag)) newest.set(tag, after);
    before = events.at(-1)?.id;
    if (before === undefined) break;
  }
  const suspects = [...newest]
    .filter(([tag, after]) => after !== inLayout.get(tag))
    .map(([tag, known]) => ({ tag, known }));
  await addFoundMoves(name, suspects, parts);
}

async function addFoundMoves(
  name: RepositoryName,
  suspects: readonly Suspect[],
  parts: Parts,
): Promise<void> {
  for (const piece of piecesOf(suspects, tagsAtOnce)) {
    await Promise.all(
      piece.map((suspect) =>
        parts.locks.exclusive(tagLock(name, suspect.tag), () => addFoundMove(name, suspect, parts)),
      ),
    );
  }
}

/**
 * The same for one tag that is about to get another event; the caller holds its lock.
 *
 * Until its repository has been compared, what was missed is not in the history yet, and it would
 * never come to it: afterwards the newest event agrees with the layout.
 */
export async function recordMissedMove(
  name: RepositoryName,
  tag: Tag,
  { adoption, ...parts }: Omit<Parts, "locks"> & { readonly adoption: Comparing },
): Promise<void> {
  if (adoption.isCurrent(name)) return;
  const events = await parts.activity.listTagEvents(name, { tag, limit: 1 });
  // What a tag of a fresh volume has been before nobody knows.
  if (events.length > 0) await addFoundMove(name, { tag, known: undefined }, parts);
}

interface Comparing {
  isCurrent(name: RepositoryName): boolean;
}

interface Suspect {
  readonly tag: Tag;
  /** What the metadata say. */
  readonly known: Digest | undefined;
}

/** The caller holds the tag's lock: whoever moves it has written down both or nothing of it. */
async function addFoundMove(
  name: RepositoryName,
  { tag, known }: Suspect,
  { links, activity, clock }: Omit<Parts, "locks">,
): Promise<void> {
  const link = await links.readTag(name, tag);
  // A link that is there and cannot be read is a scar, not a deletion.
  if (link === undefined && (await links.stampOfTag(name, tag)) !== undefined) return;
  const [newest] = await activity.listTagEvents(name, { tag, limit: 1 });
  // The event of a crash may be there without its row: the history goes on from its own end.
  const before = newest === undefined ? known : newest.after;
  const after = link?.digest;
  if (before === after) return;
  await activity.recordTagEvent({
    repository: name,
    tag,
    ...(before !== undefined && { before }),
    ...(after !== undefined && { after }),
    atMs: Math.min(clock.nowMs(), link?.modifiedAtMs ?? Infinity),
    by: foundByComparison,
  });
}
