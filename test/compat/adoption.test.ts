/** A directory that Distribution wrote, scars included, under Berth: served, adopted, verified. */

import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { systemClock } from "../../src/base/clock.ts";
import { silentLogger } from "../../src/base/logger.ts";
import { systemRandom } from "../../src/base/random.ts";
import { loadConfig } from "../../src/config/load.ts";
import { parseDigest } from "../../src/oci/digest.ts";
import { RegistryError } from "../../src/oci/problems.ts";
import { parseReference } from "../../src/oci/tag.ts";
import { nameOf } from "../../src/oci/test-support.ts";
import { verifyMetadata } from "../../src/registry/verification.ts";
import { type OpenRegistry, openConfiguredRegistry } from "../../src/server/open-registry.ts";
import { pushImage, runOn } from "./commanded-registry.ts";
import { DistributionTree, hexOf, manifestType } from "./distribution-tree.ts";

let folder = "";
let tree: DistributionTree;
const open: OpenRegistry[] = [];

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "berth-compat-"));
  tree = new DistributionTree(folder);
});
afterEach(async () => {
  for (const opened of open.splice(0)) await opened.close();
  rmSync(folder, { recursive: true, force: true });
});

const configText = () =>
  `version: 0.1\nstorage: {filesystem: {rootdirectory: ${folder}}, delete: {enabled: true}}\nhttp: {addr: "127.0.0.1:0"}`;

/** A registry on the tree, as it is in the first moment after its start. */
async function start(): Promise<OpenRegistry> {
  const { config } = loadConfig({ text: configText(), environment: {} });
  const parts = { clock: systemClock, random: systemRandom, logger: silentLogger };
  const opened = await openConfiguredRegistry(config, parts);
  open.push(opened);
  return opened;
}

async function stop(opened: OpenRegistry): Promise<void> {
  open.splice(open.indexOf(opened), 1);
  await opened.close();
}

async function adopt(opened: OpenRegistry): Promise<void> {
  await opened.registry.adoption.run(new AbortController().signal);
  expect(opened.registry.adoption.progress().isComplete).toBe(true);
}

const digestNamed = (text: string) => parseDigest(text) ?? expect.unreachable();

/** The digest that a tag or digest answers with, or the reason why it does not. */
async function pulled(
  { registry }: OpenRegistry,
  name: string,
  reference: string,
): Promise<string> {
  const parsed = parseReference(reference) ?? expect.unreachable();
  try {
    return (await registry.manifests.pull(nameOf(name), parsed)).digest;
  } catch (error) {
    if (error instanceof RegistryError) return error.reason;
    throw error;
  }
}

async function blob({ registry }: OpenRegistry, name: string, digest: string): Promise<string> {
  try {
    const content = await registry.blobs.find(nameOf(name), digestNamed(digest));
    return `${content.sizeBytes} bytes`;
  } catch (error) {
    if (error instanceof RegistryError) return error.reason;
    throw error;
  }
}

async function push({ registry }: OpenRegistry, name: string, bytes: Uint8Array): Promise<void> {
  await registry.manifests.push({
    name: nameOf(name),
    reference: parseReference("pushed") ?? expect.unreachable(),
    tags: [],
    bytes,
    contentType: manifestType,
    actor: {},
  });
}

/** Where a blob's bytes are. */
function dataOf(digest: string): string {
  return `blobs/sha256/${hexOf(digest).slice(0, 2)}/${hexOf(digest)}/data`;
}

async function tags({ registry }: OpenRegistry, name: string): Promise<readonly string[]> {
  return (await registry.tags.list(nameOf(name), { limit: 100 })).items;
}

async function differences(opened: OpenRegistry): Promise<string[]> {
  const found: string[] = [];
  for await (const entry of verifyMetadata(opened, opened.registry.adoption)) {
    found.push(`${entry.repository}: ${entry.difference}`);
  }
  return found;
}

/** Asked before the metadata agrees with the storage, and after: every answer has to be the same. */
async function beforeAndAfter<T>(ask: (opened: OpenRegistry) => Promise<T>): Promise<T> {
  const opened = await start();
  const before = await ask(opened);
  await adopt(opened);
  expect(await ask(opened)).toEqual(before);
  expect(await differences(opened)).toEqual([]);
  return before;
}

