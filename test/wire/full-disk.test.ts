/** A disk without room, or without room for names, under the storage and under its databases. */
import { expect, test } from "bun:test";
import { verifyMetadata } from "../../src/registry/verification.ts";
import type { RawRequest } from "../support/raw-http.ts";
import { headerOf } from "../support/raw-http.ts";
import {
  mountSmallDisk,
  type Scarcity,
  type SmallDisk,
  smallDiskSkipReason,
} from "../support/small-disk.ts";
import { type WireRig, type WireRigOptions, withWireRig } from "../support/wire-rig.ts";
import { config, hello, image, indexOf, other } from "./content.ts";

const noLength = { "Content-Length": "0" };
const names = ["one", "two", "three"] as const;

if (smallDiskSkipReason !== undefined) test.skip(`a full disk (${smallDiskSkipReason})`, () => {});

async function withSmallDisk(
  scarcity: Scarcity,
  work: (rig: WireRig, disk: SmallDisk) => Promise<void>,
  options: Pick<WireRigOptions, "reserveBytes"> = {},
): Promise<void> {
  using disk = mountSmallDisk(scarcity);
  await withWireRig(
    { driver: "filesystem", outerFolder: disk.path, databases: "files", ...options },
    async (rig) => {
      try {
        await work(rig, disk);
      } finally {
        // The rig writes what it has counted when it stops.
        disk.free();
      }
    },
  );
}

const statusOf = async (rig: WireRig, request: RawRequest): Promise<number> =>
  (await rig.send(request)).status;

async function pushBlob(rig: WireRig, name: string, blob: typeof hello): Promise<number> {
  const target = `/v2/${name}/blobs/uploads/?digest=${blob.digest}`;
  return statusOf(rig, { method: "POST", target, body: blob.bytes });
}

function putManifest(name: string, tag: string, manifest = image): RawRequest {
  const headers = { "Content-Type": manifest.mediaType };
  const target = `/v2/${name}/manifests/${tag}`;
  return { method: "PUT", target, headers, body: manifest.bytes };
}

async function pushImages(rig: WireRig): Promise<void> {
  for (const name of names) {
    expect(await pushBlob(rig, name, config)).toBe(201);
    expect(await pushBlob(rig, name, hello)).toBe(201);
    for (const tag of ["latest", "stable"]) {
      expect(await statusOf(rig, putManifest(name, tag))).toBe(201);
    }
  }
}

async function differencesOf(rig: WireRig): Promise<readonly string[]> {
  const found: string[] = [];
  for await (const { repository, difference } of verifyMetadata(rig, rig.registry.adoption)) {
    found.push(`${repository}: ${difference}`);
  }
  return found;
}

for (const scarcity of ["bytes", "inodes"] as const) {
  test.skipIf(smallDiskSkipReason !== undefined)(
    `on a disk without ${scarcity} pushes answer 507, pulls and deletions go on, and it recovers`,
    () =>
      withSmallDisk(scarcity, async (rig, disk) => {
        await pushImages(rig);
        const begun = await rig.send({
          method: "POST",
          target: "/v2/one/blobs/uploads/",
          headers: noLength,
        });
        const upload = headerOf(begun, "location") ?? "";
        disk.fill();
        const tooLarge = new Uint8Array(100_000);
        for (const write of [
          { method: "POST", target: "/v2/new/blobs/uploads/", headers: noLength },
          { method: "PATCH", target: upload, body: tooLarge },
          { method: "PUT", target: `${upload}?digest=${other.digest}`, body: other.bytes },
          putManifest("one", "new"),
          putManifest("one", "latest", indexOf([])),
        ]) {
          const answer = await rig.send(write);
          expect(`${write.method} ${write.target} ${answer.status}`).toBe(
            `${write.method} ${write.target} 507`,
          );
        }
        await pullsGoOn(rig, ["one", "two", "three"]);
        await deletionsGoOn(rig);
        disk.free();
        await rig.registry.adoption.settleDoubts(new AbortController().signal);
        expect(await differencesOf(rig)).toEqual([]);
        await pushImages(rig);
        await pullsGoOn(rig, names);
        expect(rig.errors.filter((line) => !line.includes("missing from the history"))).toEqual([]);
      }),
  );
}

