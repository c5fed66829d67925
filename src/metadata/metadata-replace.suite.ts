import { afterAll, beforeAll, beforeEach, describe, expect, test } from "bun:test";
import { nameOf, tagOf } from "../oci/test-support.ts";
import { compareRepository } from "./compare.ts";
import { digestOfText, imageRecord, tagRecord } from "./metadata-samples.ts";
import type { MetadataStore } from "./metadata-store.ts";

/** Adoption and rebuild, and several writers at once. `open` gives a store on the same data. */
export function metadataReplaceSuite(name: string, open: () => Promise<MetadataStore>): void {
  let store: MetadataStore;
  let count = 0;
  let app = nameOf("whole");
  const other = () => nameOf(`${app}-other`);

  describe(name, () => {
    beforeAll(async () => {
      store = await open();
    });
    afterAll(async () => {
      await store.close();
    });
    beforeEach(() => {
      count += 1;
      app = nameOf(`whole-${count}`);
    });

    replaceTests();
    raceTests();
  });

  function replaceTests(): void {
    const kept = imageRecord("kept");
    const gone = imageRecord("gone");
    const added = imageRecord("added", { annotations: { a: "1" } });
    const content = {
      tags: [tagRecord("kept", kept), tagRecord("moved", added)],
      manifests: [kept, added],
      blobs: [
        { digest: digestOfText("kept blob"), sizeBytes: 11 },
        { digest: digestOfText("added blob"), sizeBytes: 12 },
      ],
    };

    test("a replaced repository holds the content and nothing else", async () => {
      await store.recordPush(app, kept, [tagRecord("kept", kept), tagRecord("moved", kept)]);
      await store.recordPush(app, gone, [tagRecord("gone", gone)]);
      for (const text of ["kept blob", "gone blob"]) {
        await store.recordBlob(app, { digest: digestOfText(text), sizeBytes: 11 });
      }
      const before = await store.snapshotOf(app);
      expect(compareRepository(before, content)).not.toEqual([]);
      expect(await store.replaceRepository(app, content, before.revision)).toBe(true);
      const after = await store.snapshotOf(app);
      expect(compareRepository(after, content)).toEqual([]);
      expect(await store.listTags(app, { limit: 10 })).toEqual(["kept", "moved"]);
      expect((await store.findTag(app, tagOf("moved")))?.digest).toBe(added.digest);
      expect(await store.findBlob(app, digestOfText("gone blob"))).toBeUndefined();
    });

    test("a repository that is not recorded is made", async () => {
      const { revision } = await store.snapshotOf(app);
      expect(await store.replaceRepository(app, content, revision)).toBe(true);
      expect(compareRepository(await store.snapshotOf(app), content)).toEqual([]);
    });

    test("content that was read before a push does not undo the push", async () => {
      const { revision } = await store.snapshotOf(app);
      await store.recordPush(app, gone, [tagRecord("new", gone)]);
      expect(await store.replaceRepository(app, content, revision)).toBe(false);
      expect(await store.listTags(app, { limit: 10 })).toEqual(["new"]);
      expect(await store.findManifest(app, kept.digest)).toBeUndefined();
    });

    test("content that was read before a removal does not bring anything back", async () => {
      await store.recordPush(app, kept, [tagRecord("kept", kept)]);
      const { revision } = await store.snapshotOf(app);
      await store.removeRepository(app);
      await store.recordManifest(app, gone);
      expect(await store.replaceRepository(app, content, revision)).toBe(false);
      expect(await store.findTag(app, tagOf("kept"))).toBeUndefined();
    });

    const removals: Readonly<Record<string, () => Promise<void>>> = {
      tag: () => store.removeTag(app, tagOf("kept")),
      manifest: () => store.removeManifest(app, kept.digest),
      blob: () => store.removeBlob(app, digestOfText("kept blob")),
    };
    for (const [what, remove] of Object.entries(removals)) {
      test(`a ${what} that is removed before its repository is recorded does not come back`, async () => {
        const { revision } = await store.snapshotOf(app);
        await remove();
        expect(await store.replaceRepository(app, content, revision)).toBe(false);
        expect(await store.listTags(app, { limit: 10 })).toEqual([]);
      });
    }

    test("a manifest that is read with more facts than before is recorded anew", async () => {
      const config = { os: "linux", labels: { a: "b" }, diffIds: ["x"], instructions: ["RUN y"] };
      const richer = imageRecord("kept", { config });
      await store.recordManifest(app, kept);
      const snapshot = await store.snapshotOf(app);
      const wanted = { tags: [], manifests: [richer], blobs: [] };
      expect(compareRepository(snapshot, wanted)).toHaveLength(1);
      await store.replaceRepository(app, wanted, snapshot.revision);
      expect(compareRepository(await store.snapshotOf(app), wanted)).toEqual([]);
    });
  }

  function raceTests(): void {
    test("two stores on the same data record at once", async () => {
      const second = await open();
      try {
        const layers = Array.from({ length: 12 }, (_, index) => `${app} layer ${index}`);
        const pushes = Array.from({ length: 24 }, async (_, index) => {
          const writer = index % 2 === 0 ? store : second;
          const sorted = index % 4 < 2 ? layers : layers.toReversed();
          const image = imageRecord(`${app} image ${index}`, { layers: sorted });
          const repository = index % 3 === 0 ? app : other();
          for (const layer of sorted.slice(0, 3)) {
            await writer.recordBlob(repository, { digest: digestOfText(layer), sizeBytes: 4 });
          }
          await writer.recordPush(repository, image, [tagRecord(`t${index}`, image)]);
        });
        await Promise.all(pushes);
        expect(await store.listTags(app, { limit: 100 })).toHaveLength(8);
        expect(await second.listTags(other(), { limit: 100 })).toHaveLength(16);
        expect((await second.snapshotOf(app)).blobs.size).toBe(6);
      } finally {
        await second.close();
      }
    });

    test("recording and removing a repository at once ends in one of both", async () => {
      const image = imageRecord("image");
      const works = Array.from({ length: 20 }, (_, index) =>
        index % 2 === 0
          ? store.recordPush(app, image, [tagRecord("a", image)])
          : store.removeRepository(app),
      );
      await Promise.all(works);
      const isThere = await store.hasRepository(app);
      expect((await store.findTag(app, tagOf("a"))) !== undefined).toBe(isThere);
      expect((await store.snapshotOf(app)).manifests.size).toBe(isThere ? 1 : 0);
    });
  }
}