describe("a directory that Distribution wrote", () => {
  test("is served from the first moment, and the same when it is adopted", async () => {
    const v1 = tree.image("team/app", "one", ["v1", "latest"]);
    const v2 = tree.image("team/app", "two", ["v2"]);
    tree.image("team/app/nested", "three", ["v1"]);
    const layer = tree.layer("team/app", "one");
    const answers = await beforeAndAfter(async (opened) => ({
      tags: await tags(opened, "team/app"),
      pulled: [await pulled(opened, "team/app", "latest"), await pulled(opened, "team/app", v2)],
      blob: await blob(opened, "team/app", layer),
      foreign: await blob(opened, "team/app/nested", layer),
      catalog: (await opened.registry.catalog.list({ limit: 100 })).items,
    }));
    expect(answers).toEqual({
      tags: ["latest", "v1", "v2"],
      pulled: [v1, v2],
      blob: "3 bytes",
      foreign: "blobUnknown",
      catalog: ["team/app", "team/app/nested"],
    });
  });

  test("is served where it can be when it has the scars of real ones", async () => {
    const good = tree.image("team/app", "good", ["v1"]);
    const broken = tree.image("team/app", "its bytes are gone", ["gone"]);
    const missingLayer = tree.layer("team/app", "a layer whose bytes are gone");
    tree.tag("team/app", "dangling", `sha256:${"a".repeat(64)}`);
    const at = "repositories/team/app";
    tree.write(`${at}/_manifests/tags/empty/current/link`, "");
    tree.write(`${at}/_manifests/tags/garbage/current/link`, "not a digest at all");
    mkdirSync(tree.path(`${at}/_manifests/tags/no-link`), { recursive: true });
    tree.write(`${at}/_manifests/tags/stray-file`, "?");
    tree.write(`${at}/_manifests/tags/.DS_Store`, "?");
    tree.write(`${at}/_layers/sha256/lost+found/link`, "?");
    tree.write(`${at}/_layers/sha256/${"b".repeat(64)}/link`, "");
    tree.write(`${at}/_manifests/revisions/sha256/${"c".repeat(64)}/link`, "");
    tree.write(`${at}/_uploads/2019/startedat`, "yesterday");
    tree.write(`${at}/_uploads/00000000-0000-4000-8000-000000000000/data`, "old");
    tree.write("repositories/Upper_Case/_manifests/x", "?");
    tree.write("repositories/README.txt", "?");
    tree.write("blobs/sha256/zz/not-hex/data", "?");
    tree.write("blobs/md5/aa/x/data", "?");
    for (const digest of [broken, missingLayer]) {
      const hex = hexOf(digest);
      rmSync(tree.path(`blobs/sha256/${hex.slice(0, 2)}/${hex}`), { recursive: true });
    }
    const answers = await beforeAndAfter(async (opened) => ({
      v1: await pulled(opened, "team/app", "v1"),
      gone: await pulled(opened, "team/app", "gone"),
      dangling: await pulled(opened, "team/app", "dangling"),
      empty: await pulled(opened, "team/app", "empty"),
      garbage: await pulled(opened, "team/app", "garbage"),
      missingLayer: await blob(opened, "team/app", missingLayer),
      tags: await tags(opened, "team/app"),
      catalog: (await opened.registry.catalog.list({ limit: 100 })).items,
    }));
    expect(answers).toEqual({
      v1: good,
      gone: "manifestUnknown",
      dangling: "manifestUnknown",
      empty: "manifestUnknown",
      garbage: "manifestUnknown",
      missingLayer: "blobUnknown",
      tags: ["v1"],
      catalog: ["team/app"],
    });
  });

  test("that changed in other hands between two starts is seen as it is now", async () => {
    tree.image("team/app", "one", ["v1", "v2"]);
    tree.image("gone/app", "one", ["v1"]);
    const first = await start();
    await adopt(first);
    await stop(first);
    const newer = tree.image("team/app", "two", ["v1", "v3"]);
    rmSync(tree.path("repositories/team/app/_manifests/tags/v2"), { recursive: true });
    rmSync(tree.path("repositories/gone"), { recursive: true });
    const answers = await beforeAndAfter(async (opened) => ({
      v1: await pulled(opened, "team/app", "v1"),
      tags: await tags(opened, "team/app"),
      gone: await pulled(opened, "gone/app", "v1"),
      catalog: (await opened.registry.catalog.list({ limit: 100 })).items,
    }));
    expect(answers).toEqual({
      v1: newer,
      tags: ["v1", "v3"],
      gone: "manifestUnknown",
      catalog: ["team/app"],
    });
  });

  test("is not served what a broken-off deletion has taken the link of", async () => {
    const digest = tree.image("team/app", "one", []);
    const layer = tree.layer("team/app", "two");
    const first = await start();
    await adopt(first);
    await stop(first);
    const at = "repositories/team/app";
    rmSync(tree.path(`${at}/_manifests/revisions/sha256/${hexOf(digest)}/link`));
    rmSync(tree.path(`${at}/_layers/sha256/${hexOf(layer)}/link`));
    const answers = await beforeAndAfter(async (opened) => ({
      manifest: await pulled(opened, "team/app", digest),
      layer: await blob(opened, "team/app", layer),
    }));
    expect(answers).toEqual({ manifest: "manifestUnknown", layer: "blobUnknown" });
  });

  test("whose lost bytes come back by another repository has them again wherever a link is", async () => {
    const manifest = tree.image("one", "layer", ["v1"]);
    const bytes = readFileSync(tree.path(dataOf(manifest)));
    const { config } = JSON.parse(bytes.toString());
    const layer = tree.layer("two", "layer");
    tree.write(`repositories/two/_layers/sha256/${hexOf(config.digest)}/link`, config.digest);
    // Distribution's collection leaves such links to layers; a damaged disk leaves all kinds.
    for (const digest of [manifest, layer]) rmSync(tree.path(dataOf(digest)));
    const opened = await start();
    await adopt(opened);
    expect(await pulled(opened, "one", "v1")).toBe("manifestUnknown");
    expect(await blob(opened, "one", layer)).toBe("blobUnknown");

    await pushImage(opened, { repository: "three", tag: "x", layer: "layer" });
    expect(await blob(opened, "one", layer)).toBe("5 bytes");
    await push(opened, "two", bytes);
    expect(await pulled(opened, "one", "v1")).toBe(manifest);
    expect(await tags(opened, "one")).toEqual(["v1"]);

    await opened.registry.adoption.settleDoubts(new AbortController().signal);
    expect(opened.registry.adoption.progress().isComplete).toBe(true);
    expect(await blob(opened, "one", layer)).toBe("5 bytes");
    expect(await pulled(opened, "one", "v1")).toBe(manifest);
    expect(await differences(opened)).toEqual([]);
  });

  test("loses no image with every database that Berth made of it", async () => {
    const digest = tree.image("team/app", "one", ["v1"]);
    const first = await start();
    await adopt(first);
    await stop(first);
    rmSync(join(folder, "berth"), { recursive: true });
    expect(await beforeAndAfter((opened) => pulled(opened, "team/app", "v1"))).toBe(digest);
  });

  test("whose adoption was broken off is adopted by the next start", async () => {
    for (let number = 0; number < 30; number += 1) tree.image(`app-${number}`, "one", ["v1"]);
    const first = await start();
    const ends = new AbortController();
    const adopting = first.registry.adoption.run(ends.signal);
    while (first.registry.adoption.progress().checked < 3) await Bun.sleep(1);
    ends.abort();
    await adopting;
    expect(first.registry.adoption.progress().isComplete).toBe(false);
    await stop(first);
    const second = await start();
    await adopt(second);
    expect((await second.registry.catalog.list({ limit: 100 })).items).toHaveLength(30);
    expect(await differences(second)).toEqual([]);
  });
});

