/** A disk that is full, that fails, or that nobody may open any more. */
import { expect, test } from "bun:test";
import { mkdirSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type Fault, FaultyFileSystem } from "../support/faulty-file-system.ts";
import type { RawAnswer, RawRequest } from "../support/raw-http.ts";
import { headerOf } from "../support/raw-http.ts";
import { type WireRig, withWireRig } from "../support/wire-rig.ts";
import { blobOf, config, hello, image, indexOf, other, unknownDigest } from "./content.ts";

const noLength = { "Content-Length": "0" };

async function withFaults(
  work: (rig: WireRig, files: FaultyFileSystem) => Promise<void>,
  options: { readonly isAdopted?: boolean } = {},
): Promise<void> {
  const files = new FaultyFileSystem();
  await withWireRig({ driver: "filesystem", fileSystem: files, ...options }, async (rig) => {
    await work(rig, files);
  });
}

async function location(rig: WireRig): Promise<string> {
  const begun = await rig.send({
    method: "POST",
    target: "/v2/foo/blobs/uploads/",
    headers: noLength,
  });
  expect(begun.status).toBe(202);
  return headerOf(begun, "location") ?? "";
}

async function pushImage(rig: WireRig): Promise<void> {
  for (const { bytes, digest } of [config, hello]) {
    const target = `${await location(rig)}?digest=${digest}`;
    expect((await rig.send({ method: "PUT", target, body: bytes })).status).toBe(201);
  }
  expect((await rig.send(putManifest)).status).toBe(201);
}

const putManifest: RawRequest = {
  method: "PUT",
  target: "/v2/foo/manifests/latest",
  headers: { "Content-Type": image.mediaType },
  body: image.bytes,
};
const newManifest: RawRequest = {
  ...putManifest,
  headers: { "Content-Type": indexOf([]).mediaType },
  body: indexOf([]).bytes,
};

/** Every request that writes, on a registry that has an image and an upload of five bytes. */
async function writes(rig: WireRig): Promise<readonly RawRequest[]> {
  await pushImage(rig);
  const half = await location(rig);
  await rig.send({ method: "PATCH", target: half, body: "hello" });
  const whole = await location(rig);
  await rig.send({ method: "PATCH", target: whole, body: other.bytes });
  return [
    { method: "POST", target: "/v2/new/blobs/uploads/", headers: noLength },
    { method: "POST", target: `/v2/foo/blobs/uploads/?digest=${other.digest}`, body: other.bytes },
    { method: "POST", target: `/v2/bar/blobs/uploads/?mount=${hello.digest}&from=foo` },
    { method: "PATCH", target: half, body: "x".repeat(3_000_000) },
    { method: "PUT", target: `${half}?digest=${unknownDigest}`, body: "more" },
    { method: "PUT", target: `${whole}?digest=${other.digest}`, headers: noLength },
    newManifest,
    { ...newManifest, target: `/v2/foo/manifests/${indexOf([]).digest}?tag=a&tag=b` },
  ].map((request) => ({ headers: "body" in request ? {} : noLength, ...request }));
}

async function pullsGoOn(rig: WireRig): Promise<void> {
  const manifest = await rig.send({ method: "GET", target: "/v2/foo/manifests/latest" });
  expect(manifest.body.equals(image.bytes)).toBe(true);
  const blob = await rig.send({ method: "GET", target: `/v2/foo/blobs/${hello.digest}` });
  expect(blob.body.equals(hello.bytes)).toBe(true);
  const tags = await rig.send({ method: "GET", target: "/v2/foo/tags/list" });
  expect(tags.status).toBe(200);
}

function codeOf(answer: RawAnswer): string {
  return JSON.parse(answer.body.toString()).errors[0].code;
}

const writing = new Set(["openWrite", "write", "sync", "makeFolder", "syncFolder", "rename"]);
const failures: readonly {
  readonly name: string;
  readonly fault: Fault;
  readonly statuses: readonly number[];
}[] = [
  {
    name: "a full disk",
    fault: (operation) => (operation === "write" ? "ENOSPC" : undefined),
    statuses: [507],
  },
  {
    name: "a full quota",
    fault: (operation) => (writing.has(operation) ? "EDQUOT" : undefined),
    statuses: [507],
  },
  {
    name: "a disk that fails to write",
    fault: (operation) => (writing.has(operation) ? "EIO" : undefined),
    statuses: [503],
  },
  {
    name: "a disk that turned read-only",
    fault: (operation) => (writing.has(operation) ? "EROFS" : undefined),
    statuses: [503],
  },
  {
    name: "a process without file handles",
    fault: (operation) => (operation.startsWith("open") ? "EMFILE" : undefined),
    statuses: [503],
  },
];

