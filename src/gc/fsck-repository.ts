import { compareRepository } from "../metadata/compare.ts";
import type { RepositorySnapshot } from "../metadata/metadata-store.ts";
import type { Digest } from "../oci/digest.ts";
import { digestsNamedBy } from "../oci/manifest.ts";
import type { RepositoryName } from "../oci/repository-name.ts";
import type { RegistryContext } from "../registry/context.ts";
import { repositoryLock } from "../registry/lock-keys.ts";
import { uploadsFolder } from "../storage/layout.ts";
import type { Quarantine } from "../storage/quarantine.ts";
import { type Finding, type FindingCode, findingOf, type Suspect } from "./findings.ts";
import { RepositoryInspection } from "./repository-inspection.ts";
import type { Scrub } from "./scrub.ts";

export interface FsckParts extends RegistryContext {
  readonly quarantine: Quarantine;
  readonly scrub: Scrub;
}

export interface FsckOptions {
  /** Mend what can be mended without loss. */
  readonly repairs: boolean;
  /** Hash every blob too. */
  readonly isDeep: boolean;
  readonly signal: AbortSignal;
  /** Counted up while it runs, for whoever waits. */
  readonly looked: FsckLooked;
}

/** How much was looked at so far. */
export interface FsckLooked {
  repositories: number;
  links: number;
  blobs: number;
  hashedBytes: number;
}

export function newLooked(): FsckLooked {
  return { repositories: 0, links: 0, blobs: 0, hashedBytes: 0 };
}

/** What one run has found out about blobs. */
export interface FsckRun extends FsckOptions {
  /** So that none is hashed twice for one reason. */
  readonly hashed: Map<Digest, "intact" | "corrupt" | "unreadable" | "absent">;
  /** Linked, and yet not recorded: what the metadata says of their use is not all. */
  readonly linked: Set<Digest>;
}

/**
 * Everything that is wrong in one repository.
 *
 *     look, beside pushes ── something is wrong ── look again, alone with the repository ──┬─► mend
 *                                                      └── it was a push under way ──► nothing
 *
 * A lock of a digest is taken before the repository's, as a push does.
 */
export async function* checkRepository(
  name: RepositoryName,
  parts: FsckParts,
  run: FsckRun,
): AsyncGenerator<Finding> {
  const check = new RepositoryCheck(name, parts, run);
  yield* check.findings();
}

/** Asks one question again. */
type Ask = () => Promise<readonly Suspect[]>;

/** What says by itself why the metadata differ. */
const isBroken: ReadonlySet<FindingCode> = new Set([
  "bytes-missing",
  "link-unneeded",
  "link-damaged",
]);

class RepositoryCheck {
  readonly #name: RepositoryName;
  readonly #parts: FsckParts;
  readonly #run: FsckRun;
  readonly #inspection: RepositoryInspection;
  /** Digests and tags whose absence or damage explains a difference in the metadata. */
  readonly #broken = new Set<string>();

  constructor(name: RepositoryName, parts: FsckParts, run: FsckRun) {
    this.#name = name;
    this.#parts = parts;
    this.#run = run;
    this.#inspection = new RepositoryInspection(name, parts);
  }