describe("the commands", () => {
  const berth = (...args: string[]) => {
    writeFileSync(join(folder, "config.yml"), configText());
    const main = new URL("../../src/main.ts", import.meta.url).pathname;
    const command = [process.execPath, main, ...args, join(folder, "config.yml")];
    const { exitCode, stdout } = Bun.spawnSync(command, { env: {}, stderr: "inherit" });
    return { exitCode, output: stdout.toString() };
  };

  test("verify says what differs and ends with 1, until rebuild has mended it", async () => {
    const digest = tree.image("team/app", "one", ["v1"]);
    const opened = await start();
    await adopt(opened);
    expect(berth("metadata", "verify")).toEqual({
      exitCode: 0,
      output: "the metadata agrees with the storage\n",
    });
    await opened.metadata.removeTag(nameOf("team/app"), "v1" as never);
    const found = berth("metadata", "verify");
    expect(found.exitCode).toBe(1);
    expect(found.output).toContain(
      `team/app: tag v1 is in the layout (${digest}) but not recorded`,
    );
    expect(berth("metadata", "rebuild").exitCode).toBe(0);
    expect(berth("metadata", "verify").exitCode).toBe(0);
    // The registry that ran beside all this sees it too.
    expect(await pulled(opened, "team/app", "v1")).toBe(digest);
  });

  test("rebuild in a server leaves it knowing who waits for bytes that are gone", async () => {
    const opened = await start();
    await adopt(opened);
    const image = { repository: "team/app", tag: "v1", layer: "shared" };
    const [, , layer = ""] = await pushImage(opened, image);
    await pushImage(opened, { ...image, repository: "other/app" });
    await opened.context.blobs.remove(digestNamed(layer));
    const { config } = loadConfig({ text: configText(), environment: {} });
    expect(await runOn(opened, config, { name: "metadata rebuild" })).toEqual({
      exit: 0,
      lines: ["2 repositories read again: the metadata agrees with the storage"],
    });
    expect(await blob(opened, "other/app", layer)).toBe("blobUnknown");
    await pushImage(opened, image);
    expect(await blob(opened, "other/app", layer)).toBe("6 bytes");
  });

  test("garbage-collect removes what Distribution's would, and the metadata follows", async () => {
    tree.image("team/app", "kept", ["v1"]);
    const untagged = tree.image("team/app", "untagged", []);
    const orphan = tree.layer("team/app", "orphan");
    expect(berth("garbage-collect", "--dry-run").output).toContain(orphan);
    expect(berth("garbage-collect", "-m", "-q").exitCode).toBe(0);
    const opened = await start();
    await adopt(opened);
    expect(await pulled(opened, "team/app", untagged)).toBe("manifestUnknown");
    expect(await blob(opened, "team/app", orphan)).toBe("blobUnknown");
    expect(await tags(opened, "team/app")).toEqual(["v1"]);
    expect(await differences(opened)).toEqual([]);
  });
});
