import { describe, expect, test } from "bun:test";
import { mkdirSync, mkdtempSync, readdirSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Clock } from "../base/clock.ts";
import { silentLogger } from "../base/logger.ts";
import { systemRandom } from "../base/random.ts";
import { digestOf } from "../oci/digest.ts";
import { nameOf } from "../oci/test-support.ts";
import { FilesystemStore } from "../storage/drivers/filesystem.ts";
import { MemoryStore } from "../storage/drivers/memory.ts";
import { nodeFileSystem } from "../storage/drivers/node-file-system.ts";
import { LinkStore } from "../storage/link-store.ts";
import type { ObjectStore } from "../storage/object-store.ts";
import { UploadStore } from "../storage/upload-store.ts";
import { type PurgeResult, purgeStaleUploads } from "./stale-uploads.ts";

const dayMs = 86_400_000;

/** A clock that a test sets. */
class SetClock implements Clock {
  ms = 1_800_000_000_000;
  nowMs(): number {
    return this.ms;
  }
  monotonicMs(): number {
    return this.ms;
  }
}

function storesOn(objects: ObjectStore, clock: Clock) {
  const links = new LinkStore(objects, silentLogger);
  const uploads = new UploadStore({ objects, clock, random: systemRandom });
  const purge = (options: { readonly ageMs: number; readonly isDryRun?: boolean }) =>
    purgeStaleUploads(
      { links, uploads, clock, logger: silentLogger, isDryRun: false, ...options },
      new AbortController().signal,
    );
  return { links, uploads, purge };
}

const foo = nameOf("foo");
const deep = nameOf("a/b/c");

const owner = { owner: "", algorithm: "sha256" } as const;

describe("uploads without a sign of life", () => {
  async function begun() {
    const clock = new SetClock();
    const stores = storesOn(new MemoryStore(clock), clock);
    const old = await stores.uploads.begin(foo, owner);
    const active = await stores.uploads.begin(deep, owner);
    clock.ms += 8 * dayMs;
    await stores.uploads.append(active, new Blob(["more"]).stream());
    const young = await stores.uploads.begin(foo, owner);
    return { ...stores, clock, old, active, young, isThere: existence(stores.uploads) };
  }

  function existence(uploads: UploadStore) {
    return async (session: Awaited<ReturnType<UploadStore["begin"]>>): Promise<boolean> =>
      (await uploads.find(session.repository, session.id)) !== undefined;
  }

  test("none are old enough: all stay", async () => {
    const { purge, old, isThere } = await begun();
    expect(await purge({ ageMs: 9 * dayMs })).toEqual({ kept: 3, purged: 0 });
    expect(await isThere(old)).toBe(true);
  });

  test("those go that are older than the age; one that is written to stays, however old", async () => {
    const { purge, old, active, young, isThere } = await begun();
    expect(await purge({ ageMs: 7 * dayMs })).toEqual({ kept: 2, purged: 1 });
    expect(await isThere(old)).toBe(false);
    expect(await isThere(active)).toBe(true);
    expect(await isThere(young)).toBe(true);
  });

  test("all go, when all are old", async () => {
    const { purge, clock, active, isThere } = await begun();
    clock.ms += 30 * dayMs;
    expect(await purge({ ageMs: 7 * dayMs })).toEqual({ kept: 0, purged: 3 });
    expect(await isThere(active)).toBe(false);
  });

  test("a dry run counts and removes nothing", async () => {
    const { purge, old, isThere } = await begun();
    expect(await purge({ ageMs: 7 * dayMs, isDryRun: true })).toEqual({ kept: 2, purged: 1 });
    expect(await isThere(old)).toBe(true);
  });

  test("a clock that was set back costs nobody an upload", async () => {
    const { purge, clock, young, isThere } = await begun();
    clock.ms -= 365 * dayMs;
    expect(await purge({ ageMs: 7 * dayMs })).toEqual({ kept: 3, purged: 0 });
    expect(await isThere(young)).toBe(true);
  });
});

test("the purge takes what real volumes have: no start time, odd names, files and links", async () => {
  const rootFolder = mkdtempSync(join(tmpdir(), "berth-purge-"));
  try {
    const clock = new SetClock();
    const options = { rootFolder, durability: "none", fileSystem: nodeFileSystem } as const;
    const objects = await FilesystemStore.open({ ...options, clock, random: systemRandom });
    const { purge } = storesOn(objects, clock);
    const uploads = join(rootFolder, "docker/registry/v2/repositories/foo/_uploads");
    const [empty, dated] = [crypto.randomUUID(), crypto.randomUUID()];
    mkdirSync(join(uploads, empty), { recursive: true });
    mkdirSync(join(uploads, dated, "hashstates/sha256"), { recursive: true });
    writeFileSync(join(uploads, dated, "startedat"), "nonsense");
    for (const name of ["not-an-id", ".hidden", "é", "-rf"]) mkdirSync(join(uploads, name));
    writeFileSync(join(uploads, "a file"), digestOf(""));
    symlinkSync("/nowhere", join(uploads, "dangling"));
    clock.ms = Date.now() + 30 * dayMs;
    const result: PurgeResult = await purge({ ageMs: 7 * dayMs });
    expect(result).toEqual({ kept: 0, purged: 2 });
    expect(readdirSync(uploads).sort()).toEqual(
      ["-rf", ".hidden", "a file", "dangling", "not-an-id", "é"].sort(),
    );
  } finally {
    rmSync(rootFolder, { recursive: true, force: true });
  }
});
