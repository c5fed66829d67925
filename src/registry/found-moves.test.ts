import { describe, expect, test } from "bun:test";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Digest } from "../oci/digest.ts";
import { nameOf, tagOf } from "../oci/test-support.ts";
import { foundByComparison } from "./found-moves.ts";
import { openTestRegistry, type TestRegistry } from "./test-support.ts";

const app = nameOf("team/app");
const v1 = tagOf("v1");

/** A registry that is stopped and started on the same storage and databases. */
async function restartable(
  work: (start: () => Promise<TestRegistry>, forgetMetadata: () => void) => Promise<void>,
) {
  const folder = mkdtempSync(join(tmpdir(), "berth-found-"));
  let generation = 0;
  const records = { kind: "sqlite", path: join(folder, "berth.sqlite") } as const;
  let last: TestRegistry | undefined;
  try {
    const start = async (): Promise<TestRegistry> => {
      await last?.close();
      const path = join(folder, `metadata-${generation}.sqlite`);
      const metadata = { kind: "sqlite", path } as const;
      last = await openTestRegistry({ metadata, records, ...(last && { left: last }) });
      return last;
    };
    await work(start, () => {
      generation += 1;
    });
  } finally {
    await last?.close();
    rmSync(folder, { recursive: true, force: true });
  }
}

const historyOf = async ({ activity }: TestRegistry, tag = v1) =>
  (await activity.listTagEvents(app, { tag, limit: 10 })).map(({ before, after, by }) => ({
    ...{ before, after, isFound: by.client === foundByComparison.client },
  }));

const crash = (): Promise<never> => Promise.reject(new Error("killed"));

