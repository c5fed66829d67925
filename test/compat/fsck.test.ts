/** A directory with every scar that fsck knows: found, told from what is harmless, and mended. */

import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { systemRandom } from "../../src/base/random.ts";
import { nameOf, tagOf } from "../../src/oci/test-support.ts";
import type { OpenRegistry } from "../../src/server/open-registry.ts";
import { configOf, findingsIn, openFolder, referenceOf, runOn } from "./commanded-registry.ts";
import { DistributionTree, hexOf, manifestType } from "./distribution-tree.ts";

let folder = "";
let tree: DistributionTree;
const open: OpenRegistry[] = [];

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "berth-fsck-"));
  tree = new DistributionTree(folder);
});
afterEach(async () => {
  for (const opened of open.splice(0)) await opened.close();
  rmSync(folder, { recursive: true, force: true });
});

async function start(): Promise<OpenRegistry> {
  const opened = await openFolder(folder);
  open.push(opened);
  return opened;
}

/** What `berth fsck` says of the registry: its exit code, and a word for each finding. */
async function fsck(
  opened: OpenRegistry,
  values: { readonly repair?: boolean; readonly deep?: boolean } = {},
): Promise<{ readonly exit: number; readonly found: readonly string[]; readonly last: string }> {
  const outcome = await runOn(opened, configOf(folder), { name: "fsck", values });
  return { exit: outcome.exit, found: findingsIn(outcome), last: outcome.lines.at(-1) ?? "" };
}

const link = (below: string) => tree.path(`repositories/team/app/${below}/link`);
const blobPath = (digest: string) =>
  tree.path(`blobs/sha256/${hexOf(digest).slice(0, 2)}/${hexOf(digest)}/data`);

const name = nameOf("team/app");
const pull = async (opened: OpenRegistry, text: string) =>
  (await opened.registry.manifests.pull(name, referenceOf(text))).digest;

test("a volume of Distribution's without scars is clean, also in depth", async () => {
  tree.image("team/app", "layer", ["v1", "latest"]);
  tree.image("other", "layer", ["v1"]);
  const opened = await start();
  expect(await fsck(opened, { deep: true })).toEqual({
    exit: 0,
    found: [],
    last: "clean, 0 notices",
  });
});

describe("what a crash leaves without harm is a notice", () => {
  const leftOvers: readonly [string, string, () => void][] = [
    ["blob-unlinked", "a blob that nobody links", () => void tree.bytes("nobody's")],
    [
      "tag-incomplete",
      "a tag that got no current link",
      () => {
        const digest = tree.image("team/app", "other", []);
        tree.write(
          `repositories/team/app/_manifests/tags/new/index/sha256/${hexOf(digest)}/link`,
          digest,
        );
      },
    ],
    [
      "stray-file",
      "a file that is no part of the layout",
      () => tree.write("repositories/team/app/_layers/sha256/notes.txt", ""),
    ],
    ["stray-file", "a file among the blobs", () => tree.write("blobs/sha256/ab/notes.txt", "")],
    [
      "empty-repository",
      "a repository with nothing in it",
      () => mkdirSync(tree.path("repositories/empty/_layers"), { recursive: true }),
    ],
    [
      "manifest-foreign",
      "a manifest of schema 1",
      () => {
        const digest = tree.bytes(JSON.stringify({ schemaVersion: 1, name: "old" }));
        tree.write(
          `repositories/team/app/_manifests/revisions/sha256/${hexOf(digest)}/link`,
          digest,
        );
      },
    ],
    [
      "size-wrong",
      "a manifest that is wrong about a size",
      () => {
        const layer = tree.layer("team/app", "sized");
        const digest = tree.bytes(
          JSON.stringify({
            schemaVersion: 2,
            mediaType: manifestType,
            config: { mediaType: "text/plain", digest: layer, size: 1 },
            layers: [],
          }),
        );
        tree.write(
          `repositories/team/app/_manifests/revisions/sha256/${hexOf(digest)}/link`,
          digest,
        );
      },
    ],
  ];
  for (const [code, what, leave] of leftOvers) {
    test(what, async () => {
      tree.image("team/app", "layer", ["v1"]);
      leave();
      const opened = await start();
      const { exit, found } = await fsck(opened);
      expect(found).toEqual([`notice ${code}`]);
      expect(exit).toBe(0);
    });
  }

  test("an unfinished upload and a folder without its link are nothing at all", async () => {
    const digest = tree.image("team/app", "layer", ["v1"]);
    mkdirSync(dirname(link(`_manifests/revisions/sha256/${"a".repeat(64)}`)), { recursive: true });
    tree.write(
      `repositories/team/app/_uploads/${systemRandom.uuid()}/startedat`,
      "2026-01-01T00:00:00Z",
    );
    const opened = await start();
    expect(await fsck(opened)).toMatchObject({ exit: 0, found: [] });
    expect(await pull(opened, "v1")).toBe(digest as never);
  });
});

