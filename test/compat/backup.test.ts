/** A backup of a registry at work is a registry; what is restored from it is the same one. */

import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { systemClock } from "../../src/base/clock.ts";
import { silentLogger } from "../../src/base/logger.ts";
import type { Digest } from "../../src/oci/digest.ts";
import { nameOf, tagOf } from "../../src/oci/test-support.ts";
import { newCounts } from "../../src/server/backup/copy-repository.ts";
import { type RestoreOptions, restoreBackup } from "../../src/server/backup/restore.ts";
import { startControlSocket } from "../../src/server/control-socket.ts";
import type { OpenRegistry } from "../../src/server/open-registry.ts";
import { holdRoot } from "../../src/server/root-owner.ts";
import { blobKey } from "../../src/storage/layout.ts";
import { layoutFiles } from "../support/registry-snapshot.ts";
import {
  type CommandOutcome,
  configOf,
  findingsIn,
  openFolder,
  pushImage,
  referenceOf,
  runOn,
  worksOf,
} from "./commanded-registry.ts";

let folder = "";
let registryFolder = "";
let backupFolder = "";
const open: OpenRegistry[] = [];

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "berth-backup-"));
  registryFolder = join(folder, "registry");
  backupFolder = join(folder, "backup");
});
afterEach(async () => {
  for (const opened of open.splice(0)) await opened.close();
  rmSync(folder, { recursive: true, force: true });
});

async function start(root = registryFolder): Promise<OpenRegistry> {
  const opened = await openFolder(root);
  open.push(opened);
  return opened;
}

function backUp(
  opened: OpenRegistry,
  values: { readonly fullCopy?: boolean } = {},
  call: { readonly signal?: AbortSignal } = {},
): Promise<CommandOutcome> {
  const all = { folder: backupFolder, ...values };
  return runOn(opened, configOf(registryFolder), { name: "backup", values: all, ...call });
}

async function fsck(root: string): Promise<readonly string[]> {
  const opened = await openFolder(root);
  try {
    const values = { deep: true };
    return findingsIn(await runOn(opened, configOf(root), { name: "fsck", values }));
  } finally {
    await opened.close();
  }
}

const restoredFolder = () => join(folder, "restored");
async function restore(options: Partial<RestoreOptions> = {}) {
  const counts = newCounts();
  await restoreBackup(configOf(restoredFolder()), {
    ...{ folder: backupFolder, counts },
    allowsIncomplete: false,
    signal: new AbortController().signal,
    print: () => undefined,
    ...options,
  });
  return counts;
}

const pathOf = (root: string, digest: string) => join(root, blobKey(digest as Digest));

for (const fullCopy of [false, true]) {
  test(`${fullCopy ? "a full copy" : "a copy by links"} holds everything, and so does what is restored`, async () => {
    const opened = await start();
    const image = { repository: "team/app", layer: "layer" };
    const [digest, , layer = ""] = await pushImage(opened, { ...image, tag: "v1" });
    await pushImage(opened, { ...image, tag: "v2", layer: "other" });
    await pushImage(opened, { repository: "deep/er/app", tag: "v1", layer: "layer" });
    const { exit } = await backUp(opened, { fullCopy });
    expect(exit).toBe(0);
    expect(layoutFiles(backupFolder)).toEqual(layoutFiles(registryFolder));
    const inodes = [registryFolder, backupFolder].map((root) => statSync(pathOf(root, layer)).ino);
    expect(inodes[0] === inodes[1]).toBe(!fullCopy);

    const counts = await restore();
    expect(counts).toMatchObject({ repositories: 2, tags: 3, manifests: 3, broken: 0 });
    expect(layoutFiles(restoredFolder())).toEqual(layoutFiles(registryFolder));
    expect(await fsck(restoredFolder())).toEqual([]);
    const restored = await start(restoredFolder());
    await restored.registry.adoption.run(new AbortController().signal);
    const name = nameOf("team/app");
    expect((await restored.registry.manifests.pull(name, referenceOf("v1"))).digest).toBe(
      digest as Digest,
    );
    // When it was pushed, and its history, come along.
    const events = await restored.activity.listTagEvents(name, { limit: 10 });
    expect(events).toHaveLength(2);
    const link = "docker/registry/v2/repositories/team/app/_manifests/tags/v1/current/link";
    const times = [registryFolder, restoredFolder()].map(
      (root) => statSync(join(root, link)).mtimeMs,
    );
    expect(Math.round(times[0] ?? 0)).toBe(Math.round(times[1] ?? 1));
  });
}