test.skipIf(smallDiskSkipReason !== undefined)(
  "with a reserve deletions are recorded on a full disk, and pushes do not get at it",
  () => withSmallDisk("bytes", withReserve, { reserveBytes: 256 * 1024 }),
);

async function withReserve(rig: WireRig, disk: SmallDisk): Promise<void> {
  await rig.probe();
  await pushImages(rig);
  const begin = { method: "POST", target: "/v2/one/blobs/uploads/", headers: noLength };
  const [upload, cancelled] = [await rig.send(begin), await rig.send(begin)].map(
    (begun) => headerOf(begun, "location") ?? "",
  );
  const half = hello.bytes.subarray(0, 3);
  expect(await statusOf(rig, { method: "PATCH", target: `${upload}`, body: half })).toBe(202);
  expect(rig.reserve?.isHeld).toBe(true);
  disk.fill();
  const isDeleted = { method: "DELETE", target: "/v2/two/manifests/latest" };
  expect(await statusOf(rig, isDeleted)).toBe(202);
  expect(rig.reserve?.isGivenBack).toBe(true);
  const rest = hello.bytes.subarray(3);
  const finish = { method: "PUT", target: `${upload}?digest=${hello.digest}`, body: rest };
  const pushes: readonly RawRequest[] = [
    begin,
    { method: "POST", target: `/v2/new/blobs/uploads/?mount=${hello.digest}&from=one` },
    { method: "PATCH", target: `${upload}`, body: rest },
    finish,
    putManifest("one", "latest", indexOf([])),
  ];
  for (const push of pushes) expect(await statusOf(rig, push)).toBe(507);
  expect(await rig.probe().catch((error: unknown) => error)).toMatchObject({
    reason: "storageFull",
  });
  expect(await statusOf(rig, { method: "GET", target: `${upload}` })).toBe(204);
  expect(await statusOf(rig, { method: "DELETE", target: `${cancelled}` })).toBe(204);
  await pullsGoOn(rig, ["one", "three"]);
  // Recorded at once, history and trash included: it can be taken back.
  expect(rig.registry.adoption.progress().isComplete).toBe(true);
  expect(await differencesOf(rig)).toEqual([]);
  expect(await rig.activity.trash.list({ limit: 10 })).toHaveLength(1);
  disk.free();
  await rig.probe();
  expect(rig.reserve?.isHeld).toBe(true);
  expect(await statusOf(rig, finish)).toBe(201);
  await pushImages(rig);
  expect(rig.errors).toEqual([]);
}

async function pullsGoOn(rig: WireRig, where: readonly string[]): Promise<void> {
  for (const name of where) {
    const manifest = await rig.send({ method: "GET", target: `/v2/${name}/manifests/latest` });
    expect(manifest.body.equals(image.bytes)).toBe(true);
    const target = `/v2/${name}/blobs/${hello.digest}`;
    expect((await rig.send({ method: "GET", target })).body.equals(hello.bytes)).toBe(true);
  }
}

/** Each kind of deletion is done and seen at once, whether or not it could be recorded. */
async function deletionsGoOn(rig: WireRig): Promise<void> {
  const isGone = async (target: string): Promise<void> => {
    expect(`${target} ${await statusOf(rig, { method: "DELETE", target })}`).toBe(`${target} 202`);
    expect(`${target} ${await statusOf(rig, { method: "GET", target })}`).toBe(`${target} 404`);
  };
  await isGone("/v2/one/manifests/latest");
  const tags = await rig.send({ method: "GET", target: "/v2/one/tags/list" });
  expect(JSON.parse(tags.body.toString()).tags).toEqual(["stable"]);
  // The manifest goes with the tag that is left, also where a deletion before it was not recorded.
  await isGone(`/v2/one/manifests/${image.digest}`);
  expect(await statusOf(rig, { method: "GET", target: "/v2/one/manifests/stable" })).toBe(404);
  await isGone(`/v2/two/manifests/${image.digest}`);
  await isGone(`/v2/three/blobs/${hello.digest}`);
  const catalog = await rig.send({ method: "GET", target: "/v2/_catalog" });
  expect(JSON.parse(catalog.body.toString()).repositories).toEqual(["three"]);
}