describe("an emptied link", () => {
  for (const kind of ["layer", "revision", "tag"] as const) {
    test(`of a ${kind} is found, moved aside and written again`, async () => {
      const digest = tree.image("team/app", "layer", ["v1"]);
      const layer = tree.layer("team/app", "layer");
      const path = {
        layer: link(`_layers/sha256/${hexOf(layer)}`),
        revision: link(`_manifests/revisions/sha256/${hexOf(digest)}`),
        tag: link("_manifests/tags/v1/current"),
      }[kind];
      const before = readFileSync(path, "utf8");
      writeFileSync(path, "");
      const opened = await start();
      const code = kind === "tag" ? "tag-damaged" : "link-damaged";
      expect(await fsck(opened)).toMatchObject({ exit: 1, found: [`error ${code}`] });
      expect(readFileSync(path, "utf8")).toBe("");
      const repaired = await fsck(opened, { repair: true });
      expect(repaired.exit).toBe(0);
      expect(repaired.found).toContain(`mended ${code}`);
      expect(readFileSync(path, "utf8")).toBe(before);
      expect(await fsck(opened)).toMatchObject({ exit: 0, found: ["notice quarantined-link"] });
      expect(await pull(opened, "v1")).toBe(digest as never);
    });
  }

  test("of a tag that has moved is written again from what is recorded", async () => {
    const first = tree.image("team/app", "first", ["v1"]);
    const second = tree.image("team/app", "second", ["v1"]);
    const opened = await start();
    await opened.registry.adoption.run(new AbortController().signal);
    writeFileSync(link("_manifests/tags/v1/current"), "");
    expect(await fsck(opened, { repair: true })).toMatchObject({ exit: 0 });
    expect(readFileSync(link("_manifests/tags/v1/current"), "utf8")).toBe(second);
    expect(first).not.toBe(second);
  });

  test("of a tag that nothing tells the target of stays as it is, and is an error", async () => {
    tree.image("team/app", "first", ["v1"]);
    tree.image("team/app", "second", ["v1"]);
    writeFileSync(link("_manifests/tags/v1/current"), "");
    const opened = await start();
    expect(await fsck(opened, { repair: true })).toMatchObject({
      exit: 1,
      found: ["error tag-damaged"],
    });
    expect(existsSync(link("_manifests/tags/v1/current"))).toBe(true);
  });

  test("of a tag that was deleted does not bring it back", async () => {
    const digest = tree.image("team/app", "layer", ["v1"]);
    const opened = await start();
    await opened.registry.adoption.run(new AbortController().signal);
    const tag = tagOf("v1");
    await opened.registry.manifests.remove(name, { kind: "tag", tag }, {});
    // A power cut can bring the folder back, but for its link.
    tree.write(
      `repositories/team/app/_manifests/tags/v1/index/sha256/${hexOf(digest)}/link`,
      digest,
    );
    expect(await fsck(opened, { repair: true })).toMatchObject({
      found: ["notice tag-incomplete"],
    });
    expect(existsSync(link("_manifests/tags/v1/current"))).toBe(false);
  });
});