for (const { name, fault, statuses } of failures) {
  test(`with ${name}, pushes answer ${statuses.join(" or ")}, and pulls go on`, () =>
    withFaults(async (rig, files) => {
      const requests = await writes(rig);
      // Manifests are read once: with no handle left, those in memory are served.
      await pullsGoOn(rig);
      files.fault = fault;
      for (const request of requests) {
        const answer = await rig.send(request);
        expect(`${request.method} ${request.target}: ${answer.status}`).toBe(
          `${request.method} ${request.target}: ${statuses[0]}`,
        );
        expect(codeOf(answer)).toBe("UNAVAILABLE");
      }
      await pullsGoOn(rig);
      files.fault = () => undefined;
      // Nothing that failed has left half of itself behind.
      const tags = await rig.send({ method: "GET", target: "/v2/foo/tags/list" });
      expect(JSON.parse(tags.body.toString()).tags).toEqual(["latest"]);
      expect((await rig.send(newManifest)).status).toBe(201);
      expect(rig.errors).toEqual([]);
    }));
}

test("a session whose disk was full goes on where it says, once there is room", () =>
  withFaults(async (rig, files) => {
    const target = await location(rig);
    const blob = blobOf(new Uint8Array(3_000_000).fill(7));
    const part = 1_200_000;
    let written = 0;
    files.fault = (operation) =>
      operation === "write" && (written += 1) > 1 ? "ENOSPC" : undefined;
    const full = await rig.send({ method: "PATCH", target, body: blob.bytes });
    expect(full.status).toBe(507);
    files.fault = () => undefined;
    const status = await rig.send({ method: "GET", target });
    expect(status.status).toBe(204);
    const last = Number(headerOf(status, "range")?.slice(2));
    const offset = last === 0 ? 0 : last + 1;
    expect(offset).toBeLessThan(blob.bytes.byteLength);
    const [middle, rest] = [
      blob.bytes.subarray(offset, offset + part),
      blob.bytes.subarray(offset + part),
    ];
    const patched = await rig.send({
      method: "PATCH",
      target,
      headers: { "Content-Range": `${offset}-${offset + middle.byteLength - 1}` },
      body: middle,
    });
    expect(patched.status).toBe(202);
    const put = await rig.send({
      method: "PUT",
      target: `${target}?digest=${blob.digest}`,
      body: rest,
    });
    expect(put.status).toBe(201);
  }));

const bigPart = blobOf(new Uint8Array(300_000).fill(3));

/** Where a sync can fail: each with a request that gets there. */
const syncs: readonly {
  readonly name: string;
  readonly at: Fault;
  readonly request: (upload: string) => RawRequest;
}[] = [
  {
    name: "an upload",
    at: (operation, path) => (operation === "sync" && path.endsWith("/data") ? "EIO" : undefined),
    request: (upload) => ({
      method: "PUT",
      target: `${upload}?digest=${bigPart.digest}`,
      headers: noLength,
    }),
  },
  {
    name: "a manifest",
    at: (operation, path) => (operation === "sync" && path.includes("/tmp/") ? "EIO" : undefined),
    request: () => newManifest,
  },
  {
    name: "a folder",
    at: (operation) => (operation === "syncFolder" ? "EIO" : undefined),
    request: () => newManifest,
  },
  {
    name: "a folder that loses a name",
    at: (operation) => (operation === "syncFolder" ? "EIO" : undefined),
    request: () => ({ method: "DELETE", target: "/v2/foo/manifests/latest" }),
  },
];

for (const { name, at, request } of syncs) {
  test(`after a sync of ${name} failed, nothing is written any more, and pulls go on`, () =>
    withFaults(async (rig, files) => {
      await pushImage(rig);
      const upload = await location(rig);
      await rig.send({ method: "PATCH", target: upload, body: bigPart.bytes });
      let syncsOfFailed = 0;
      let failedPath = "";
      files.fault = (operation, path) => {
        const code = failedPath === "" ? at(operation, path) : undefined;
        if (code !== undefined) failedPath = path;
        if (operation.startsWith("sync") && path === failedPath) syncsOfFailed += 1;
        return code;
      };
      const refused = await rig.send(request(upload));
      expect(refused.status).toBe(503);
      expect(refused.body.toString()).toContain("the disk has lost a write");
      // The disk is well again, and is not believed.
      const changed: string[] = [];
      files.fault = (operation, path) => {
        if (writing.has(operation) || operation.startsWith("sync")) changed.push(path);
        if (operation === "unlink" || operation === "removeEmptyFolder") changed.push(path);
        return undefined;
      };
      for (const write of [
        { method: "POST", target: "/v2/new/blobs/uploads/", headers: noLength },
        { method: "POST", target: `/v2/bar/blobs/uploads/?mount=${hello.digest}&from=foo` },
        newManifest,
        { method: "DELETE", target: `/v2/foo/blobs/${hello.digest}` },
        request(upload),
      ]) {
        const answer = await rig.send({ headers: "body" in write ? {} : noLength, ...write });
        // An upload that has lost its bytes is not there any more.
        const isLostUpload = name === "an upload" && write.method === "PUT";
        expect(answer.status).toBe(isLostUpload && write.target.startsWith(upload) ? 404 : 503);
      }
      expect(rig.objects.probe()).rejects.toThrow("restart");
      expect(changed).toEqual([]);
      expect(syncsOfFailed).toBe(1);
      const blob = await rig.send({ method: "GET", target: `/v2/foo/blobs/${hello.digest}` });
      expect(blob.body.equals(hello.bytes)).toBe(true);
      expect(rig.errors).toEqual([]);
    }));
}

