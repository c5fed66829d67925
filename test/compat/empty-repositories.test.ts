/** A repository that came to nothing leaves no folder, whatever ended it. */

import { afterEach, beforeEach, expect, test } from "bun:test";
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { systemClock } from "../../src/base/clock.ts";
import { silentLogger } from "../../src/base/logger.ts";
import { purgeStaleUploads } from "../../src/gc/stale-uploads.ts";
import { digestOf } from "../../src/oci/digest.ts";
import { nameOf } from "../../src/oci/test-support.ts";
import type { OpenRegistry } from "../../src/server/open-registry.ts";
import { configOf, openFolder, pushImage, runOn } from "./commanded-registry.ts";

let folder = "";
const open: OpenRegistry[] = [];

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "berth-empty-"));
});
afterEach(async () => {
  for (const opened of open.splice(0)) await opened.close();
  rmSync(folder, { recursive: true, force: true });
});

async function start(): Promise<OpenRegistry> {
  const opened = await openFolder(folder);
  open.push(opened);
  // The metadata agree: what ends from now on is not found by a start.
  await collect(opened);
  return opened;
}

const collect = (opened: OpenRegistry) => runOn(opened, configOf(folder), { name: "gc run" });
const repositories = () => {
  const root = join(folder, "docker/registry/v2/repositories");
  return existsSync(root) ? readdirSync(root) : [];
};

const signal = new AbortController().signal;
const name = nameOf("team/app");
const owner = "";
const begin = ({ registry }: OpenRegistry) =>
  registry.uploads.begin(name, { owner, algorithm: "sha256" });

const ends: readonly [string, (opened: OpenRegistry) => Promise<unknown>][] = [
  [
    "cancelled",
    async (opened) => {
      const { id } = await begin(opened);
      await opened.registry.uploads.cancel({ name, id, owner });
    },
  ],
  [
    "refused, because its digest differs",
    async (opened) => {
      const { id } = await begin(opened);
      const chunk = { source: new Blob(["other bytes"]).stream() };
      const finished = opened.registry.uploads.finish({ name, id, owner }, digestOf("some"), chunk);
      expect(finished).rejects.toMatchObject({ reason: "digestMismatch" });
      await finished.catch(() => undefined);
    },
  ],
  [
    "purged",
    async (opened) => {
      await begin(opened);
      const { adoption } = opened.registry;
      const onPurged = adoption.noteEndedUpload.bind(adoption);
      const parts = { ...opened, clock: systemClock, logger: silentLogger, onPurged };
      await purgeStaleUploads({ ...parts, ageMs: -1, isDryRun: false }, signal);
    },
  ],
];

for (const [how, end] of ends) {
  test(`a repository whose only upload was ${how} goes with the next round`, async () => {
    const opened = await start();
    await end(opened);
    expect(repositories()).toEqual(["team"]);
    await collect(opened);
    expect(repositories()).toEqual([]);
  });

  test(`one that has an image stays when an upload was ${how}`, async () => {
    const opened = await start();
    await pushImage(opened, { repository: "team/app", tag: "v1", layer: "layer" });
    await end(opened);
    await collect(opened);
    expect((await runOn(opened, configOf(folder), { name: "fsck" })).exit).toBe(0);
    expect(repositories()).toEqual(["team"]);
  });
}

test("an upload under way keeps the folders that another one has left", async () => {
  const opened = await start();
  const { id } = await begin(opened);
  await opened.registry.uploads.cancel({ name, id: (await begin(opened)).id, owner });
  await collect(opened);
  expect((await opened.registry.uploads.status({ name, id, owner })).offset).toBe(0);
});

test("folders of which a kill has removed only the inner ones go at the next start", async () => {
  const opened = await start();
  await opened.metadata.recordBlob(name, { digest: digestOf("gone"), sizeBytes: 4 });
  mkdirSync(join(folder, "docker/registry/v2/repositories/team/app"), { recursive: true });
  await opened.registry.adoption.run(signal);
  expect(repositories()).toEqual([]);
});