describe("what is lost", () => {
  test("is an error until the image is pushed again: a layer's bytes", async () => {
    tree.image("team/app", "layer", ["v1"]);
    const layer = tree.layer("team/app", "layer");
    rmSync(blobPath(layer));
    const opened = await start();
    expect(await fsck(opened)).toMatchObject({ exit: 1, found: ["error bytes-missing"] });
    expect(await fsck(opened, { repair: true })).toMatchObject({
      exit: 1,
      found: ["error bytes-missing"],
    });
    tree.bytes("layer");
    expect(await fsck(opened, { repair: true })).toMatchObject({ exit: 0 });
    expect(await fsck(opened)).toMatchObject({ exit: 0, found: [] });
  });

  test("a manifest's bytes, with the tag that leads to it", async () => {
    const digest = tree.image("team/app", "layer", ["v1"]);
    rmSync(blobPath(digest));
    const opened = await start();
    expect(await fsck(opened)).toMatchObject({ exit: 1, found: ["error bytes-missing"] });
  });

  test("a layer's link and bytes", async () => {
    tree.image("team/app", "layer", ["v1"]);
    const layer = tree.layer("team/app", "layer");
    rmSync(blobPath(layer));
    rmSync(link(`_layers/sha256/${hexOf(layer)}`));
    const opened = await start();
    expect(await fsck(opened)).toMatchObject({ exit: 1, found: ["error reference-missing"] });
  });

  test("is nothing that anybody misses: what Distribution's garbage-collect leaves", async () => {
    const layer = tree.layer("team/app", "collected");
    rmSync(blobPath(layer));
    const opened = await start();
    const values = { folder: `${folder}-backup` };
    const backUp = () => runOn(opened, configOf(folder), { name: "backup", values });
    // Somebody who has pushed it a moment ago may be about to push the manifest.
    expect(await fsck(opened)).toMatchObject({ exit: 1, found: ["error bytes-missing"] });
    expect((await backUp()).exit).toBe(1);
    const twoDaysAgo = Date.now() / 1_000 - 2 * 86_400;
    utimesSync(link(`_layers/sha256/${hexOf(layer)}`), twoDaysAgo, twoDaysAgo);
    expect(await fsck(opened)).toMatchObject({ exit: 0, found: ["notice link-unneeded"] });
    expect((await backUp()).exit).toBe(0);
    rmSync(values.folder, { recursive: true });
    expect(await fsck(opened, { repair: true })).toMatchObject({
      exit: 0,
      found: ["mended link-unneeded", "notice quarantined-link"],
    });
  });

  test("a link that nothing needs, to bytes that are gone, is moved aside", async () => {
    tree.image("team/app", "layer", ["v1"]);
    rmSync(blobPath(tree.layer("team/app", "idle")));
    const opened = await start();
    expect(await fsck(opened)).toMatchObject({ exit: 1, found: ["error bytes-missing"] });
    expect(await fsck(opened, { repair: true })).toMatchObject({
      exit: 0,
      found: ["mended bytes-missing", "notice quarantined-link"],
    });
    expect(await fsck(opened)).toMatchObject({ exit: 0, found: ["notice quarantined-link"] });
  });
});

describe("what can be found again is mended", () => {
  test("a layer without its link, and a tag whose manifest has none", async () => {
    const digest = tree.image("team/app", "layer", ["v1"]);
    const layer = tree.layer("team/app", "layer");
    rmSync(dirname(link(`_layers/sha256/${hexOf(layer)}`)), { recursive: true });
    const opened = await start();
    expect(await fsck(opened)).toMatchObject({ exit: 1, found: ["error reference-unlinked"] });
    rmSync(dirname(link(`_manifests/revisions/sha256/${hexOf(digest)}`)), { recursive: true });
    expect((await fsck(opened)).found).toContain("error tag-dangling");
    expect((await fsck(opened, { repair: true })).found).toContain("mended tag-dangling");
    expect(await fsck(opened, { repair: true })).toMatchObject({ exit: 0 });
    expect(await fsck(opened)).toMatchObject({ exit: 0, found: [] });
    expect(await pull(opened, "v1")).toBe(digest as never);
  });

  test("metadata that says something else", async () => {
    const digest = tree.image("team/app", "layer", ["v1"]);
    const opened = await start();
    await opened.registry.adoption.run(new AbortController().signal);
    tree.tag("team/app", "v2", digest);
    rmSync(tree.path("repositories/team/app/_manifests/tags/v1"), { recursive: true });
    expect(await fsck(opened)).toMatchObject({ exit: 1, found: ["error metadata-differs"] });
    expect(await fsck(opened, { repair: true })).toMatchObject({ exit: 0 });
    expect(await fsck(opened)).toMatchObject({ exit: 0, found: [] });
    expect(await pull(opened, "v2")).toBe(digest as never);
  });

  test("metadata of a repository that is gone", async () => {
    tree.image("team/app", "layer", ["v1"]);
    tree.image("other", "layer", ["v1"]);
    const opened = await start();
    await opened.registry.adoption.run(new AbortController().signal);
    rmSync(tree.path("repositories/team"), { recursive: true });
    expect((await fsck(opened)).found).toContain("error metadata-differs");
    expect(await fsck(opened, { repair: true })).toMatchObject({ exit: 0 });
    expect(await fsck(opened)).toMatchObject({ exit: 0 });
  });
});

