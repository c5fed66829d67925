import type { Digest } from "../../src/oci/digest.ts";
import { RegistryError } from "../../src/oci/problems.ts";
import { nameOf, tagOf } from "../../src/oci/test-support.ts";
import type { Restored, Undo } from "../../src/registry/undo.ts";
import type { UploadKey } from "../../src/registry/uploads.ts";
import type { OpenRegistry } from "../../src/server/open-registry.ts";
import { Collecting, type PassingClock } from "./collecting.ts";
import { absent, blobKeyOf, type Key, manifestKey, type Oracle, tagKey } from "./model-oracle.ts";
import type { ImageSample, Sample } from "./samples.ts";

/** The value of a manifest or blob that is. */
export const there = "there";
const owner = "";

export interface NotedClientOptions {
  readonly opened: OpenRegistry;
  readonly oracle: Oracle;
  /** The registry's own. */
  readonly clock: PassingClock;
  /** Called when an operation has been answered, before anything else happens. */
  readonly onAnswer?: () => void;
}

/** A client of the use cases that tells an oracle what it was promised. */
export class NotedClient {
  readonly #options: NotedClientOptions;
  readonly #collecting: Collecting;

  constructor(options: NotedClientOptions) {
    this.#options = options;
    this.#collecting = new Collecting(options.opened, options.clock);
  }

  get opened(): OpenRegistry {
    return this.#options.opened;
  }

  async pushImage(name: string, tag: string, image: ImageSample): Promise<void> {
    for (const blob of image.blobs) await this.pushBlob(name, blob);
    await this.pushManifest(name, { tags: [tag], manifest: image });
  }

  /** As clients do that ask first: only what is not there yet is sent. */
  async pushMissing(name: string, tag: string, image: ImageSample): Promise<void> {
    const { blobs } = this.opened.registry;
    for (const blob of image.blobs) {
      const found = await blobs.find(nameOf(name), blob.digest).catch(unlessUnknown);
      if (found === undefined) await this.pushBlob(name, blob);
    }
    await this.pushManifest(name, { tags: [tag], manifest: image });
  }

  /** In one PATCH for each of `cuts` and a PUT with the rest; without them in one PUT. */
  async pushBlob(name: string, blob: Sample, cuts: readonly number[] = []): Promise<void> {
    const key = await this.beginUpload(name);
    let offset = 0;
    for (const cut of cuts) {
      await this.append(key, blob, { start: offset, end: cut });
      offset = cut;
    }
    await this.finish(key, blob, offset);
  }

  async beginUpload(name: string): Promise<UploadKey> {
    const { uploads } = this.opened.registry;
    const options = { owner, algorithm: "sha256" } as const;
    const { id } = await uploads.begin(nameOf(name), options);
    return { name: nameOf(name), id, owner };
  }

  async append(
    key: UploadKey,
    blob: Sample,
    { start, end }: { readonly start: number; readonly end: number },
  ): Promise<void> {
    const source = piecesOf(blob.bytes.subarray(start, end));
    await this.opened.registry.uploads.append(key, { start, source });
  }

