import { expect, test } from "bun:test";
import { systemClock } from "../base/clock.ts";
import { silentLogger } from "../base/logger.ts";
import { type Digest, digestOf } from "../oci/digest.ts";
import { mediaTypes } from "../oci/media-type.ts";
import { nameOf, tagOf } from "../oci/test-support.ts";
import { ManifestReader } from "../registry/manifest-reader.ts";
import { BlobStore } from "../storage/blob-store.ts";
import { MemoryStore } from "../storage/drivers/memory.ts";
import { LinkStore } from "../storage/link-store.ts";
import { markAndSweep, type SweepOptions } from "./mark-and-sweep.ts";

const team = nameOf("team/app");
const other = nameOf("other/app");
const tag = tagOf("v1");

function rig() {
  const objects = new MemoryStore(systemClock);
  const blobs = new BlobStore(objects);
  const links = new LinkStore(objects, silentLogger);
  const bytesOf = (text: string): Uint8Array => new TextEncoder().encode(text);

  async function blob(name: typeof team, text: string): Promise<Digest> {
    const digest = digestOf(text);
    await blobs.put(digest, bytesOf(text));
    await links.writeLayer(name, digest);
    return digest;
  }
  async function manifest(name: typeof team, value: object): Promise<Digest> {
    const text = JSON.stringify({ schemaVersion: 2, ...value });
    const digest = digestOf(text);
    await blobs.put(digest, bytesOf(text));
    await links.writeRevision(name, digest);
    return digest;
  }
  async function image(name: typeof team, layer: string, extra: object = {}): Promise<Digest> {
    const descriptor = async (text: string) => ({
      mediaType: "application/octet-stream",
      digest: await blob(name, text),
      size: text.length,
    });
    return manifest(name, {
      mediaType: mediaTypes.ociManifest,
      config: await descriptor("{}"),
      layers: [await descriptor(layer)],
      ...extra,
    });
  }
  const collect = (
    choice: Partial<Pick<SweepOptions, "deletesUntagged" | "isDryRun" | "keeps" | "isOver">> = {},
  ) =>
    markAndSweep({
      links,
      blobs,
      reader: new ManifestReader(blobs),
      logger: silentLogger,
      deletesUntagged: false,
      isDryRun: false,
      isSetAside: async () => false,
      keeps: async () => false,
      isOver: async () => false,
      say: () => undefined,
      ...choice,
    });
  return { objects, blobs, links, blob, manifest, image, collect };
}

const child = (digest: Digest) => ({ mediaType: mediaTypes.ociManifest, digest, size: 1 });

test("removes a blob that no manifest names, with its links, and keeps a shared layer", async () => {
  const { blobs, links, blob, image, collect } = rig();
  await image(team, "shared");
  const orphan = await blob(other, "orphan");
  await links.writeLayer(other, digestOf("shared"));
  const result = await collect();
  expect(result).toMatchObject({ removedBlobs: 1, freedBytes: 6, removedManifests: 0 });
  expect(await blobs.sizeOf(orphan)).toBeUndefined();
  expect(await links.readLayer(other, orphan)).toBeUndefined();
  expect(await blobs.sizeOf(digestOf("shared"))).toBe(6);
  expect(await links.readLayer(other, digestOf("shared"))).toBeDefined();
});

test("a dry run removes nothing", async () => {
  const { blobs, blob, collect } = rig();
  const orphan = await blob(team, "orphan");
  expect(await collect({ isDryRun: true })).toMatchObject({ removedBlobs: 1 });
  expect(await blobs.sizeOf(orphan)).toBe(6);
});

test("what can still be taken back stays, and is counted", async () => {
  const { blobs, blob, collect } = rig();
  const orphan = await blob(team, "orphan");
  const keeps = async (digest: Digest) => digest === orphan;
  expect(await collect({ keeps })).toMatchObject({ removedBlobs: 0, keptBlobs: 1 });
  expect(await blobs.sizeOf(orphan)).toBe(6);
});

