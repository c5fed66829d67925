import { afterAll, beforeAll, beforeEach, describe, expect, test } from "bun:test";
import { digestOf } from "../oci/digest.ts";
import { nameOf, tagOf } from "../oci/test-support.ts";
import { type ActivityStore, attemptsKept, dayOf } from "./activity-store.ts";

const dayMs = 86_400_000;
const startMs = 20_000 * dayMs;
const by = { name: "anna", client: "docker/29.0", address: "192.0.2.7" };

/** What every implementation keeps. `open` gives a store on the same data each time. */
export function activityStoreSuite(name: string, open: () => Promise<ActivityStore>): void {
  let store: ActivityStore;
  let count = 0;
  let app = nameOf("app");
  const tag = tagOf("latest");
  const first = digestOf("first");
  const second = digestOf("second");

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

    test("the history of a tag is told from its newest event back", async () => {
      const events = [
        { repository: app, tag, after: first, atMs: startMs, by },
        { repository: app, tag, before: first, after: second, atMs: startMs + 1, by: {} },
        { repository: app, tag, before: second, atMs: startMs + 2, by: { name: "bo" } },
        { repository: app, tag: tagOf("other"), after: first, atMs: startMs + 3, by },
      ];
      for (const event of events) await store.recordTagEvent(event);
      const told = await store.listTagEvents(app, { tag, limit: 10 });
      const expected = events.slice(0, 3).toReversed();
      expect(told).toMatchObject(expected);
      expect(told).toHaveLength(expected.length);
      const newest = await store.listTagEvents(app, { limit: 2 });
      expect(newest.map((event) => event.atMs)).toEqual([startMs + 3, startMs + 2]);
      const rest = await store.listTagEvents(app, { before: newest[1]?.id ?? 0, limit: 10 });
      expect(rest.map((event) => event.atMs)).toEqual([startMs + 1, startMs]);
    });

    test("events that come at once are all kept", async () => {
      const works = Array.from({ length: 100 }, (_, index) =>
        store.recordTagEvent({ repository: app, tag, after: first, atMs: startMs + index, by }),
      );
      await Promise.all(works);
      const events = await store.listTagEvents(app, { limit: 1_000 });
      expect(events.map((event) => event.atMs)).toEqual(
        Array.from({ length: 100 }, (_, index) => startMs + 99 - index),
      );
    });

    test("pulls are added up by manifest, by tag and by day", async () => {
      expect(await store.pullsOfManifest(app, first)).toEqual({ count: 0 });
      for (let index = 0; index < 10; index += 1) {
        store.countPull({ repository: app, digest: first, tag, atMs: startMs + index * dayMs });
      }
      store.countPull({ repository: app, digest: first, atMs: startMs + 5 });
      await store.flush();
      store.countPull({ repository: app, digest: second, tag, atMs: startMs + 6 });
      await store.flush();
      const lastAtMs = startMs + 9 * dayMs;
      expect(await store.pullsOfManifest(app, first)).toEqual({ count: 11, lastAtMs });
      expect(await store.pullsOfManifest(app, second)).toEqual({
        count: 1,
        lastAtMs: startMs + 6,
      });
      expect(await store.pullsOfTag(app, tag)).toEqual({ count: 11, lastAtMs });
      const days = await store.pullsByDay(app, dayOf(startMs));
      expect(days[0]).toEqual({ day: 20_000, count: 3 });
      expect(days.slice(1).map((it) => it.count)).toEqual(Array(9).fill(1));
      expect(await store.pullsByDay(app, dayOf(startMs) + 8)).toHaveLength(2);
    });

    test("the last pulls of a whole repository are told, by tag and by digest", async () => {
      expect(await store.lastPullsOf(app)).toEqual([]);
      store.countPull({ repository: app, digest: first, tag, atMs: startMs });
      store.countPull({ repository: app, digest: first, tag, atMs: startMs + 5 });
      store.countPull({ repository: app, digest: first, atMs: startMs + 3 });
      store.countPull({ repository: app, digest: second, tag, atMs: startMs + 1 });
      store.countPull({ repository: nameOf(`${app}-x`), digest: first, atMs: startMs });
      await store.flush();
      const told = await store.lastPullsOf(app);
      expect(told).toHaveLength(3);
      expect(told).toContainEqual({ digest: first, tag, lastAtMs: startMs + 5 });
      expect(told).toContainEqual({ digest: first, lastAtMs: startMs + 3 });
      expect(told).toContainEqual({ digest: second, tag, lastAtMs: startMs + 1 });
    });

    test("when a tag left a manifest is told: moved away or removed, not pushed again", async () => {
      const third = digestOf("third");
      const events = [
        { repository: app, tag, after: first, atMs: startMs, by },
        { repository: app, tag, before: first, after: second, atMs: startMs + 1, by },
        { repository: app, tag, before: second, atMs: startMs + 2, by },
        { repository: app, tag: tagOf("a"), before: first, atMs: startMs + 3, by },
        { repository: app, tag: tagOf("b"), before: third, after: third, atMs: startMs, by },
        { repository: nameOf(`${app}-x`), tag, before: first, atMs: startMs + 9, by },
      ];
      for (const event of events) await store.recordTagEvent(event);
      expect(await store.lastUntaggedOf(app)).toEqual(
        new Map([
          [first, startMs + 3],
          [second, startMs + 2],
        ]),
      );
    });

    test("two processes count the same manifest", async () => {
      const other = await open();
      for (let index = 0; index < 50; index += 1) {
        store.countPull({ repository: app, digest: first, tag, atMs: startMs });
        other.countPull({ repository: app, digest: first, tag, atMs: startMs + 1 });
      }
      await Promise.all([store.flush(), other.close()]);
      expect(await store.pullsOfManifest(app, first)).toEqual({
        count: 100,
        lastAtMs: startMs + 1,
      });
    });

    test("failed pushes are kept, the newest only, and long texts are cut", async () => {
      const attempt = { repository: app, reason: "manifestInvalid", by, requestId: "r1" };
      const other = { ...attempt, repository: nameOf("noisy"), by: {} };
      store.noteAttempt({ ...attempt, atMs: 1 });
      store.noteAttempt({ ...attempt, atMs: 2, by: { client: "x".repeat(5_000) } });
      await store.flush();
      const [cut, whole] = await store.listAttempts({ repository: app, limit: 5 });
      expect(whole).toEqual({ ...attempt, atMs: 1, id: whole?.id ?? 0 });
      expect(cut?.by.client).toHaveLength(300);
      for (let index = 0; index < attemptsKept; index += 1) {
        store.noteAttempt({ ...other, atMs: 10 + index });
      }
      await store.flush();
      expect(await store.listAttempts({ repository: app, limit: 5 })).toEqual([]);
      expect(await store.listAttempts({ limit: 2 * attemptsKept })).toHaveLength(attemptsKept);
      const [newest] = await store.listAttempts({ limit: 1 });
      expect(newest?.atMs).toBe(9 + attemptsKept);
    });

    test("the audit log tells who did what", async () => {
      const entry = { atMs: startMs, by, action: "delete tag", target: `${app}:latest` };
      await store.recordAudit(entry);
      await store.recordAudit({ ...entry, atMs: startMs + 1, details: '{"digest":"x"}' });
      const [newest, older] = await store.listAudit({ limit: 2 });
      expect(newest?.details).toBe('{"digest":"x"}');
      expect(older).toEqual({ ...entry, id: older?.id ?? 0 });
      expect(await store.listAudit({ before: newest?.id ?? 0, limit: 1 })).toEqual(
        older === undefined ? [] : [older],
      );
    });

    test("closing writes what was collected", async () => {
      const other = await open();
      other.countPull({ repository: app, digest: first, atMs: startMs });
      const event = other.recordTagEvent({ repository: app, tag, after: first, atMs: 1, by });
      await other.close();
      await event;
      expect((await store.pullsOfManifest(app, first)).count).toBe(1);
      expect(await store.listTagEvents(app, { limit: 5 })).toHaveLength(1);
    });
  });
}
