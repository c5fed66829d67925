import { Turns } from "../base/turns.ts";
import { algorithmOf, type Digest, hexOf } from "../oci/digest.ts";
import { digestsNamedBy } from "../oci/manifest.ts";
import type { RepositoryName } from "../oci/repository-name.ts";
import type { Tag } from "../oci/tag.ts";
import type { RegistryContext } from "./context.ts";
import { immutablePattern } from "./policy.ts";
import { adoptForRemoval } from "./recording.ts";
import type { RemovalTarget } from "./removals.ts";

/** What removing some targets would do. */
export interface RemovalPlan {
  /** In the order in which they can be removed: an index before what it lists. */
  readonly targets: readonly RemovalTarget[];
  /** Targets that are not there. */
  readonly unknown: readonly RemovalTarget[];
  /** Tags that go, with what they point to; those that were asked for and those that are lost. */
  readonly tags: readonly TagLoss[];
  readonly manifests: readonly ManifestLoss[];
  /** Tags that may not go: nothing may be removed then. */
  readonly immutable: readonly ImmutableTag[];
  /** Manifests that an index needs which stays: nothing may be removed then. */
  readonly blocked: readonly Blocked[];
  /** Signatures and the like: they stay, and lose what they are about. */
  readonly referrers: readonly LostSubject[];
  /** What goes for good: it cannot be read, so nobody knows what would have to come back. */
  readonly final: readonly (TagLoss | ManifestLoss)[];
  /** Of blobs that nothing else references. */
  readonly freedBytes: number;
}

export interface TagLoss {
  readonly name: RepositoryName;
  readonly tag: Tag;
  readonly digest: Digest | undefined;
  /** False for a tag that goes because its manifest does. */
  readonly isAskedFor: boolean;
}

export interface ImmutableTag {
  readonly name: RepositoryName;
  readonly tag: Tag;
  /** What the configuration says of it. */
  readonly pattern: string;
}

export interface ManifestLoss {
  readonly name: RepositoryName;
  readonly digest: Digest;
}

export interface Blocked extends ManifestLoss {
  readonly indexes: readonly Digest[];
}

export interface LostSubject extends ManifestLoss {
  /** A digest, or the tag that cosign gives to a signature. */
  readonly referrer: string;
  readonly artifactType: string | undefined;
}

/** Listings that a person reads are cut here. */
const listedMax = 1_000;

/** Looks at everything and changes nothing. The metadata have to know the repositories. */
export async function planRemoval(
  targets: readonly RemovalTarget[],
  context: RegistryContext,
): Promise<RemovalPlan> {
  return new Planner(context).plan(targets);
}

class Planner {
  readonly #context: RegistryContext;
  /** Nearly all that is asked is in memory, and there may be a hundred thousand tags. */
  readonly #turns = new Turns();
  readonly #tags = new Map<string, TagLoss>();
  readonly #manifests = new Map<string, ManifestLoss>();
  readonly #unknown: RemovalTarget[] = [];
  readonly #targets: RemovalTarget[] = [];

  constructor(context: RegistryContext) {
    this.#context = context;
  }

  async plan(targets: readonly RemovalTarget[]): Promise<RemovalPlan> {
    for (const target of new Map(targets.map((it) => [keyOf(it), it])).values()) {
      await adoptForRemoval(target.name, this.#context);
      const isThere = await this.#addTarget(target);
      (isThere ? this.#targets : this.#unknown).push(target);
    }
    const manifests = [...this.#manifests.values()];
    return {
      targets: this.#inOrder(await this.#indexes(manifests)),
      unknown: this.#unknown,
      tags: [...this.#tags.values()],
      manifests,
      immutable: this.#immutable(),
      blocked: await this.#blocked(manifests),
      referrers: await this.#referrers(manifests),
      final: await this.#final(manifests),
      freedBytes: await this.#freedBytes(manifests),
    };
  }

  async #addTarget(target: RemovalTarget): Promise<boolean> {
    const { lookup, links } = this.#context;
    const { name } = target;
    if (target.kind === "tag") {
      const { tag, seen } = target;
      const digest = (await lookup.findTag(name, tag))?.digest;
      // One that leads nowhere can be removed too.
      if (digest === undefined && (await links.readTag(name, tag)) === undefined) return false;
      if (seen !== undefined && seen.digest !== digest) return false;
      this.#addTag({ name, tag, digest, isAskedFor: true });
      return true;
    }
    if (target.kind === "manifest") return this.#addManifest(name, target.digest);
    if (!(await lookup.hasRepository(name))) return false;
    for (const digest of await links.listRevisions(name)) await this.#addManifest(name, digest);
    for (const tag of await links.listTags(name)) {
      await this.#turns.step();
      const digest = (await lookup.findTag(name, tag))?.digest;
      this.#addTag({ name, tag, digest, isAskedFor: true });
    }
    return true;
  }

  async #addManifest(name: RepositoryName, digest: Digest): Promise<boolean> {
    const { lookup, links, metadata } = this.#context;
    await this.#turns.step();
    const isKnown = (await lookup.findManifest(name, digest)) !== undefined;
    // One that cannot be read can be removed too: it freezes collection.
    if (!isKnown && !(await links.hasLinkOf("revision", name, digest))) return false;
    this.#manifests.set(`${name}@${digest}`, { name, digest });
    const tags = await metadata.tagsOfManifest(name, digest, Number.MAX_SAFE_INTEGER);
    for (const tag of tags) this.#addTag({ name, tag, digest, isAskedFor: false });
    return true;
  }

  #addTag(loss: TagLoss): void {
    const key = `${loss.name}:${loss.tag}`;
    if (loss.isAskedFor || !this.#tags.has(key)) this.#tags.set(key, loss);
  }

  /** Indexes among the manifests that go. */
  async #indexes(manifests: readonly ManifestLoss[]): Promise<ReadonlySet<Digest>> {
    const indexes = new Set<Digest>();
    for (const { digest } of manifests) {
      await this.#turns.step();
      const parsed = await this.#context.reader.parsed(digest);
      if (parsed?.manifest.kind === "index") indexes.add(digest);
    }
    return indexes;
  }

  /** Tags first: a tag that its manifest takes along could not be removed after it. */
  #inOrder(indexes: ReadonlySet<Digest>): readonly RemovalTarget[] {
    const rank = (target: RemovalTarget): number => {
      if (target.kind === "tag") return 0;
      if (target.kind === "repository") return 3;
      return indexes.has(target.digest) ? 1 : 2;
    };
    const rest = this.#targets.filter((target) => !this.#isPartOfRepository(target));
    return rest.toSorted((a, b) => rank(a) - rank(b));
  }