test("an upload whose bytes found no place at the sync is gone, and can be pushed anew", () =>
  withFaults(async (rig, files) => {
    const upload = await location(rig);
    const put = { method: "PUT", target: `${upload}?digest=${bigPart.digest}`, headers: noLength };
    const patched = await rig.send({ method: "PATCH", target: upload, body: bigPart.bytes });
    expect(patched.status).toBe(202);
    files.fault = (operation) => (operation === "sync" ? "ENOSPC" : undefined);
    expect((await rig.send(put)).status).toBe(507);
    files.fault = () => undefined;
    // A second sync would succeed over bytes that were never stored.
    expect((await rig.send(put)).status).toBe(404);
    expect((await rig.send({ method: "GET", target: upload })).status).toBe(404);
    const again = await location(rig);
    const target = `${again}?digest=${bigPart.digest}`;
    expect((await rig.send({ method: "PUT", target, body: bigPart.bytes })).status).toBe(201);
    const pulled = await rig.send({ method: "GET", target: `/v2/foo/blobs/${bigPart.digest}` });
    expect(pulled.body.equals(bigPart.bytes)).toBe(true);
  }));

test("a disk that fails to read answers 503, never 404: what cannot be read is not gone", () =>
  withFaults(
    async (rig, files) => {
      await pushImage(rig);
      files.fault = (operation) =>
        operation === "read" || operation === "openRead" || operation === "readFolder"
          ? "EIO"
          : undefined;
      for (const target of ["/v2/foo/tags/list", "/v2/foo/manifests/latest", "/v2/_catalog"]) {
        expect(`${target} ${(await rig.send({ method: "GET", target })).status}`).toBe(
          `${target} 503`,
        );
      }
      // Which tags point to a manifest is not known: so it is not deleted.
      const deleted = await rig.send({
        method: "DELETE",
        target: `/v2/foo/manifests/${image.digest}`,
      });
      expect(deleted.status).toBe(503);
      files.fault = () => undefined;
      await pullsGoOn(rig);
    },
    { isAdopted: false },
  ));

test("a deletion that the disk refuses answers 503 and leaves a valid registry", () =>
  withFaults(async (rig, files) => {
    await pushImage(rig);
    files.fault = (operation) => (operation === "unlink" ? "EIO" : undefined);
    for (const target of [
      "/v2/foo/manifests/latest",
      `/v2/foo/manifests/${image.digest}`,
      `/v2/foo/blobs/${hello.digest}`,
    ]) {
      expect((await rig.send({ method: "DELETE", target })).status).toBe(503);
    }
    files.fault = () => undefined;
    await pullsGoOn(rig);
  }));

test("a repository that goes while the catalog is walked does not stop the walk", () =>
  withFaults(
    async (rig, files) => {
      await pushImage(rig);
      const vanished = new Set<string>();
      files.readFolder = async (path) =>
        path.endsWith("/gone") || vanished.has(path)
          ? undefined
          : path.endsWith("/repositories")
            ? [
                { name: "foo", isFolder: true },
                { name: "gone", isFolder: true },
              ]
            : FaultyFileSystem.prototype.readFolder.call(files, path);
      const catalog = await rig.send({ method: "GET", target: "/v2/_catalog" });
      expect(JSON.parse(catalog.body.toString())).toEqual({ repositories: ["foo"] });
    },
    { isAdopted: false },
  ));

test("a push to where a stray file or folder lies is refused with its reason, and the rest goes on", () =>
  withWireRig({ driver: "filesystem" }, async (rig) => {
    await pushImage(rig);
    const repositories = join(rig.dataFolder, "docker/registry/v2/repositories");
    const tags = join(repositories, "foo/_manifests/tags");
    writeFileSync(join(tags, "stray"), "");
    mkdirSync(join(tags, "folder/current/link"), { recursive: true });
    writeFileSync(join(repositories, "file"), "");
    symlinkSync("loop", join(repositories, "loop"));
    const requests: readonly RawRequest[] = [
      { ...putManifest, target: "/v2/foo/manifests/stray" },
      { ...putManifest, target: "/v2/foo/manifests/folder" },
      { method: "DELETE", target: "/v2/foo/manifests/folder" },
      { method: "POST", target: "/v2/file/blobs/uploads/", headers: noLength },
      { method: "POST", target: "/v2/file/below/blobs/uploads/", headers: noLength },
      { method: "POST", target: "/v2/loop/blobs/uploads/", headers: noLength },
    ];
    for (const request of requests) {
      const answer = await rig.send(request);
      expect([request.target, answer.status]).toEqual([request.target, 503]);
      expect(answer.body.toString()).toContain("something else lies in the registry's storage");
    }
    for (const tag of ["stray", "folder"]) {
      const target = `/v2/foo/manifests/${tag}`;
      expect((await rig.send({ method: "GET", target })).status).toBe(404);
    }
    expect((await rig.send({ method: "GET", target: putManifest.target })).status).toBe(200);
    expect((await rig.send(newManifest)).status).toBe(201);
    expect(rig.errors).toEqual([]);
  }));
