import { afterAll, beforeAll, beforeEach, describe, expect, test } from "bun:test";
import { digestOf } from "../oci/digest.ts";
import { nameOf, tagOf } from "../oci/test-support.ts";
import type { ActivityStore } from "./activity-store.ts";
import type { NewTrashEntry, TrashStore } from "./trash-store.ts";

const tag = tagOf("v1");
const startMs = 1_700_000_000_000;

/** What every implementation of the trash keeps. `open` gives a store on the same data each time. */
export function trashStoreSuite(name: string, open: () => Promise<ActivityStore>): void {
  let store: ActivityStore;
  let trash: TrashStore;
  let count = 0;
  let app = nameOf("app");

  /** A manifest of this test alone, with a layer that others may share. */
  const manifest = (text: string, layer = text): NewTrashEntry => {
    const digest = digestOf(`${app} ${text}`);
    return {
      kind: "manifest",
      operation: `operation of ${text}`,
      action: "delete manifest",
      repository: app,
      digest,
      mediaType: "application/vnd.oci.image.manifest.v1+json",
      sizeBytes: 1_000,
      atMs: startMs,
      expiresAtMs: startMs + 100,
      by: { name: "anna", client: "berth rm" },
      keeps: [digest, digestOf(`${app} layer ${layer}`)],
    };
  };
  const tagged = (text: string): NewTrashEntry => ({
    ...manifest(text),
    kind: "tag",
    tag,
    action: "delete tag",
  });
  const withoutKeeps = (entry: NewTrashEntry) => ({ ...entry, id: 0, keeps: undefined });

  describe(`${name}: the trash`, () => {
    beforeAll(async () => {
      store = await open();
      ({ trash } = store);
    });
    afterAll(async () => {
      await store.close();
    });
    beforeEach(() => {
      count += 1;
      app = nameOf(`trash-${count}`);
    });

    test("tells what was deleted from the newest back, whole and by operation", async () => {
      const [one, two, three] = [manifest("one"), tagged("two"), tagged("three")];
      const together = { ...three, operation: two.operation };
      await trash.add([one]);
      await trash.add([two, together]);
      const listed = await trash.list({ repository: app, limit: 10 });
      expect(listed.map((it) => ({ ...it, id: 0 }))).toEqual(
        [together, two, one].map(withoutKeeps) as never,
      );
      expect(listed).toHaveLength(3);
      const before = listed[0]?.id ?? 0;
      expect(await trash.list({ repository: app, before, limit: 1 })).toEqual(listed.slice(1, 2));
      const { operation } = two;
      expect(await trash.list({ operation, repository: app, limit: 10 })).toEqual(
        listed.slice(0, 2),
      );
      expect(await trash.list({ operation, repository: nameOf("none"), limit: 10 })).toEqual([]);
      expect((await trash.list({ limit: 1 }))[0]).toEqual(listed[0]);
      expect(await trash.find(before)).toEqual(listed[0]);
      expect(await trash.find(999_999_999)).toBeUndefined();
      expect(await trash.ofManifest(app, one.digest, { limit: 10 })).toEqual(listed.slice(2));
    });

    test("keeps each digest of an entry until the last entry that names it is removed", async () => {
      const [one, two] = [manifest("one", "shared"), manifest("two", "shared")];
      const [own, shared] = one.keeps;
      if (own === undefined || shared === undefined) return expect.unreachable();
      const kept = async () => [...(await trash.keptAmong([own, shared]))].sort();
      expect(await kept()).toEqual([]);
      expect((await trash.keptAmong([])).size).toBe(0);
      await trash.add([one, two]);
      expect(await kept()).toEqual([own, shared].sort());
      const [second, first] = await trash.list({ repository: app, limit: 10 });
      expect(await trash.keptBy(first?.id ?? 0)).toEqual([...one.keeps].sort());
      expect(await trash.keepersOf(shared, 10)).toEqual([second, first] as never);
      expect(await trash.keepersOf(shared, 1)).toHaveLength(1);
      await trash.remove([first?.id ?? 0, 999_999_999]);
      expect(await kept()).toEqual([shared]);
      await trash.remove([second?.id ?? 0]);
      expect(await kept()).toEqual([]);
      expect(await trash.keptBy(first?.id ?? 0)).toEqual([]);
    });

    test("has one entry of a name and its digest: that of the newest deletion", async () => {
      await trash.add([tagged("one"), manifest("one")]);
      await trash.add([{ ...tagged("one"), operation: "again", atMs: startMs + 5 }]);
      const listed = await trash.list({ repository: app, limit: 10 });
      expect(listed.map((entry) => [entry.kind, entry.operation])).toEqual([
        ["tag", "again"],
        ["manifest", "operation of one"],
      ]);
    });

    test("an entry expires when the clock is past its time, not before", async () => {
      await trash.add([manifest("one"), { ...manifest("two"), expiresAtMs: startMs + 50 }]);
      const expiredAt = async (nowMs: number): Promise<readonly number[]> => {
        const expired = await trash.expired(nowMs, 10_000);
        return expired.filter((it) => it.repository === app).map((it) => it.expiresAtMs - startMs);
      };
      expect(await expiredAt(startMs + 50)).toEqual([]);
      expect(await expiredAt(startMs + 51)).toEqual([50]);
      expect(await expiredAt(startMs + 101)).toEqual([50, 100]);
      expect(await trash.expired(startMs + 101, 1)).toHaveLength(1);
    });

    test("knows the last deletion of a whole repository", async () => {
      const whole = { ...manifest("one"), action: "delete repository" } as const;
      expect(await trash.lastRemovalOf(app)).toBeUndefined();
      await trash.add([{ ...whole, operation: "first" }]);
      await trash.add([{ ...whole, digest: digestOf("two"), operation: "second" }]);
      await trash.add([tagged("three")]);
      expect(await trash.lastRemovalOf(app)).toBe("second");
    });

    test("what was added is there after closing and opening", async () => {
      const other = await open();
      const added = other.trash.add([manifest("one")]);
      await other.close();
      await added;
      expect(await trash.list({ repository: app, limit: 10 })).toHaveLength(1);
    });
  });
}