  async *findings(): AsyncGenerator<Finding> {
    const { links } = this.#parts;
    const name = this.#name;
    const revisions = await links.listRevisions(name);
    const layers = await links.listLayers(name);
    const tags = await links.listTags(name);
    const { users, isKnown } = await this.#usersOf(revisions);
    for (const digest of layers) {
      const use = { user: users.get(digest), isKnown };
      yield* this.#settle(() => this.#inspection.layer(digest, use));
    }
    for (const digest of revisions) yield* this.#settle(() => this.#inspection.revision(digest));
    for (const tag of tags) yield* this.#settle(() => this.#inspection.tag(tag));
    yield* this.#metadata();
    if (revisions.length + layers.length + tags.length > 0) return;
    if ((await this.#parts.objects.list(uploadsFolder(name))).length > 0) return;
    const text = "its folder is there, and nothing in it";
    yield findingOf({ code: "empty-repository", subject: name, text }, { repository: name });
  }

  /** A manifest for each digest that one names. `isKnown` false: some could not be read. */
  async #usersOf(revisions: readonly Digest[]): Promise<{
    readonly users: ReadonlyMap<Digest, Digest>;
    readonly isKnown: boolean;
  }> {
    const users = new Map<Digest, Digest>();
    let isKnown = true;
    for (const digest of revisions) {
      this.#run.signal.throwIfAborted();
      const state = await this.#inspection.manifest(digest);
      if (state.kind !== "sound") isKnown = false;
      else for (const named of digestsNamedBy(state.manifest)) users.set(named, digest);
    }
    return { users, isKnown };
  }

  async *#settle(ask: Ask): AsyncGenerator<Finding> {
    this.#run.signal.throwIfAborted();
    this.#run.looked.links += 1;
    for (const suspect of await ask()) {
      const found = await this.#confirm(suspect, ask);
      if (found === undefined) continue;
      if (found.needsHash === true) yield* this.#hash(found);
      else {
        const isMended = this.#run.repairs && found.mend !== undefined;
        if (!isMended) this.#note(found);
        yield findingOf(found, { repository: this.#name, isMended });
      }
    }
  }

  /** Looks again while nothing of the repository moves, and mends. Undefined: it was nothing. */
  async #confirm(suspect: Suspect, ask: Ask): Promise<Suspect | undefined> {
    const { locks } = this.#parts;
    const alone = (): Promise<Suspect | undefined> =>
      locks.exclusive(repositoryLock(this.#name), async () => {
        const again = (await ask()).find(
          ({ code, subject }) => code === suspect.code && subject === suspect.subject,
        );
        if (again?.mend === undefined || !this.#run.repairs) return again;
        await again.mend();
        return again;
      });
    return suspect.digest === undefined ? alone() : locks.shared(suspect.digest, alone);
  }

  #note({ code, subject, digest }: Suspect): void {
    if (code === "tag-damaged") this.#broken.add(subject);
    if (digest === undefined) return;
    this.#run.linked.add(digest);
    if (isBroken.has(code)) this.#broken.add(digest);
  }

  async *#hash(suspect: Suspect): AsyncGenerator<Finding> {
    const { digest } = suspect;
    if (digest === undefined) return;
    const where = { repository: this.#name };
    const kind = this.#run.hashed.get(digest) ?? (await hashBlob(digest, this.#parts, this.#run));
    this.#run.hashed.set(digest, kind);
    if (kind === "intact" && suspect.code === "size-wrong") yield findingOf(suspect, where);
    if (kind !== "corrupt" && kind !== "unreadable") return;
    this.#broken.add(digest);
    this.#run.linked.add(digest);
    yield findingOf(damageOf(digest, kind, this.#run), where);
  }

  async *#metadata(): AsyncGenerator<Finding> {
    const { locks, adoption } = this.#parts;
    const name = this.#name;
    let differences = await this.#differences();
    if (differences.length > 0) {
      differences = await locks.exclusive(repositoryLock(name), () => this.#differences());
    }
    const [first] = differences;
    if (first === undefined) return;
    const { repairs } = this.#run;
    if (repairs) await adoption.refresh(name);
    const others = differences.length === 1 ? "" : `, and ${differences.length - 1} more`;
    const suspect: Suspect = {
      code: "metadata-differs",
      subject: name,
      text: `${first}${others}`,
      mend: async () => undefined,
    };
    yield findingOf(suspect, { repository: name, isMended: repairs });
  }

  /** Rows of what is broken in the storage itself are not wrong: they wait for the next push. */
  async #differences(): Promise<readonly string[]> {
    const { metadata, adoption } = this.#parts;
    const snapshot = await metadata.snapshotOf(this.#name);
    const content = await adoption.read(this.#name);
    const broken = new Set(this.#broken);
    for (const { digest, manifest } of content.manifests) {
      // What is recorded of an image comes from its config too.
      if (manifest.config !== undefined && broken.has(manifest.config.digest)) broken.add(digest);
    }
    return compareRepository(wholeOf(snapshot, broken), {
      ...content,
      manifests: content.manifests.filter(({ digest }) => !broken.has(digest)),
      tags: content.tags.filter(({ digest }) => !broken.has(digest)),
    });
  }
}

/** Hashes one blob as the scrub does; moves it aside only in a repair. */
export async function hashBlob(
  digest: Digest,
  { scrub }: FsckParts,
  { repairs, signal, looked }: FsckOptions,
): Promise<"intact" | "corrupt" | "unreadable" | "absent"> {
  const onPiece = async (sizeBytes: number): Promise<void> => {
    looked.hashedBytes += sizeBytes;
    signal.throwIfAborted();
  };
  return (await scrub.check(digest, { onPiece, movesUnreadable: false, moves: repairs })).kind;
}

export function damageOf(
  digest: Digest,
  kind: "corrupt" | "unreadable",
  { repairs }: FsckOptions,
): Suspect {
  if (kind === "unreadable") {
    const text = "its bytes cannot be read: look at the disk; the log says more";
    return { code: "blob-unreadable", subject: digest, text };
  }
  const done = repairs ? "moved aside; " : "";
  const text = `its bytes are not what its digest says: ${done}push an image that has it again`;
  return { code: "blob-corrupt", subject: digest, text };
}

/** What is recorded, without what is broken in the storage. */
function wholeOf(
  { revision, tags, manifests, blobs }: RepositorySnapshot,
  broken: ReadonlySet<string>,
): RepositorySnapshot {
  const isWhole = ([key]: readonly [string, unknown]): boolean => !broken.has(key);
  return {
    revision,
    tags: new Map([...tags].filter(isWhole).filter(([, { digest }]) => !broken.has(digest))),
    manifests: new Map([...manifests].filter(isWhole)),
    blobs: new Map([...blobs].filter(isWhole)),
  };
}