  /** Sends what is left from `offset` on with the PUT that ends the upload. */
  async finish(key: UploadKey, blob: Sample, offset: number): Promise<void> {
    await this.#noted({ [blobKeyOf(key.name, blob.digest)]: there }, async () => {
      const source = piecesOf(blob.bytes.subarray(offset));
      const chunk = offset === blob.bytes.byteLength ? undefined : { source };
      await this.opened.registry.uploads.finish(key, blob.digest, chunk);
    });
  }

  async mount(name: string, { digest }: Sample, from: string): Promise<void> {
    await this.#noted({ [blobKeyOf(name, digest)]: there }, async () => {
      const source = { from: nameOf(from), mayPull: async () => true };
      const { blobs } = this.opened.registry;
      const isMounted = await blobs.mount(nameOf(name), digest, source);
      if (!isMounted) throw new Error(`${digest} of ${from} was not mounted into ${name}`);
    });
  }

  /** By its digest with every tag, or, when there is one tag, by that. */
  async pushManifest(
    name: string,
    push: { readonly tags: readonly string[]; readonly manifest: Sample },
  ): Promise<void> {
    const { digest, bytes } = push.manifest;
    const tags = push.tags.map(tagOf);
    const [tag] = tags;
    const isByTag = tag !== undefined && tags.length === 1;
    const changes = Object.fromEntries(tags.map((tag) => [tagKey(name, tag), String(digest)]));
    await this.#noted({ ...changes, [manifestKey(name, digest)]: there }, () =>
      this.opened.registry.manifests.push({
        name: nameOf(name),
        reference: isByTag ? { kind: "tag", tag } : { kind: "digest", digest },
        tags: isByTag ? [] : tags,
        bytes,
        contentType: undefined,
        actor: {},
      }),
    );
  }

  async deleteTag(name: string, tag: string): Promise<void> {
    await this.#noted({ [tagKey(name, tag)]: absent }, () =>
      this.opened.registry.manifests.remove(nameOf(name), { kind: "tag", tag: tagOf(tag) }, {}),
    );
  }

  /** `tags`: those that point to it, which go with it. */
  async deleteManifest(name: string, digest: Digest, tags: readonly string[]): Promise<void> {
    const changes = Object.fromEntries(tags.map((tag) => [tagKey(name, tag), absent]));
    await this.#noted({ ...changes, [manifestKey(name, digest)]: absent }, () =>
      this.opened.registry.manifests.remove(nameOf(name), { kind: "digest", digest }, {}),
    );
  }

  async deleteBlob(name: string, { digest }: Sample): Promise<void> {
    await this.#noted({ [blobKeyOf(name, digest)]: absent }, () =>
      this.opened.registry.blobs.remove(nameOf(name), digest),
    );
  }

  /** `keys`: all that it has. */
  async removeRepository(name: string, keys: readonly Key[]): Promise<void> {
    const changes = Object.fromEntries(keys.map((key) => [key, absent]));
    await this.#noted(changes, async () => {
      await this.opened.links.removeRepository(nameOf(name));
      await this.opened.metadata.removeRepository(nameOf(name));
    });
  }

  /** With all its tags, as one operation. */
  async removeWhole(name: string, keys: readonly Key[]): Promise<void> {
    const changes = Object.fromEntries(keys.map((key) => [key, absent]));
    await this.#noted(changes, () =>
      this.opened.registry.removals.remove([{ kind: "repository", name: nameOf(name) }], {}),
    );
  }

  /**
   * Takes a deletion back, or the move of a tag.
   *
   * @throws {NotTakenBack} when some of it cannot be had any more.
   */
  async takeBack(
    changes: Readonly<Record<Key, string>>,
    restore: (undo: Undo) => Promise<readonly Restored[]>,
  ): Promise<void> {
    await this.#noted(changes, async () => {
      const restored = await restore(this.opened.registry.undo);
      const isBack = ({ outcome: { kind } }: Restored): boolean =>
        kind === "restored" || kind === "unchanged";
      if (!restored.every(isBack)) throw new NotTakenBack(restored, !restored.some(isBack));
    });
  }

  /** Asks whether the blob is there, as clients do before they upload it; it must be. */
  async head(name: string, { digest }: Sample): Promise<void> {
    await this.#noted({ [blobKeyOf(name, digest)]: there }, () =>
      this.opened.registry.blobs.find(nameOf(name), digest),
    );
  }

  /** Lets time go by; leases are written down first, as they are within a second. */
  async pass(ms: number): Promise<void> {
    await this.opened.context.leases.flush();
    this.#options.clock.pass(ms);
  }

  /**
   * One round of live collection. Of `unneeded`, nothing is promised until somebody is told of it
   * again: it may be in the trash or gone, and a power cut may bring it back or take it.
   */
  async collect(unneeded: readonly Key[] = []): Promise<void> {
    const { oracle, onAnswer } = this.#options;
    const answers = [there, absent].map((value) =>
      oracle.begin(Object.fromEntries(unneeded.map((key) => [key, value]))),
    );
    const { problem } = await this.#collecting.round();
    if (problem !== undefined) throw new Error(`nothing was collected: ${problem}`);
    for (const answered of answers) answered();
    onAnswer?.();
  }

  async #noted(
    changes: Readonly<Record<Key, string>>,
    work: () => Promise<unknown>,
  ): Promise<void> {
    const answered = this.#options.oracle.begin(changes);
    await work();
    answered();
    this.#options.onAnswer?.();
  }
}

/** Every key of an image in a repository. */
export function keysOf(name: string, image: ImageSample, tags: readonly string[]): readonly Key[] {
  return [
    ...tags.map((tag) => tagKey(name, tag)),
    manifestKey(name, image.digest),
    ...image.blobs.map(({ digest }) => blobKeyOf(name, digest)),
  ];
}

/** For what is asked after: a refusal that says "not there" is an answer. */
export function unlessUnknown(error: unknown): undefined {
  if (error instanceof RegistryError && error.reason.endsWith("Unknown")) return undefined;
  throw error;
}

// A copy: the registry gives the memory of what it has stored back.
async function* piecesOf(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  yield bytes.slice();
}

export class NotTakenBack extends Error {
  override readonly name = "NotTakenBack";
  /** False when a part of it is there again. */
  readonly isNothingBack: boolean;

  constructor(restored: readonly Restored[], isNothingBack: boolean) {
    super(`not taken back: ${Bun.inspect(restored)}`);
    this.isNothingBack = isNothingBack;
  }
}
