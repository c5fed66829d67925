import { describe, expect, test } from "bun:test";
import type { Clock } from "../base/clock.ts";
import { type LogFields, type Logger, silentLogger } from "../base/logger.ts";
import { silentMetrics } from "../base/metrics.ts";
import { SharedLocks } from "../base/shared-lock.ts";
import { openMetadataStore } from "../metadata/sql-metadata-store.ts";
import { type Digest, digestOf } from "../oci/digest.ts";
import { nameOf } from "../oci/test-support.ts";
import { ManifestReader } from "../registry/manifest-reader.ts";
import { BlobStore } from "../storage/blob-store.ts";
import { MemoryStore } from "../storage/drivers/memory.ts";
import { blobKey, quarantinedBlobKey } from "../storage/layout.ts";
import { Quarantine } from "../storage/quarantine.ts";
import { Scrub, type ScrubRoundOptions, type ScrubState } from "./scrub.ts";

class SetClock implements Clock {
  ms = 1_800_000_000_000;
  nowMs(): number {
    return this.ms;
  }
  monotonicMs(): number {
    return this.ms;
  }
}

/** A store whose reads of some keys fail with a code, as a disk's do. */
class BadDisk extends MemoryStore {
  readonly failing = new Map<string, string>();
  reads = 0;

  override async *readStream(
    key: string,
    range: { start: number; end: number },
  ): AsyncGenerator<Uint8Array> {
    this.reads += 1;
    const code = this.failing.get(key);
    if (code !== undefined) throw Object.assign(new Error(`${code}: read`), { code });
    yield* super.readStream(key, range);
  }
}

const team = nameOf("team/app");
const bytesOf = (text: string): Uint8Array => new TextEncoder().encode(text);

async function rig() {
  const clock = new SetClock();
  const objects = new BadDisk(clock);
  const blobs = new BlobStore(objects);
  const reader = new ManifestReader(blobs);
  const locks = new SharedLocks();
  const metadata = await openMetadataStore({ kind: "sqlite", path: ":memory:" });
  const errors: (LogFields | undefined)[] = [];
  const logger: Logger = { ...silentLogger, error: (_, fields) => void errors.push(fields) };
  const count = silentMetrics.counter({ name: "", help: "" });
  const counters = { blobs: count, bytes: count, corrupt: count, unreadable: count };
  const quarantine = new Quarantine(objects);
  const scrub = new Scrub({
    ...{ blobs, reader, locks, metadata, clock, logger, counters, quarantine },
    sleep: async (delayMs) => void (clock.ms += delayMs),
  });
  const put = async (text: string): Promise<Digest> => {
    const digest = digestOf(text);
    await blobs.put(digest, bytesOf(text));
    return digest;
  };
  const round = (options: Partial<ScrubRoundOptions> = {}): Promise<ScrubState> =>
    scrub.round({
      bytesPerSecond: undefined,
      isNew: true,
      signal: new AbortController().signal,
      ...options,
    });
  return { clock, objects, blobs, reader, locks, metadata, errors, quarantine, scrub, put, round };
}

describe("a damaged blob", () => {
  for (const [name, damage] of [
    ["one bit flipped", "exbmple"],
    ["cut short", "exam"],
    ["emptied", ""],
    ["grown", "example and more"],
  ] as const) {
    test(`${name} is moved aside, and the log says whose it is`, async () => {
      const { objects, blobs, reader, metadata, errors, quarantine, put, round } = await rig();
      const digest = await put("example");
      const other = await put("another");
      await reader.bytes(digest);
      await metadata.recordBlob(team, { digest, sizeBytes: 7 });
      await objects.put(blobKey(digest), bytesOf(damage));
      expect(await round()).toMatchObject({ blobs: 2, corrupt: 1, unreadable: 0 });
      expect(await blobs.sizeOf(digest)).toBeUndefined();
      expect(await blobs.sizeOf(other)).toBe(7);
      expect(reader.has(digest)).toBe(false);
      expect(await quarantine.listBlobs()).toEqual([digest]);
      expect(errors).toHaveLength(1);
      expect(errors[0]).toMatchObject({
        digest,
        repositories: [team],
        movedTo: quarantinedBlobKey(digest),
      });
    });
  }

  test("that is pushed again has no damaged bytes left after the next round", async () => {
    const { objects, blobs, quarantine, put, round } = await rig();
    const digest = await put("example");
    await objects.put(blobKey(digest), bytesOf("exbmple"));
    await round();
    await put("example");
    expect(await round()).toMatchObject({ blobs: 1, corrupt: 0 });
    expect(await quarantine.listBlobs()).toEqual([]);
    expect(await blobs.sizeOf(digest)).toBe(7);
  });

  test("that is whole at the second look stays: it was being replaced", async () => {
    const { objects, blobs, locks, put, scrub, round } = await rig();
    const digest = await put("example");
    await objects.put(blobKey(digest), bytesOf("exbmple"));
    // A push holds the digest while the scrub sees the damage, and heals it.
    const { promise: seen, resolve: see } = Promise.withResolvers<void>();
    const { promise: pushed, resolve: push } = Promise.withResolvers<void>();
    const pushing = locks.shared(digest, async () => {
      await seen;
      await objects.put(blobKey(digest), bytesOf("example"));
      push();
    });
    const scrubbing = round({ onProgress: () => undefined });
    while (objects.reads === 0) await Promise.resolve();
    see();
    await Promise.all([pushing, pushed]);
    expect(await scrubbing).toMatchObject({ corrupt: 0 });
    expect(await blobs.sizeOf(digest)).toBe(7);
    expect(scrub.quarantined).toBe(0);
  });

  test("that is pushed again is not counted as one that waits", async () => {
    const { objects, scrub, put, round } = await rig();
    const digest = await put("good");
    await objects.put(blobKey(digest), bytesOf("bad!"));
    await round();
    await scrub.countQuarantined();
    expect(scrub.quarantined).toBe(1);
    await put("good");
    await scrub.countQuarantined();
    expect(scrub.quarantined).toBe(0);
  });
});

