/** fsck beside pushes and deletions: it reports none of them, and its repairs do them no harm. */

import { afterEach, beforeEach, expect, test } from "bun:test";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Digest, parseDigest } from "../../src/oci/digest.ts";
import { nameOf, tagOf } from "../../src/oci/test-support.ts";
import type { OpenRegistry } from "../../src/server/open-registry.ts";
import {
  configOf,
  findingsIn,
  openFolder,
  pushImage,
  referenceOf,
  runOn,
} from "./commanded-registry.ts";

const name = nameOf("team/app");
let folder = "";
let opened: OpenRegistry;

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), "berth-fsck-"));
  opened = await openFolder(folder);
  await opened.registry.adoption.run(new AbortController().signal);
  await pushImage(opened, { repository: "team/app", tag: "v1", layer: "layer" });
});
afterEach(async () => {
  await opened.close();
  rmSync(folder, { recursive: true, force: true });
});

async function fsck(values: { readonly repair?: boolean } = {}) {
  const outcome = await runOn(opened, configOf(folder), { name: "fsck", values });
  return { exit: outcome.exit, found: findingsIn(outcome) };
}

test("pushes and deletions under way are not reported", async () => {
  const ends = new AbortController();
  const pushing = (async () => {
    for (let round = 0; !ends.signal.aborted; round += 1) {
      await pushImage(opened, {
        repository: "team/app",
        tag: `t${round % 5}`,
        layer: `pushed ${round}`,
      });
      const tag = tagOf(`t${(round + 2) % 5}`);
      await opened.registry.manifests.remove(name, { kind: "tag", tag }, {}).catch(() => undefined);
    }
  })();
  const all: string[] = [];
  for (let run = 0; run < 20; run += 1) all.push(...(await fsck()).found);
  ends.abort();
  await pushing;
  expect(all.filter((line) => line.startsWith("error"))).toEqual([]);
  expect(await fsck()).toMatchObject({ exit: 0 });
});

test("a repair beside deletions of manifests removes nothing that lives, and brings nothing back", async () => {
  const { registry, context } = opened;
  const ends = new AbortController();
  const live = new Map<string, readonly string[]>();
  const deleted: Digest[] = [];
  const changing = (async () => {
    for (let round = 0; !ends.signal.aborted; round += 1) {
      const image = { repository: "team/app", tag: `t${round}`, layer: `layer ${round % 3}` };
      live.set(image.tag, await pushImage(opened, image));
      if (round < 4) continue;
      const old = `t${round - 4 + (round % 3)}`;
      const digest = parseDigest(live.get(old)?.[0] ?? "");
      if (digest === undefined) continue;
      live.delete(old);
      await registry.manifests.remove(name, { kind: "digest", digest }, {});
      deleted.push(digest);
    }
  })().finally(() => ends.abort());
  const all: string[] = [];
  while (deleted.length < 20 && !ends.signal.aborted) {
    all.push(...(await fsck({ repair: true })).found);
  }
  ends.abort();
  await changing;
  expect(all.filter((found) => !found.startsWith("notice"))).toEqual([]);
  for (const [tag, [manifest]] of live) {
    const pulled = await registry.manifests.pull(name, referenceOf(tag));
    expect(String(pulled.digest)).toBe(manifest ?? "");
  }
  for (const digest of deleted) {
    expect(await context.lookup.findManifest(name, digest)).toBeUndefined();
    expect(await context.links.readRevision(name, digest)).toBeUndefined();
  }
  expect((await fsck()).exit).toBe(0);
});