describe("the history of a tag has what nobody recorded", () => {
  test("a crash came after the link and before the event", () =>
    restartable(async (start) => {
      const first = await start();
      await first.adopt();
      const one = await first.image(app, "one", { tag: "v1" });
      first.activity.recordTagEvent = crash;
      expect(first.image(app, "two", { tag: "v1" })).rejects.toThrow("killed");
      const second = await start();
      await second.adopt();
      const two = await second.pulled(app, "v1");
      const set = { before: undefined, after: one, isFound: false };
      const found = { before: one, after: two, isFound: true };
      expect(await historyOf(second)).toEqual([found, set]);
      const third = await start();
      await third.adopt();
      expect(await historyOf(third)).toEqual([found, set]);
    }));

  test("a crash came after the event: it is not told twice", () =>
    restartable(async (start) => {
      const first = await start();
      await first.adopt();
      const one = await first.image(app, "one", { tag: "v1" });
      first.metadata.recordTag = crash;
      expect(first.image(app, "two", { tag: "v1" })).rejects.toThrow("killed");
      const second = await start();
      await second.adopt();
      const two = await second.pulled(app, "v1");
      expect(await historyOf(second)).toEqual([
        { before: one, after: two, isFound: false },
        { before: undefined, after: one, isFound: false },
      ]);
    }));

  test("another program moved, deleted and made tags, and deleted a repository", () =>
    restartable(async (start) => {
      const first = await start();
      await first.adopt();
      const one = await first.image(app, "one", { tag: "v1" });
      const two = await first.image(app, "two", { tag: "gone" });
      await first.image(nameOf("gone/app"), "one", { tag: "v1" });
      await first.links.writeTag(app, v1, two);
      await first.links.writeTag(app, tagOf("new"), one);
      await first.links.removeTag(app, tagOf("gone"));
      await first.links.removeRepository(nameOf("gone/app"));
      const second = await start();
      await second.adopt();
      const newestOf = async (tag: string) => (await historyOf(second, tagOf(tag)))[0];
      expect(await newestOf("v1")).toEqual({ before: one, after: two, isFound: true });
      expect(await newestOf("new")).toEqual({ before: undefined, after: one, isFound: true });
      expect(await newestOf("gone")).toEqual({ before: two, after: undefined, isFound: true });
      const [vanished] = await second.activity.listTagEvents(nameOf("gone/app"), { limit: 1 });
      expect(vanished).toMatchObject({ before: one, by: foundByComparison });
      expect(
        await second.registry.undo.restoreTag(
          app,
          { tag: tagOf("gone"), digest: undefined },
          { actor: {}, isForced: false },
        ),
      ).toMatchObject({ digest: two, outcome: { kind: "restored" } });
    }));

  for (const next of ["another push", "a deletion"] as const) {
    test(`${next} comes before the comparison finds what another program did`, () =>
      restartable(async (start) => {
        const first = await start();
        await first.adopt();
        const one = await first.image(app, "one", { tag: "v1" });
        const two = await first.image(app, "two");
        await first.links.writeTag(app, v1, two);
        const second = await start();
        const reference = { kind: "tag", tag: v1 } as const;
        let after: Digest | undefined;
        if (next === "another push") after = await second.image(app, "three", { tag: "v1" });
        else await second.registry.manifests.remove(app, reference, {});
        await second.adopt();
        expect(await historyOf(second)).toEqual([
          { before: two, after, isFound: false },
          { before: one, after: two, isFound: true },
          { before: undefined, after: one, isFound: false },
        ]);
      }));
  }

  test("a crash left an event without its row, then another program moved the tag", () =>
    restartable(async (start) => {
      const first = await start();
      await first.adopt();
      const one = await first.image(app, "one", { tag: "v1" });
      const three = await first.image(app, "three");
      first.metadata.recordTag = crash;
      expect(first.image(app, "two", { tag: "v1" })).rejects.toThrow("killed");
      await first.links.writeTag(app, v1, three);
      const second = await start();
      await second.adopt();
      const [found, moved] = await historyOf(second);
      expect(moved).toMatchObject({ before: one, isFound: false });
      expect(found).toEqual({ before: moved?.after, after: three, isFound: true });
    }));

  test("the metadata were deleted while another program had the volume", () =>
    restartable(async (start, forgetMetadata) => {
      const first = await start();
      await first.adopt();
      const one = await first.image(app, "one", { tag: "v1" });
      const two = await first.image(app, "two", { tag: "gone" });
      await first.image(app, "same", { tag: "same" });
      await first.links.writeTag(app, v1, two);
      await first.links.writeTag(app, tagOf("new"), one);
      await first.links.removeTag(app, tagOf("gone"));
      forgetMetadata();
      const second = await start();
      await second.adopt();
      const newestOf = async (tag: string) => (await historyOf(second, tagOf(tag)))[0];
      expect(await newestOf("v1")).toEqual({ before: one, after: two, isFound: true });
      expect(await newestOf("gone")).toEqual({ before: two, after: undefined, isFound: true });
      expect(await newestOf("same")).toMatchObject({ before: undefined, isFound: false });
      expect(await newestOf("new")).toBeUndefined();
      const third = await start();
      await third.adopt();
      expect(await historyOf(third)).toHaveLength(2);
    }));

  test("a volume that is new to the metadata has no history", () =>
    restartable(async (start) => {
      const first = await start();
      const one = await first.image(app, "one");
      await first.links.writeTag(app, v1, one);
      await first.links.writeTag(app, tagOf("v2"), one);
      const second = await start();
      await second.adopt();
      expect(await second.pulled(app, "v1")).toBe(one);
      expect(await second.activity.listTagEvents(app, { limit: 10 })).toEqual([]);
    }));

  test("a manifest that cannot be read is no deletion of its tag", () =>
    restartable(async (start) => {
      const first = await start();
      await first.adopt();
      const one = await first.image(app, "one", { tag: "v1" });
      await first.context.blobs.remove(one);
      const second = await start();
      await second.registry.adoption.rebuild(new AbortController().signal);
      expect(await second.pulled(app, "v1")).toBeUndefined();
      expect(await historyOf(second)).toHaveLength(1);
    }));
});