describe("a blob that cannot be read", () => {
  test("for want of descriptors stays where it is", async () => {
    const { objects, blobs, put, round, errors } = await rig();
    const digest = await put("example");
    objects.failing.set(blobKey(digest), "EMFILE");
    expect(await round()).toMatchObject({ corrupt: 0, unreadable: 1 });
    expect(await blobs.sizeOf(digest)).toBe(7);
    expect(errors).toHaveLength(1);
  });

  test("because the disk fails at it twice is moved aside, and comes back when it is whole", async () => {
    const { objects, blobs, put, round } = await rig();
    const digest = await put("example");
    for (const key of [blobKey(digest), quarantinedBlobKey(digest)]) {
      objects.failing.set(key, "EIO");
    }
    expect(await round()).toMatchObject({ unreadable: 1 });
    expect(await blobs.sizeOf(digest)).toBeUndefined();
    objects.failing.clear();
    await round();
    expect(await blobs.sizeOf(digest)).toBe(7);
  });

  test("beside many others ends the round: it is the disk", async () => {
    const { objects, put, round, blobs } = await rig();
    const digests = await Promise.all(["a", "b", "c", "d", "e"].map(put));
    for (const digest of digests) objects.failing.set(blobKey(digest), "EIO");
    expect(round()).rejects.toThrow("look at the disk");
    await round().catch(() => undefined);
    const left = await Promise.all(digests.map((digest) => blobs.sizeOf(digest)));
    expect(left.filter((size) => size !== undefined).length).toBeGreaterThan(0);
  });
});

describe("a round", () => {
  test("that is interrupted goes on behind the last blob, and a new one begins anew", async () => {
    const { put, round, scrub } = await rig();
    for (let index = 0; index < 20; index += 1) await put(`blob ${index}`);
    const ends = new AbortController();
    let looked = 0;
    const interrupted = await round({
      signal: ends.signal,
      bytesPerSecond: 1,
      onProgress: () => {
        looked += 1;
        if (looked === 7) ends.abort();
      },
    });
    expect(interrupted.finishedAtMs).toBeUndefined();
    expect(interrupted.blobs).toBeLessThan(20);
    expect(interrupted.blobs).toBeGreaterThan(2);
    expect(await scrub.state()).toEqual(interrupted);
    const whole = await round({ isNew: false });
    expect(whole.blobs).toBe(20);
    expect(whole.startedAtMs).toBe(interrupted.startedAtMs);
    expect((await round()).blobs).toBe(20);
  });

  test("takes as long as its rate says", async () => {
    const { clock, put, round } = await rig();
    for (let index = 0; index < 10; index += 1) await put(`${index}`.repeat(1_000));
    const startedMs = clock.ms;
    await round({ bytesPerSecond: 1_000 });
    expect(clock.ms - startedMs).toBe(9_800);
  });

  test("is due when the last one is older than the interval, also when the clock was set back", async () => {
    const { clock, round, scrub } = await rig();
    expect(await scrub.isDue(1_000)).toBe(true);
    await round();
    expect(await scrub.isDue(1_000)).toBe(false);
    clock.ms += 1_000;
    expect(await scrub.isDue(1_000)).toBe(true);
    clock.ms -= 86_400_000;
    expect(await scrub.isDue(1_000)).toBe(true);
  });

  test("ends the one that is under way", async () => {
    const { put, round } = await rig();
    for (let index = 0; index < 5; index += 1) await put(`blob ${index}`);
    const first = round({ bytesPerSecond: 1 });
    const second = round();
    expect((await first).finishedAtMs).toBeUndefined();
    expect(await second).toMatchObject({ blobs: 5 });
  });
});