test("what collection has moved to the trash is not broken: it is left out without a word", async () => {
  const opened = await start();
  const [, , needed = ""] = await pushImage(opened, {
    repository: "team/app",
    tag: "v1",
    layer: "needed",
  });
  const manifest = await pushImage(opened, { repository: "team/app", tag: "v2", layer: "garbage" });
  const [digest, config, layer] = manifest.map((text) => text as Digest);
  const name = nameOf("team/app");
  if (digest === undefined || config === undefined || layer === undefined) expect.unreachable();
  await opened.registry.manifests.remove(name, { kind: "digest", digest }, {});
  await opened.context.blobs.trash([config, layer]);
  const { exit, lines } = await backUp(opened);
  expect(lines.join("\n")).not.toContain("at the source");
  expect(exit).toBe(0);
  expect(existsSync(pathOf(backupFolder, layer))).toBe(false);
  expect((await fsck(backupFolder)).filter((line) => line.startsWith("error"))).toEqual([]);
  // One that a manifest needs is broken all the same.
  await opened.context.blobs.trash([needed as Digest]);
  rmSync(backupFolder, { recursive: true });
  const broken = await backUp(opened);
  expect(broken.lines.join("\n")).toContain("1 blob is broken at the source");
  expect(broken.exit).toBe(1);
});

describe("a second backup", () => {
  test("gives no good copy up for a second name of damaged bytes", async () => {
    const opened = await start();
    const image = { repository: "team/app", tag: "v1", layer: "layer" };
    const [, , layer = ""] = await pushImage(opened, image);
    await backUp(opened, { fullCopy: true });
    writeFileSync(pathOf(registryFolder, layer), "lajer");
    await backUp(opened);
    expect(readFileSync(pathOf(backupFolder, layer), "utf8")).toBe("layer");
  });

  test("copies what is new, and takes away what was deleted", async () => {
    const opened = await start();
    const image = { repository: "team/app", layer: "first" };
    await pushImage(opened, { ...image, tag: "v1" });
    await pushImage(opened, { repository: "gone", tag: "v1", layer: "gone" });
    await backUp(opened, { fullCopy: true });
    await pushImage(opened, { ...image, tag: "v2", layer: "second" });
    const tag = tagOf("v1");
    await opened.registry.manifests.remove(nameOf("team/app"), { kind: "tag", tag }, {});
    await opened.links.removeRepository(nameOf("gone"));
    await opened.metadata.removeRepository(nameOf("gone"));
    const { lines } = await backUp(opened, { fullCopy: true });
    // Config, layer and manifest of v2.
    expect(lines.join("\n")).toContain("3 copied");
    expect(
      Object.keys(layoutFiles(backupFolder)).filter((path) => path.includes("/tags/")),
    ).toEqual(Object.keys(layoutFiles(registryFolder)).filter((path) => path.includes("/tags/")));
    expect(existsSync(join(backupFolder, "docker/registry/v2/repositories/gone/_manifests"))).toBe(
      false,
    );
    expect((await fsck(backupFolder)).filter((line) => line.startsWith("error"))).toEqual([]);
  });

  test("takes the second name away where a copy is asked for", async () => {
    const opened = await start();
    const image = { repository: "team/app", tag: "v1", layer: "layer" };
    const [, , layer = ""] = await pushImage(opened, image);
    const areOne = () =>
      statSync(pathOf(registryFolder, layer)).ino === statSync(pathOf(backupFolder, layer)).ino;
    await backUp(opened);
    expect(areOne()).toBe(true);
    await backUp(opened, { fullCopy: true });
    expect(areOne()).toBe(false);
    await backUp(opened);
    expect(areOne()).toBe(true);
  });

  test("keeps what the source has lost since, and says so when there is no copy of it", async () => {
    const opened = await start();
    const [, , layer = ""] = await pushImage(opened, {
      repository: "team/app",
      tag: "v1",
      layer: "layer",
    });
    await backUp(opened, { fullCopy: true });
    rmSync(pathOf(registryFolder, layer));
    writeFileSync(
      join(
        registryFolder,
        "docker/registry/v2/repositories/team/app/_manifests/tags/v1/current/link",
      ),
      "",
    );
    expect((await backUp(opened, { fullCopy: true })).exit).toBe(0);
    expect(readFileSync(pathOf(backupFolder, layer), "utf8")).toBe("layer");
    expect(await fsck(backupFolder)).toEqual([]);
    const [, , lost = ""] = await pushImage(opened, {
      repository: "team/app",
      tag: "v2",
      layer: "lost",
    });
    writeFileSync(pathOf(registryFolder, lost), "lust");
    const { exit, lines } = await backUp(opened, { fullCopy: true });
    expect(exit).toBe(1);
    expect(lines.join("\n")).toContain(lost);
    expect(existsSync(pathOf(backupFolder, lost))).toBe(false);
  });
});

