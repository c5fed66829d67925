import { afterAll, beforeAll, beforeEach, describe, expect, test } from "bun:test";
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

/** What every implementation keeps. `open` gives a store on the same data each time. */
export function metadataStoreSuite(name: string, open: () => Promise<MetadataStore>): void {
  let store: MetadataStore;
  let count = 0;
  /** A name that no other test of the run uses. */
  let app = nameOf("app");
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
      app = nameOf(`app-${count}`);
    });

    lookupTests();
    removalTests();
    listingTests();
    referrerTests();
  });

  function lookupTests(): void {
    const image = imageRecord("image");

    test("what was never recorded is not found", async () => {
      expect(await store.findTag(app, tagOf("latest"))).toBeUndefined();
      expect(await store.findManifest(app, image.digest)).toBeUndefined();
      expect(await store.findBlob(app, image.digest)).toBeUndefined();
      expect(await store.hasRepository(app)).toBe(false);
      expect(await store.listTags(app, { limit: 10 })).toEqual([]);
      expect(await store.readState("nothing")).toBeUndefined();
    });

    test("a push is found by tag and by digest", async () => {
      await store.recordPush(app, image, [tagRecord("latest", image), tagRecord("v1", image)]);
      const stat = {
        digest: image.digest,
        mediaType: mediaTypes.ociManifest,
        sizeBytes: image.sizeBytes,
      };
      expect(await store.findTag(app, tagOf("latest"))).toEqual(stat);
      expect(await store.findTag(app, tagOf("v1"))).toEqual(stat);
      expect(await store.findManifest(app, image.digest)).toEqual(stat);
      expect(await store.hasRepository(app)).toBe(true);
      expect(await store.findManifest(other(), image.digest)).toBeUndefined();
    });

    test("tags differ by case", async () => {
      const upper = imageRecord("upper");
      await store.recordPush(app, image, [tagRecord("rc", image)]);
      await store.recordPush(app, upper, [tagRecord("RC", upper)]);
      expect((await store.findTag(app, tagOf("rc")))?.digest).toBe(image.digest);
      expect((await store.findTag(app, tagOf("RC")))?.digest).toBe(upper.digest);
    });

    test("a tag moves, and its old manifest stays", async () => {
      const next = imageRecord("next");
      await store.recordPush(app, image, [tagRecord("latest", image)]);
      await store.recordPush(app, next, [tagRecord("latest", next)]);
      expect((await store.findTag(app, tagOf("latest")))?.digest).toBe(next.digest);
      expect(await store.findManifest(app, image.digest)).toBeDefined();
      expect(await store.tagsOfManifest(app, image.digest, 10)).toEqual([]);
    });

    test("a tag whose manifest is missing is listed but not found", async () => {
      await store.recordTag(app, tagRecord("scar", { digest: digestOfText("gone") }));
      expect(await store.findTag(app, tagOf("scar"))).toBeUndefined();
      expect(await store.listTags(app, { limit: 10 })).toEqual(["scar"]);
    });

    test("a blob belongs to the repositories that it was recorded in", async () => {
      const blob = { digest: digestOfText(`blob of ${app}`), sizeBytes: 5_000_000_000 };
      await store.recordBlob(app, blob);
      expect(await store.findBlob(app, blob.digest)).toBe(5_000_000_000);
      expect(await store.findBlob(other(), blob.digest)).toBeUndefined();
      await store.recordBlob(other(), blob);
      expect(await store.repositoriesWithBlob(blob.digest, 10)).toEqual([app, other()]);
      expect(await store.repositoriesWithBlob(blob.digest, 1)).toHaveLength(1);
    });

    test("a manifest does not make the blobs that it names exist", async () => {
      const record = imageRecord(`image of ${app}`);
      await store.recordManifest(app, record);
      for (const layer of record.manifest.layers) {
        expect(await store.findBlob(app, layer.digest)).toBeUndefined();
        expect(await store.repositoriesWithBlob(layer.digest, 10)).toEqual([]);
      }
    });

    test("who suffers from a damaged blob is who has a manifest that is it or names it", async () => {
      const record = imageRecord(`named of ${app}`);
      await store.recordManifest(app, record);
      await store.recordManifest(other(), record);
      const named = [record.digest, ...record.manifest.layers.map((layer) => layer.digest)];
      for (const digest of named) {
        expect([...(await store.repositoriesNaming(digest, 10))].sort()).toEqual(
          [app, other()].sort(),
        );
        expect(await store.repositoriesNaming(digest, 1)).toHaveLength(1);
      }
      expect(await store.repositoriesNaming(digestOfText("nobody's"), 10)).toEqual([]);
    });

    test("recording twice changes nothing", async () => {
      const push = async () => {
        await store.recordBlob(app, { digest: digestOfText("layer"), sizeBytes: 3 });
        await store.recordPush(app, image, [tagRecord("latest", image)]);
      };
      await push();
      const { revision: _, ...once } = await store.snapshotOf(app);
      await push();
      const { revision: __, ...twice } = await store.snapshotOf(app);
      expect(twice).toEqual(once);
    });

    test("text that a database finds awkward is kept", async () => {
      const record = imageRecord("awkward", {
        annotations: { ["k".repeat(9_000)]: "v".repeat(90_000), __proto__x: "\u{1F6A2}'\"\\;--" },
        config: {
          labels: { "": "", nul: "a\u0000b" },
          diffIds: [],
          instructions: ["RUN \u0000 echo"],
        },
      });
      await store.recordManifest(app, record);
      expect(await store.findManifest(app, record.digest)).toBeDefined();
    });

    test("a state survives and is overwritten", async () => {
      await store.writeState(`cursor of ${app}`, "1");
      await store.writeState(`cursor of ${app}`, "2");
      expect(await store.readState(`cursor of ${app}`)).toBe("2");
    });
  }

  function removalTests(): void {
    const image = imageRecord("image");

    test("removing a tag leaves the other tags of its digest", async () => {
      await store.recordPush(app, image, [tagRecord("a", image), tagRecord("b", image)]);
      await store.removeTag(app, tagOf("a"));
      expect(await store.listTags(app, { limit: 10 })).toEqual(["b"]);
      expect(await store.findManifest(app, image.digest)).toBeDefined();
    });

    test("removing a manifest removes its tags, here and nowhere else", async () => {
      const stays = imageRecord("stays");
      await store.recordPush(app, image, [tagRecord("a", image), tagRecord("b", image)]);
      await store.recordPush(app, stays, [tagRecord("c", stays)]);
      await store.recordPush(other(), image, [tagRecord("a", image)]);
      await store.removeManifest(app, image.digest);
      expect(await store.findManifest(app, image.digest)).toBeUndefined();
      expect(await store.listTags(app, { limit: 10 })).toEqual(["c"]);
      expect((await store.findTag(other(), tagOf("a")))?.digest).toBe(image.digest);
    });

    test("removing a blob from one repository leaves it in another", async () => {
      const blob = { digest: digestOfText(`shared by ${app}`), sizeBytes: 9 };
      await store.recordBlob(app, blob);
      await store.recordBlob(other(), blob);
      await store.removeBlob(app, blob.digest);
      expect(await store.findBlob(app, blob.digest)).toBeUndefined();
      expect(await store.findBlob(other(), blob.digest)).toBe(9);
    });

    test("removing what is not there does nothing, and makes no repository", async () => {
      await store.removeTag(app, tagOf("a"));
      await store.removeManifest(app, image.digest);
      await store.removeBlob(app, image.digest);
      await store.removeRepository(app);
      expect(await store.hasRepository(app)).toBe(false);
    });

    test("removing a repository removes all that is in it", async () => {
      await store.recordPush(app, image, [tagRecord("a", image)]);
      await store.recordBlob(app, { digest: digestOfText("layer"), sizeBytes: 3 });
      await store.removeRepository(app);
      expect(await store.hasRepository(app)).toBe(false);
      const { revision, ...rest } = await store.snapshotOf(app);
      expect(rest).toEqual({ tags: new Map(), manifests: new Map(), blobs: new Map() });
      await store.recordManifest(app, image);
      expect(await store.findTag(app, tagOf("a"))).toBeUndefined();
      expect((await store.snapshotOf(app)).revision).not.toBe(revision);
    });
  }

  function listingTests(): void {
    test("tags come in the order of their bytes, page by page", async () => {
      const image = imageRecord("image");
      const names = ["_x", "10", "9", "A", "Z", "a", "a-b", "a.b", "a_b", "aB", "ab", "v1.0", "z"];
      const inOrder = [...names].sort();
      await store.recordPush(
        app,
        image,
        names.map((name) => tagRecord(name, image)),
      );
      expect(await store.listTags(app, { limit: 100 })).toEqual(inOrder);
      expect(await store.listTags(app, { limit: 4 })).toEqual(inOrder.slice(0, 4));
      for (const [index, name] of inOrder.entries()) {
        const page = await store.listTags(app, { after: name, limit: 2 });
        expect(page).toEqual(inOrder.slice(index + 1, index + 3));
      }
      expect(await store.listTags(app, { after: "aA", limit: 1 })).toEqual(["aB"]);
      expect(await store.listTags(app, { limit: 0 })).toEqual([]);
      expect(await store.tagsOfManifest(app, image.digest, 3)).toEqual(
        inOrder.slice(0, 3).map(tagOf),
      );
    });

    test("repositories are listed when they have a manifest, in the order of bytes", async () => {
      const prefix = `list${count}`;
      const parts = ["a", "a-b", "a.b", "a/b", "a/c", "a0", "a_b", "aa", "b", "blobs-only", "gone"];
      const names = parts.map((part) => nameOf(`${prefix}/${part}`));
      const image = imageRecord("image");
      for (const name of names) {
        if (name.endsWith("blobs-only")) {
          await store.recordBlob(name, { digest: digestOfText("x"), sizeBytes: 1 });
        } else {
          await store.recordManifest(name, image);
        }
      }
      await store.removeManifest(nameOf(`${prefix}/gone`), image.digest);
      const inOrder: string[] = names.filter((name) => !/blobs-only|gone/.test(name)).sort();
      const page = { after: prefix, limit: inOrder.length };
      expect(await store.listRepositories(page)).toEqual(inOrder);
      expect(await store.listRepositories({ after: inOrder[2] ?? "", limit: 2 })).toEqual(
        inOrder.slice(3, 5),
      );
      const recorded: string[] = [...names].sort();
      expect(await store.listRecorded({ after: prefix, limit: names.length })).toEqual(
        recorded.map(nameOf),
      );
    });

    test("the parents of a manifest are the indexes of its repository that list it", async () => {
      const child = imageRecord("child");
      const twice = indexRecord("twice", [childOf(child), childOf(child)]);
      const nested = indexRecord("nested", [childOf(twice)]);
      for (const record of [child, twice, nested]) await store.recordManifest(app, record);
      await store.recordManifest(other(), indexRecord("elsewhere", [childOf(child)]));
      expect(await store.parentsOf(app, child.digest, 10)).toEqual([twice.digest]);
      expect(await store.parentsOf(app, twice.digest, 10)).toEqual([nested.digest]);
      expect(await store.parentsOf(app, nested.digest, 10)).toEqual([]);
      await store.removeManifest(app, twice.digest);
      expect(await store.parentsOf(app, child.digest, 10)).toEqual([]);
    });

    test("an index may have blobs as children", async () => {
      const layer = blobDescriptor("cached layer", "application/vnd.oci.image.layer.v1.tar+gzip");
      const cache = indexRecord("cache", [layer]);
      await store.recordManifest(app, cache);
      expect(await store.parentsOf(app, layer.digest, 10)).toEqual([cache.digest]);
    });
  }

  function referrerTests(): void {
    test("referrers are full descriptors, also of a subject that is not there", async () => {
      const subject = digestOfText(`subject of ${app}`);
      const signature = imageRecord("signature", {
        subject,
        artifactType: "application/vnd.example.signature",
        annotations: { b: "2", a: "1", ["__proto__"]: "3" },
      });
      const plain = imageRecord("plain", { subject });
      await store.recordManifest(app, signature);
      await store.recordManifest(app, plain);
      await store.recordManifest(app, imageRecord("unrelated"));
      await store.recordManifest(other(), imageRecord("elsewhere", { subject }));
      const { digest, sizeBytes } = signature;
      const expected = [
        {
          mediaType: mediaTypes.ociManifest,
          digest,
          sizeBytes,
          artifactType: "application/vnd.example.signature",
          annotations: signature.manifest.annotations,
        },
        {
          mediaType: mediaTypes.ociManifest,
          digest: plain.digest,
          sizeBytes: plain.sizeBytes,
        },
      ].sort((a, b) => (a.digest < b.digest ? -1 : 1));
      expect(await store.listReferrers(app, subject, { limit: 10 })).toEqual(expected);
      for (const artifactType of ["application/vnd.example.signature", "application/none"]) {
        expect(await store.listReferrers(app, subject, { limit: 10, artifactType })).toEqual(
          expected.filter((it) => it.artifactType === artifactType),
        );
      }
    });

    test("a page of referrers counts manifests, not annotations", async () => {
      const subject = digestOfText(`subject of ${app}`);
      const records = Array.from({ length: 7 }, (_, index) =>
        imageRecord(`referrer ${index}`, { subject, annotations: { a: "1", b: "2", c: "3" } }),
      );
      for (const record of records) await store.recordManifest(app, record);
      const inOrder = records.map((record) => record.digest).sort();
      const first = await store.listReferrers(app, subject, { limit: 3 });
      expect(first.map((it) => it.digest)).toEqual(inOrder.slice(0, 3));
      const rest = await store.listReferrers(app, subject, {
        after: inOrder[2] ?? "",
        limit: 10,
      });
      expect(rest.map((it) => it.digest)).toEqual(inOrder.slice(3));
    });

    test("a removed referrer is gone", async () => {
      const subject = digestOfText(`subject of ${app}`);
      const record = imageRecord("referrer", { subject });
      await store.recordManifest(app, record);
      await store.removeManifest(app, record.digest);
      expect(await store.listReferrers(app, subject, { limit: 10 })).toEqual([]);
    });
  }
}
