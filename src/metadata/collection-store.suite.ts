import { afterAll, beforeAll, beforeEach, describe, expect, test } from "bun:test";
import type { Digest } from "../oci/digest.ts";
import type { RepositoryName } from "../oci/repository-name.ts";
import { nameOf } from "../oci/test-support.ts";
import type { Seen } from "./collection-store.ts";
import { digestOfText, imageRecord } from "./metadata-samples.ts";
import type { MetadataStore } from "./metadata-store.ts";

const later = Number.MAX_SAFE_INTEGER;

/** What collection relies on, in every implementation. `open` gives a store on the same data. */
export function collectionStoreSuite(name: string, open: () => Promise<MetadataStore>): void {
  let store: MetadataStore;
  let count = 0;
  let app: RepositoryName;

  describe(name, () => {
    beforeAll(async () => {
      store = await open();
    });
    afterAll(async () => {
      await store.close();
    });
    beforeEach(() => {
      count += 1;
      app = nameOf(`collection-${count}`);
    });

    walkTests();
    trashTests();
  });

  async function blobsOf(names: readonly string[]): Promise<readonly Digest[]> {
    const digests = names.map((text) => digestOfText(`${app} ${text}`));
    for (const digest of digests) await store.recordBlob(app, { digest, sizeBytes: 5 });
    return digests;
  }

  /** The whole walk, and how many pieces that were. */
  async function walk<T>(look: (after: number) => Promise<Seen<T>>) {
    const found: T[] = [];
    let pieces = 0;
    for (let after: number | undefined = 0; after !== undefined; pieces += 1) {
      const seen: Seen<T> = await look(after);
      found.push(...seen.found);
      after = seen.next;
    }
    return { found, pieces };
  }

  function walkTests(): void {
    const unreferenced = (scan: number) =>
      walk((after) => store.collection.unreferenced({ after, scan, touchedBeforeMs: later }));

    test("a walk in pieces finds every blob that nothing references, and no other", async () => {
      const image = imageRecord(`image of ${app}`);
      await store.recordManifest(app, image);
      const digests = await blobsOf(["a", "b", "c", "d", "e"]);
      const { found } = await unreferenced(2);
      const own = found.map(({ digest }) => digest).filter((digest) => digests.includes(digest));
      expect(own).toEqual([...digests]);
      const named = new Set([image.digest, ...image.manifest.layers.map(({ digest }) => digest)]);
      expect(found.some(({ digest }) => named.has(digest))).toBe(false);
    });

    test("a walk takes as many pieces as there are rows, however many ids were given away", async () => {
      const { pieces } = await unreferenced(1);
      const names = Array.from({ length: 40 }, (_, index) => `gap ${index}`);
      await store.collection.forget(await blobsOf(names));
      await blobsOf(["after the gap"]);
      expect((await unreferenced(1)).pieces).toBe(pieces + 1);
    });

    test("links are loose where no manifest of the same repository names the blob", async () => {
      const other = nameOf(`${app}-other`);
      const image = imageRecord(`image of ${app}`);
      const [layer] = image.manifest.layers;
      const digest = layer?.digest ?? expect.unreachable();
      await store.recordManifest(app, image);
      for (const name of [app, other]) await store.recordBlob(name, { digest, sizeBytes: 5 });
      const loose = async () => {
        const { found } = await walk((after) =>
          store.collection.looseLinks({ after, scan: 1, touchedBeforeMs: later }),
        );
        return found.filter((link) => link.digest === digest);
      };
      expect(await loose()).toMatchObject([{ repository: other, digest }]);
      // What nothing at all references goes with its bytes.
      const [unneeded] = await blobsOf(["unneeded"]);
      const { found } = await walk((after) =>
        store.collection.looseLinks({ after, scan: 1, touchedBeforeMs: later }),
      );
      expect(found.some((link) => link.digest === unneeded)).toBe(false);
      expect(await store.collection.isLoose(app, digest)).toBe(false);
      expect(await store.collection.isLoose(other, digest)).toBe(true);
      await store.collection.unlink(new Map([[other, [digest]]]));
      expect(await loose()).toEqual([]);
    });
  }

  function trashTests(): void {
    test("a blob goes to the trash, comes back, and is forgotten", async () => {
      const [digest = expect.unreachable()] = await blobsOf(["trashed"]);
      const { collection } = store;
      await collection.markTrashed([digest], 1_000.5);
      expect(await collection.stateOf(digest)).toMatchObject({ trashedAtMs: 1_000, sizeBytes: 5 });
      const page = { trashedBeforeMs: 1_001, limit: 10 };
      expect((await collection.trashed(page)).map((blob) => blob.digest)).toEqual([digest]);
      expect((await collection.trashTotals()).count).toBe(1);
      await collection.markRestored(digest);
      expect(await collection.trashed(page)).toEqual([]);
      await collection.forget([digest]);
      expect(await collection.stateOf(digest)).toBeUndefined();
      expect(await store.findBlob(app, digest)).toBeUndefined();
    });

    test("what a manifest names is not forgotten", async () => {
      const image = imageRecord(`kept ${app}`);
      await store.recordManifest(app, image);
      await store.collection.forget([image.digest]);
      const uses = await store.collection.referencesOf(image.digest, 10);
      expect(uses).toEqual([{ repository: app, manifest: image.digest, role: "self" }]);
    });

    test("bytes without a link get a row, with a mark or without, and keep an older one", async () => {
      const digest = digestOfText(`unlinked ${app}`);
      const trashed = digestOfText(`unlinked and trashed ${app}`);
      await store.collection.recordUnlinked([
        { digest, sizeBytes: 7, touchedAtMs: 2_000.9 },
        { digest: trashed, sizeBytes: 7, touchedAtMs: 2_000, trashedAtMs: 3_000.9 },
      ]);
      await store.collection.recordUnlinked([{ digest, sizeBytes: 7, touchedAtMs: 9_000 }]);
      expect(await store.collection.stateOf(digest)).toMatchObject({ touchedAtMs: 2_000 });
      expect(await store.collection.stateOf(trashed)).toMatchObject({ trashedAtMs: 3_000 });
      await store.collection.touch([digest], 5_000.5);
      await store.collection.touch([digest], 4_000);
      expect(await store.collection.stateOf(digest)).toMatchObject({ touchedAtMs: 5_000 });
      await store.collection.forget([digest, trashed]);
    });

    test("a touch from the future is lowered, an earlier one stays", async () => {
      const digests = [...(await blobsOf(["ahead", "behind"]))].sort();
      const [ahead = expect.unreachable(), behind = expect.unreachable()] = digests;
      const touchedAt = async (digest: Digest) =>
        (await store.collection.stateOf(digest))?.touchedAtMs;
      const nowMs = ((await touchedAt(behind)) ?? 0) + 60_000;
      await store.collection.touch([behind], nowMs - 1);
      await store.collection.touch([ahead], nowMs + 10 * 365 * 86_400_000);
      await store.collection.lowerTouches(digests, nowMs);
      expect([await touchedAt(ahead), await touchedAt(behind)]).toEqual([nowMs, nowMs - 1]);
      await store.collection.lowerTouches([], nowMs - 2);
      expect(await touchedAt(behind)).toBe(nowMs - 1);
    });

    test("a repository that cannot be read whole freezes what it holds, and what nobody holds", async () => {
      const other = nameOf(`${app}-other`);
      const [held = expect.unreachable()] = await blobsOf(["held"]);
      const elsewhere = digestOfText(`elsewhere ${app}`);
      await store.recordBlob(other, { digest: elsewhere, sizeBytes: 5 });
      const snapshot = await store.snapshotOf(app);
      const unreadable = { manifests: 1, tags: 0 };
      const blobs = [{ digest: held, sizeBytes: 5 }];
      const content = { manifests: [], tags: [], blobs, unreadable };
      expect(await store.replaceRepository(app, content, snapshot)).toBe(true);
      expect(await store.collection.isFrozen(held)).toBe(true);
      expect(await store.collection.isFrozen(digestOfText(`nowhere ${app}`))).toBe(true);
      expect(await store.collection.isFrozen(elsewhere)).toBe(false);
      const frozen = await store.collection.frozenRepositories(1_000);
      expect(frozen).toEqual([{ repository: app, unreadableManifests: 1, unreadableTags: 0 }]);
      await store.removeRepository(app);
      expect(await store.collection.isFrozen(held)).toBe(false);
    });
  }
}