test("pushes and deletions during a backup never leave a link to nothing in it", async () => {
  const opened = await start();
  for (let index = 0; index < 20; index += 1) {
    await pushImage(opened, {
      repository: `r${index % 4}`,
      tag: `t${index}`,
      layer: `layer ${index}`,
    });
  }
  const ends = new AbortController();
  const changing = (async () => {
    for (let round = 0; !ends.signal.aborted; round += 1) {
      const repository = `r${round % 4}`;
      await pushImage(opened, { repository, tag: `t${round % 7}`, layer: `changed ${round}` });
      await deleteWithBytes(opened, repository, `t${(round + 3) % 7}`);
    }
  })();
  try {
    for (let run = 0; run < 6; run += 1) {
      const { exit, lines } = await backUp(opened, { fullCopy: true });
      expect(lines.join("\n")).not.toContain("broken");
      expect(exit).toBe(0);
      expect((await fsck(backupFolder)).filter((line) => line.startsWith("error"))).toEqual([]);
    }
  } finally {
    ends.abort();
    await changing;
  }
}, 60_000);

/** Deletes a tag's manifest, and at once the layer that nothing else needs, as a collection would. */
async function deleteWithBytes(opened: OpenRegistry, repository: string, tag: string) {
  const { registry, links, context, metadata } = opened;
  const name = nameOf(repository);
  const found = await registry.manifests.stat(name, referenceOf(tag)).catch(() => undefined);
  if (found === undefined) return;
  const { manifest } = (await context.reader.parsed(found.digest)) ?? expect.unreachable();
  await registry.manifests.remove(name, { kind: "digest", digest: found.digest }, {});
  for (const { digest } of manifest.layers) {
    await links.removeLayer(name, digest);
    await metadata.removeBlob(name, digest);
    await context.blobs.remove(digest);
  }
  await context.blobs.remove(found.digest);
}

test("a backup that was interrupted anywhere is whole in itself, and the next one goes on", async () => {
  const opened = await start();
  for (let index = 0; index < 12; index += 1) {
    await pushImage(opened, {
      repository: `r${index % 3}`,
      tag: `t${index}`,
      layer: `layer ${index}`,
    });
  }
  let interruptions = 0;
  for (let looks = 1; looks < 400; looks = Math.ceil(looks * 1.5)) {
    const signal = abortedAtLook(looks);
    const outcome = await backUp(opened, { fullCopy: true }, { signal }).catch(() => "interrupted");
    // Before anything was copied there is no backup to speak of.
    if (!existsSync(join(backupFolder, "berth", "backup.json"))) continue;
    if (outcome === "interrupted") interruptions += 1;
    expect((await fsck(backupFolder)).filter((line) => line.startsWith("error"))).toEqual([]);
    if (outcome === "interrupted") expect(restore()).rejects.toThrow("did not end");
  }
  expect(interruptions).toBeGreaterThan(5);
  expect((await backUp(opened)).exit).toBe(0);
  expect(layoutFiles(backupFolder)).toEqual(layoutFiles(registryFolder));
}, 60_000);

