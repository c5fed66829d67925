import type { Digest } from "../oci/digest.ts";
import type { RepositoryName } from "../oci/repository-name.ts";
import type { Tag } from "../oci/tag.ts";

/** Who asked for a change, as far as the wire knows. */
export interface Actor {
  /** Empty for anonymous. */
  readonly name: string;
  /** The User-Agent. */
  readonly client: string;
  /** The client's address. */
  readonly address: string;
}

/** What is remembered of requests beyond the layout: it exists nowhere else (design D4). */
export interface PushLog {
  /** A tag moved, appeared (`before` undefined) or went (`after` undefined). */
  tagMoved(move: TagMove): Promise<void>;
  /** A manifest was pulled. Costs no write: gathered and written in batches. */
  manifestPulled(repository: RepositoryName, digest: Digest, tag: Tag | undefined): void;
}

export interface TagMove {
  readonly repository: RepositoryName;
  readonly tag: Tag;
  readonly before: Digest | undefined;
  readonly after: Digest | undefined;
  readonly atMs: number;
  readonly actor: Actor;
}