test("untagged manifests go only when asked, and not when an index or a subject leads to them", async () => {
  const { links, manifest, image, collect } = rig();
  const inIndex = await image(team, "in an index");
  const nested = await manifest(team, {
    mediaType: mediaTypes.ociIndex,
    manifests: [child(inIndex)],
  });
  const index = await manifest(team, {
    mediaType: mediaTypes.ociIndex,
    manifests: [child(nested)],
  });
  await links.writeTag(team, tag, index);
  const signature = await image(team, "signature", { subject: child(inIndex) });
  const untagged = await image(team, "untagged");
  expect(await collect()).toMatchObject({ removedManifests: 0, removedBlobs: 0 });
  expect(await collect({ deletesUntagged: true })).toMatchObject({ removedManifests: 1 });
  for (const digest of [inIndex, nested, index, signature]) {
    expect(await links.readRevision(team, digest)).toBeDefined();
  }
  expect(await links.readRevision(team, untagged)).toBeUndefined();
});

test("blobs that an index names as children, as buildkit's cache does, are kept", async () => {
  const { blobs, blob, manifest, collect } = rig();
  const layer = await blob(team, "cache layer");
  await manifest(team, { mediaType: mediaTypes.ociIndex, manifests: [child(layer)] });
  await collect({ deletesUntagged: false });
  expect(await blobs.sizeOf(layer)).toBeDefined();
});

test("a manifest that cannot be read stops everything before the first removal", async () => {
  const { blobs, links, blob, collect } = rig();
  const orphan = await blob(other, "orphan");
  const broken = digestOf("not a manifest");
  await blobs.put(broken, new TextEncoder().encode("not a manifest"));
  await links.writeRevision(team, broken);
  expect(collect()).rejects.toThrow("nothing was removed");
  expect(await blobs.sizeOf(orphan)).toBe(6);
});

test("a tag that cannot be read keeps every manifest of its repository", async () => {
  const { objects, links, image, collect } = rig();
  const digest = await image(team, "layer");
  await links.writeTag(team, tag, digest);
  await objects.put(
    "docker/registry/v2/repositories/team/app/_manifests/tags/v1/current/link",
    new Uint8Array(),
  );
  expect(await collect({ deletesUntagged: true })).toMatchObject({ removedManifests: 0 });
});

test("of the trash goes what has been there for its grace, with its links, and nothing that is needed", async () => {
  const { blobs, links, blob, image, collect } = rig();
  await image(team, "needed");
  const [over, young, taken] = [
    await blob(team, "over"),
    await blob(team, "young"),
    await blob(team, "can be taken back"),
  ];
  await blobs.trash([over, young, taken, digestOf("needed")]);
  const choice = {
    isOver: async (digest: Digest) => digest !== young,
    keeps: async (digest: Digest) => digest === taken,
  };
  const ended = { endedTrash: [over], endedTrashBytes: 4, removedBlobs: 0 };
  expect(await collect({ ...choice, isDryRun: true })).toMatchObject(ended);
  expect(await blobs.sizeInTrash(over)).toBe(4);
  expect(await collect({ ...choice, deletesUntagged: false })).toMatchObject(ended);
  expect(await blobs.sizeInTrash(over)).toBeUndefined();
  expect(await links.readLayer(team, over)).toBeUndefined();
  for (const digest of [young, taken, digestOf("needed")]) {
    expect(await blobs.sizeInTrash(digest)).toBeDefined();
    expect(await links.readLayer(team, digest)).toBeDefined();
  }
});

test("what was deleted and can be taken back keeps its bytes", async () => {
  const { blob, blobs, collect } = rig();
  const kept = await blob(team, "deleted yesterday");
  const gone = await blob(team, "never named");
  expect(await collect({ keeps: async (digest) => digest === kept })).toMatchObject({
    removedBlobs: 1,
  });
  expect(await blobs.sizeOf(kept)).toBeDefined();
  expect(await blobs.sizeOf(gone)).toBeUndefined();
});