describe("damaged bytes", () => {
  test("of a manifest are found without --deep, and moved aside by --repair", async () => {
    const digest = tree.image("team/app", "layer", ["v1"]);
    const text = readFileSync(blobPath(digest), "utf8");
    writeFileSync(blobPath(digest), text.replace("linux", "linus").replace("layer", "lazer"));
    const damaged = readFileSync(blobPath(digest), "utf8");
    writeFileSync(blobPath(digest), damaged === text ? text.replace("2", "3") : damaged);
    const opened = await start();
    expect((await fsck(opened)).found).toContain("error blob-corrupt");
    expect(existsSync(blobPath(digest))).toBe(true);
    expect(await fsck(opened, { repair: true })).toMatchObject({ exit: 1 });
    expect(existsSync(blobPath(digest))).toBe(false);
    expect(pull(opened, "v1")).rejects.toThrow();
    expect(opened.registry.manifests.stat(name, referenceOf("v1"))).rejects.toThrow();
  });

  test("of a manifest that nobody could record are still the repository's", async () => {
    const digest = tree.image("team/app", "layer", ["v1"]);
    writeFileSync(blobPath(digest), "x");
    expect((await fsck(await start())).found).toEqual(["error blob-corrupt"]);
  });

  test("that nobody pushes again are listed with the file to delete, and who needs them", async () => {
    tree.image("team/app", "layer", ["v1"]);
    const needed = tree.layer("team/app", "layer");
    const idle = tree.layer("team/app", "idle");
    const opened = await start();
    for (const digest of [needed, idle]) writeFileSync(blobPath(digest), "damaged");
    const run = (command: string) => runOn(opened, configOf(folder), { name: command });
    const scrubbed = await run("scrub");
    expect(scrubbed.exit).toBe(1);
    const file = (digest: string) => join(folder, "berth/quarantine/sha256", hexOf(digest));
    const [ofNeeded, ofIdle] = [
      `  ${needed}  waits for a push to team/app; if nobody has it any more: rm ${file(needed)}`,
      `  ${idle}  nothing needs it any more: rm ${file(idle)}`,
    ];
    for (const { lines } of [scrubbed, await run("scrub status")]) {
      expect(lines).toContain(ofNeeded);
      expect(lines).toContain(ofIdle);
    }
    const checked = (await run("fsck")).lines.filter((line) => line.includes("quarantined-blob"));
    expect(checked).toHaveLength(2);
    for (const digest of [needed, idle]) {
      const key = `berth/quarantine/sha256/${hexOf(digest)}`;
      expect(checked.some((line) => line.startsWith("notice") && line.includes(key))).toBe(true);
    }
    for (const digest of [needed, idle]) rmSync(file(digest));
    expect((await run("scrub status")).lines).toContain("nothing is in quarantine");
  });

  test("of a layer with its size are found with --deep only; with another size, always", async () => {
    tree.image("team/app", "layer", ["v1"]);
    const layer = tree.layer("team/app", "layer");
    const opened = await start();
    writeFileSync(blobPath(layer), "lAyer");
    expect(await fsck(opened)).toMatchObject({ exit: 0, found: [] });
    expect(await fsck(opened, { deep: true })).toMatchObject({
      exit: 1,
      found: ["error blob-corrupt"],
    });
    writeFileSync(blobPath(layer), "lay");
    expect((await fsck(opened)).found).toContain("error blob-corrupt");
  });
});
