import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { mediaTypes } from "../oci/media-type.ts";
import { nameOf, tagOf } from "../oci/test-support.ts";
import {
  blobDescriptor,
  childOf,
  digestOfText,
  imageRecord,
  indexRecord,
  tagRecord,
} from "./metadata-samples.ts";
import type { MetadataStore } from "./metadata-store.ts";

/** What every implementation tells of a whole repository. */
export function repositoryViewSuite(name: string, open: () => Promise<MetadataStore>): void {
  describe(name, () => {
    let store: MetadataStore;
    beforeAll(async () => {
      store = await open();
    });
    afterAll(async () => {
      await store.close();
    });

    test("a repository that is not recorded has nothing", async () => {
      const nothing = nameOf("view/nothing");
      expect(await store.viewOf(nothing)).toEqual({ isFrozen: false, tags: [], manifests: [] });
    });

    test("tags, manifests, children and subjects of one repository are told", async () => {
      const app = nameOf("view/app");
      const image = imageRecord("view image", { pushedAtMs: 1_700_000_000_123 });
      const index = indexRecord("view index", [
        childOf(image),
        blobDescriptor("a cache layer", mediaTypes.octetStream),
      ]);
      const signature = imageRecord("view signature", { subject: index.digest });
      await store.recordManifest(app, image);
      await store.recordPush(app, index, [
        { ...tagRecord("v2", index), pushedAtMs: 1_700_000_002_000 },
        tagRecord("v1", index),
      ]);
      await store.recordManifest(app, signature);
      await store.recordTag(app, tagRecord("scar", { digest: digestOfText("view: gone") }));
      await store.recordPush(nameOf("view/app-other"), image, [tagRecord("x", image)]);

      await store.collection.touch(
        [image.digest, index.digest, signature.digest],
        1_800_000_000_000,
      );
      const view = await store.viewOf(app);
      const touchedAtMs = 1_800_000_000_000;
      expect(view.tags).toEqual([
        {
          tag: tagOf("scar"),
          digest: digestOfText("view: gone"),
          pushedAtMs: 1_700_000_001_000,
        },
        { tag: tagOf("v1"), digest: index.digest, pushedAtMs: 1_700_000_001_000 },
        { tag: tagOf("v2"), digest: index.digest, pushedAtMs: 1_700_000_002_000 },
      ]);
      expect(new Map(view.manifests.map((manifest) => [manifest.digest, manifest]))).toEqual(
        new Map([
          [
            image.digest,
            {
              digest: image.digest,
              kind: "image",
              mediaType: mediaTypes.ociManifest,
              sizeBytes: image.sizeBytes,
              pushedAtMs: 1_700_000_000_123,
              touchedAtMs,
              children: [],
            },
          ],
          [
            index.digest,
            {
              digest: index.digest,
              kind: "index",
              mediaType: mediaTypes.ociIndex,
              sizeBytes: index.sizeBytes,
              pushedAtMs: index.pushedAtMs,
              touchedAtMs,
              children: [image.digest, digestOfText("a cache layer")],
            },
          ],
          [
            signature.digest,
            {
              digest: signature.digest,
              kind: "image",
              mediaType: mediaTypes.ociManifest,
              sizeBytes: signature.sizeBytes,
              pushedAtMs: signature.pushedAtMs,
              touchedAtMs,
              subject: index.digest,
              children: [],
            },
          ],
        ]),
      );
    });

    test("a repository of which something could not be read is frozen", async () => {
      const frozen = nameOf("view/frozen");
      for (const unreadable of [
        { manifests: 1, tags: 0 },
        { manifests: 0, tags: 1 },
        { manifests: 0, tags: 0 },
      ]) {
        const { revision } = await store.snapshotOf(frozen);
        const content = { manifests: [], tags: [], blobs: [], unreadable };
        expect(await store.replaceRepository(frozen, content, { revision })).toBe(true);
        const isFrozen = unreadable.manifests + unreadable.tags > 0;
        expect((await store.viewOf(frozen)).isFrozen).toBe(isFrozen);
      }
    });

    test("a manifest is somewhere as long as one repository has it; a blob is none", async () => {
      const [app, other] = [nameOf("view/some"), nameOf("view/where")];
      const image = imageRecord("view somewhere");
      const layer = image.manifest.layers[0]?.digest ?? expect.unreachable();
      expect(await store.isManifestAnywhere(image.digest)).toBe(false);
      await store.recordManifest(app, image);
      await store.recordManifest(other, image);
      expect(await store.isManifestAnywhere(image.digest)).toBe(true);
      expect(await store.isManifestAnywhere(layer)).toBe(false);
      await store.removeManifest(app, image.digest);
      expect(await store.isManifestAnywhere(image.digest)).toBe(true);
      await store.removeManifest(other, image.digest);
      expect(await store.isManifestAnywhere(image.digest)).toBe(false);
    });
  });
}