/** A signal that is aborted when it is looked at for the nth time. */
function abortedAtLook(count: number): AbortSignal {
  const ends = new AbortController();
  const { signal } = ends;
  const look = signal.throwIfAborted.bind(signal);
  let left = count;
  signal.throwIfAborted = () => {
    left -= 1;
    if (left === 0) ends.abort(new Error("interrupted"));
    look();
  };
  return signal;
}

describe("is refused", () => {
  test("a backup into a folder with something else in it, or into the registry's own", async () => {
    const opened = await start();
    mkdirSync(backupFolder);
    writeFileSync(join(backupFolder, "letters.txt"), "");
    expect(backUp(opened)).rejects.toThrow("neither empty nor a backup");
    backupFolder = join(backupFolder, "letters.txt");
    expect(backUp(opened)).rejects.toThrow("is a file: name a folder");
    backupFolder = join(registryFolder, "backup");
    expect(backUp(opened)).rejects.toThrow("lie in each other");
    backupFolder = folder;
    expect(backUp(opened)).rejects.toThrow("lie in each other");
  });

  test("a second backup into the same folder at the same time, and a server on that folder", async () => {
    const opened = await start();
    await pushImage(opened, { repository: "app", tag: "v1", layer: "layer" });
    const outcomes = await Promise.allSettled([backUp(opened), backUp(opened)]);
    const done = outcomes.filter((it) => it.status === "fulfilled").map((it) => it.value.exit);
    const refused = outcomes.filter((it) => it.status === "rejected").map((it) => it.reason);
    expect(done).toEqual([0]);
    expect(String(refused[0])).toContain("another backup is going on in");
    const server = holdRoot(backupFolder, { clock: systemClock, logger: silentLogger });
    expect(backUp(opened)).rejects.toThrow("or a registry serves it");
    server.release();
    expect((await backUp(opened)).exit).toBe(0);
    expect(await fsck(backupFolder)).toEqual([]);
  });

  test("a backup goes on where one was killed before it had written anything", async () => {
    const opened = await start();
    mkdirSync(join(backupFolder, "berth/tmp"), { recursive: true });
    writeFileSync(join(backupFolder, "berth/lock.sqlite"), "");
    expect((await backUp(opened)).exit).toBe(0);
  });

  test("a restore into a folder that is not empty, or in use, or from no backup", async () => {
    const opened = await start();
    await pushImage(opened, { repository: "app", tag: "v1", layer: "layer" });
    expect(restore()).rejects.toThrow("is no backup");
    await backUp(opened);
    mkdirSync(restoredFolder());
    writeFileSync(join(restoredFolder(), "letters.txt"), "");
    expect(restore()).rejects.toThrow("is not empty");
    const parts = await start(restoredFolder());
    const ends = new AbortController();
    const control = await startControlSocket({
      path: join(restoredFolder(), "berth/control.sock"),
      logger: silentLogger,
      version: "0",
      parts: {
        ...parts.context,
        ...worksOf(parts, configOf(restoredFolder())),
        config: configOf(restoredFolder()),
        opened: parts,
        random: { bytes: () => new Uint8Array(), uuid: () => "" },
        adopted: async () => undefined,
      },
      ends: ends.signal,
    });
    expect(restore()).rejects.toThrow("a server is running");
    await control?.stop();
  });

  test("a damaged blob of a backup does not pass a restore", async () => {
    const opened = await start();
    const [, , layer = ""] = await pushImage(opened, {
      repository: "app",
      tag: "v1",
      layer: "layer",
    });
    await backUp(opened, { fullCopy: true });
    writeFileSync(pathOf(backupFolder, layer), "lager");
    const lines: string[] = [];
    expect(await restore({ print: (line) => void lines.push(line) })).toMatchObject({ broken: 1 });
    expect(lines.join("\n")).toContain(layer);
    expect(existsSync(pathOf(restoredFolder(), layer))).toBe(false);
  });
});
