import type { Digest } from "../oci/digest.ts";
import type { RepositoryName } from "../oci/repository-name.ts";
import type { Tag } from "../oci/tag.ts";
import type { Actor } from "./actor.ts";
import type { RegistryContext } from "./context.ts";
import { recordMissedMove } from "./found-moves.ts";
import { findMovable } from "./immutable-tags.ts";
import { repositoryLock, tagLock } from "./lock-keys.ts";
import { record } from "./recording.ts";

export interface TagMove {
  readonly name: RepositoryName;
  readonly tag: Tag;
  readonly digest: Digest;
  readonly actor: Actor;
  /** Asked under the tag's lock what it points to now; false leaves the tag as it is. */
  readonly mayReplace?: (before: Digest | undefined) => boolean;
}

/** What the tag pointed to, and whether it was moved. */
export interface MovedTag {
  readonly before: Digest | undefined;
  readonly isMoved: boolean;
}

/**
 * Points a tag at a manifest that the repository has. The caller holds the manifest's lock.
 *
 * The link is written first, then the history, then the metadata: whatever a crash leaves out,
 * the comparison at the next start finds by the metadata that is behind, and adds.
 *
 * @throws {RegistryError} `tagImmutable`
 */
export async function moveTag(move: TagMove, context: RegistryContext): Promise<MovedTag> {
  const { links, metadata, locks, activity, clock } = context;
  const { name, tag, digest, actor } = move;
  return locks.shared(repositoryLock(name), () =>
    locks.exclusive(tagLock(name, tag), async () => {
      const before = (await findMovable(move, context))?.digest;
      if (move.mayReplace?.(before) === false) return { before, isMoved: false };
      await recordMissedMove(name, tag, context);
      const link = await links.writeTag(name, tag, digest);
      await record(name, context, async () => {
        await activity.recordTagEvent({
          repository: name,
          tag,
          ...(before !== undefined && { before }),
          after: digest,
          atMs: clock.nowMs(),
          by: actor,
        });
        await metadata.recordTag(name, {
          tag,
          digest,
          pushedAtMs: link.modifiedAtMs,
          stamp: link.stamp,
        });
      });
      return { before, isMoved: true };
    }),
  );
}