  #isPartOfRepository({ kind, name }: RemovalTarget): boolean {
    if (kind === "repository") return false;
    return this.#targets.some((target) => target.kind === "repository" && target.name === name);
  }

  #immutable(): readonly ImmutableTag[] {
    return [...this.#tags.values()].flatMap(({ name, tag, digest }) => {
      // One that leads nowhere holds nothing.
      if (digest === undefined) return [];
      const pattern = immutablePattern(name, tag, this.#context.policy);
      return pattern === undefined ? [] : [{ name, tag, pattern }];
    });
  }

  async #blocked(manifests: readonly ManifestLoss[]): Promise<readonly Blocked[]> {
    const blocked: Blocked[] = [];
    for (const { name, digest } of manifests) {
      await this.#turns.step();
      const parents = await this.#context.metadata.parentsOf(name, digest, listedMax);
      const indexes = parents.filter((parent) => !this.#manifests.has(`${name}@${parent}`));
      if (indexes.length > 0) blocked.push({ name, digest, indexes });
    }
    return blocked;
  }

  async #referrers(manifests: readonly ManifestLoss[]): Promise<readonly LostSubject[]> {
    const { metadata } = this.#context;
    const lost: LostSubject[] = [];
    for (const { name, digest } of manifests) {
      await this.#turns.step();
      for (const it of await metadata.listReferrers(name, digest, { limit: listedMax })) {
        if (this.#manifests.has(`${name}@${it.digest}`)) continue;
        lost.push({ name, digest, referrer: it.digest, artifactType: it.artifactType });
      }
      // Cosign's tags, such as sha256-….sig, and the fallback tag of clients without the API.
      const prefix = `${algorithmOf(digest)}-${hexOf(digest)}`;
      const page = { after: prefix.slice(0, -1), limit: listedMax };
      for (const tag of await metadata.listTags(name, page)) {
        if (!tag.startsWith(prefix)) {
          if (tag > prefix) break;
          continue;
        }
        if (this.#tags.has(`${name}:${tag}`)) continue;
        lost.push({ name, digest, referrer: tag, artifactType: undefined });
      }
    }
    return lost;
  }

  async #final(manifests: readonly ManifestLoss[]): Promise<readonly (TagLoss | ManifestLoss)[]> {
    const isReadable = async (name: RepositoryName, digest: Digest): Promise<boolean> =>
      (await this.#context.lookup.findManifest(name, digest)) !== undefined &&
      (await this.#context.reader.parsed(digest)) !== undefined;
    const final: (TagLoss | ManifestLoss)[] = [];
    for (const loss of [...this.#tags.values(), ...manifests]) {
      await this.#turns.step();
      const { name, digest } = loss;
      if (digest === undefined || !(await isReadable(name, digest))) final.push(loss);
    }
    return final;
  }

  /** Bytes of the blobs that only these manifests name. */
  async #freedBytes(manifests: readonly ManifestLoss[]): Promise<number> {
    const { reader, metadata, blobs } = this.#context;
    const uses = new Map<Digest, number>();
    for (const { digest } of manifests) {
      await this.#turns.step();
      const parsed = await reader.parsed(digest);
      const named = parsed === undefined ? [] : digestsNamedBy(parsed.manifest);
      for (const it of new Set([digest, ...named])) {
        uses.set(it, (uses.get(it) ?? 0) + 1);
      }
    }
    let freed = 0;
    for (const [digest, count] of uses) {
      await this.#turns.step();
      // A manifest may name a blob in each of its four roles; one more row is somebody else's.
      const references = await metadata.collection.referencesOf(digest, 4 * count + 1);
      const isNeeded = references.some(
        ({ repository, manifest }) => !this.#manifests.has(`${repository}@${manifest}`),
      );
      if (!isNeeded) freed += (await blobs.sizeOf(digest)) ?? 0;
    }
    return freed;
  }
}

function keyOf(target: RemovalTarget): string {
  if (target.kind === "tag") return `${target.name}:${target.tag}`;
  return target.kind === "manifest" ? `${target.name}@${target.digest}` : target.name;
}
