/** Connections that break off, and requests that meet: no byte is lost, doubled or made up. */
import { describe, expect, test } from "bun:test";
import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { digestOf } from "../../src/oci/digest.ts";
import {
  headerOf,
  inChunks,
  RawConnection,
  type RawRequest,
  rawBytes,
} from "../support/raw-http.ts";
import { localDrivers, type WireRig, withWireRig } from "../support/wire-rig.ts";
import { hello } from "./content.ts";

/** Long enough to come in several pieces, and of no period that would hide a shift. */
const blob = Buffer.from(
  Uint8Array.from({ length: 300_000 }, (_, index) => (index * 2654435761) >>> 16),
);
const digest = digestOf(blob);

/** Where a sender dies: before the first byte, at odd places, around pieces, before the last. */
const cuts = [0, 1, 100, 4_095, 65_536, 65_537, 131_072, 199_999, blob.byteLength - 1];

async function begin(rig: WireRig): Promise<string> {
  const begun = await rig.send({
    method: "POST",
    target: "/v2/foo/blobs/uploads/",
    headers: { "Content-Length": "0" },
  });
  expect(begun.status).toBe(202);
  return headerOf(begun, "location") ?? "";
}

/** How many bytes the session says that it has; undefined when there is no session. */
async function offsetOf(rig: WireRig, location: string): Promise<number | undefined> {
  const status = await rig.send({ method: "GET", target: location });
  if (status.status === 404) return undefined;
  expect(status.status).toBe(204);
  const last = Number(headerOf(status, "range")?.slice(2));
  // `0-0` stands for none and for one: the storage tells them apart.
  if (last > 0) return last + 1;
  const [id = ""] = location.split("/").slice(-1);
  const key = `docker/registry/v2/repositories/foo/_uploads/${id}/data`;
  return (await rig.objects.stat(key))?.sizeBytes ?? 0;
}

/** Sends the head of a request and `sentBytes` of its body, and dies. */
async function sendPart(rig: WireRig, request: RawRequest, sentBytes: number): Promise<void> {
  const connection = await RawConnection.open(rig.port);
  const whole = rawBytes(request, "127.0.0.1");
  const bodyStart = whole.indexOf("\r\n\r\n") + 4;
  await connection.write(whole.subarray(0, bodyStart));
  for (let sent = 0; sent < sentBytes; sent += 50_000) {
    await connection.write(
      whole.subarray(bodyStart + sent, bodyStart + Math.min(sent + 50_000, sentBytes)),
    );
  }
  connection.destroy();
}

/** Waits until the server is done with the request that broke off. */
async function settled(rig: WireRig, location: string): Promise<number> {
  let before = -1;
  for (let calm = 0; calm < 4; ) {
    await Bun.sleep(5);
    const offset = (await offsetOf(rig, location)) ?? 0;
    calm = offset === before ? calm + 1 : 0;
    before = offset;
  }
  return before;
}

/** Sends what is missing from where the session says it is; nobody may be writing to it. */
async function resume(rig: WireRig, location: string): Promise<number> {
  for (;;) {
    const offset = (await offsetOf(rig, location)) ?? 0;
    const rest = blob.subarray(offset);
    const patched = await rig.send({
      method: "PATCH",
      target: location,
      headers: { "Content-Range": `${offset}-${blob.byteLength - 1}` },
      body: rest,
    });
    if (patched.status === 202) return offset;
    expect(patched.status).toBe(416);
    await Bun.sleep(5);
  }
}

async function finishes(rig: WireRig, location: string): Promise<void> {
  const put = await rig.send({
    method: "PUT",
    target: `${location}?digest=${digest}`,
    headers: { "Content-Length": "0" },
  });
  expect(put.status).toBe(201);
  const pulled = await rig.send({ method: "GET", target: `/v2/foo/blobs/${digest}` });
  expect(pulled.body.equals(blob)).toBe(true);
}

for (const driver of localDrivers) {
  describe(`on the ${driver} driver`, () => {
    for (const kind of ["declared", "chunked"] as const) {
      test(`a PATCH of ${kind} length that breaks off is resumed at the offset reported`, () =>
        withWireRig({ driver }, async (rig) => {
          const framing = kind === "chunked" ? { chunkBytes: 10_000 } : {};
          for (const cut of cuts) {
            const location = await begin(rig);
            await sendPart(rig, { method: "PATCH", target: location, body: blob, ...framing }, cut);
            expect(await settled(rig, location)).toBeLessThanOrEqual(cut);
            await resume(rig, location);
            await finishes(rig, location);
          }
          expect(rig.errors).toEqual([]);
        }));

      test(`a PUT of ${kind} length that breaks off leaves no blob, and can be finished`, () =>
        withWireRig({ driver }, async (rig) => {
          const framing = kind === "chunked" ? { chunkBytes: 10_000 } : {};
          for (const cut of cuts) {
            const location = await begin(rig);
            const target = `${location}?digest=${digest}`;
            await sendPart(rig, { method: "PUT", target, body: blob, ...framing }, cut);
            await settled(rig, location);
            expect((await rig.send({ method: "HEAD", target: blobUrl })).status).toBe(404);
            await resume(rig, location);
            await finishes(rig, location);
            await rig.send({ method: "DELETE", target: blobUrl });
          }
          expect(rig.errors).toEqual([]);
        }));
    }

    test("a POST with the whole blob that breaks off leaves neither blob nor session", () =>
      withWireRig({ driver }, async (rig) => {
        for (const cut of cuts) {
          const target = `/v2/foo/blobs/uploads/?digest=${digest}`;
          await sendPart(rig, { method: "POST", target, body: blob }, cut);
        }
        const folder = "docker/registry/v2/repositories/foo/_uploads";
        await until(async () => (await rig.objects.list(folder)).length === 0);
        expect((await rig.send({ method: "HEAD", target: blobUrl })).status).toBe(404);
      }));

    test("a pull that breaks off is resumed with a range", () =>
      withWireRig({ driver }, async (rig) => {
        const location = await begin(rig);
        await resume(rig, location);
        await finishes(rig, location);
        for (const cut of cuts) {
          const connection = await RawConnection.open(rig.port);
          await connection.write(rawBytes({ method: "GET", target: blobUrl }, "127.0.0.1"));
          connection.destroy();
          const rest = await rig.send({
            method: "GET",
            target: blobUrl,
            headers: { Range: `bytes=${cut}-`, "If-Range": `"${digest}"` },
          });
          expect(rest.status).toBe(206);
          expect(digestOf(Buffer.concat([blob.subarray(0, cut), rest.body]))).toBe(digest);
        }
      }));

    test("of two PATCHes at once one is taken and the other answers 416", () =>
      withWireRig({ driver }, async (rig) => {
        const location = await begin(rig);
        const first = await RawConnection.open(rig.port);
        const head = `PATCH ${location} HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n`;
        const chunks = inChunks(blob, 100_000);
        await first.write(head);
        await first.write(chunks.subarray(0, 150_000));
        // The first is at work as soon as the second is refused.
        await until(async () => {
          const second = await rig.send({
            method: "PATCH",
            target: location,
            headers: { "Content-Range": "5-9" },
            body: "x".repeat(5),
          });
          expect(second.status).toBe(416);
          return JSON.parse(second.body.toString()).errors[0].message.includes("another request");
        });
        const put = await rig.send({
          method: "PUT",
          target: `${location}?digest=${digest}`,
          headers: { "Content-Length": "0" },
        });
        expect(put.status).toBe(416);
        await first.write(chunks.subarray(150_000));
        expect((await first.answer())?.status).toBe(202);
        first.destroy();
        await finishes(rig, location);
      }));

    test("a session cancelled during a PATCH is gone, and the PATCH answers 404", () =>
      withWireRig({ driver }, async (rig) => {
        const location = await begin(rig);
        const writer = await RawConnection.open(rig.port);
        await writer.write(
          `PATCH ${location} HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n`,
        );
        const chunks = inChunks(blob, 100_000);
        await writer.write(chunks.subarray(0, 150_000));
        expect((await rig.send({ method: "DELETE", target: location })).status).toBe(204);
        await writer.write(chunks.subarray(150_000));
        expect((await writer.answer())?.status).toBe(404);
        writer.destroy();
        expect(await offsetOf(rig, location)).toBeUndefined();
        if (driver === "filesystem") {
          const folder = join(rig.dataFolder, "docker/registry/v2/repositories/foo/_uploads");
          expect(existsSync(folder) ? readdirSync(folder) : []).toEqual([]);
        }
        expect(rig.errors).toEqual([]);
      }));

    test("a session cancelled during a PUT makes no blob", () =>
      withWireRig({ driver }, async (rig) => {
        const location = await begin(rig);
        const writer = await RawConnection.open(rig.port);
        const target = `${location}?digest=${digest}`;
        await writer.write(
          `PUT ${target} HTTP/1.1\r\nHost: a\r\nContent-Length: ${blob.byteLength}\r\n\r\n`,
        );
        await writer.write(blob.subarray(0, 150_000));
        expect((await rig.send({ method: "DELETE", target: location })).status).toBe(204);
        await writer.write(blob.subarray(150_000));
        expect((await writer.answer())?.status).toBe(404);
        writer.destroy();
        expect((await rig.send({ method: "HEAD", target: blobUrl })).status).toBe(404);
        expect(rig.errors).toEqual([]);
      }));

    test("a cancel that meets the end of an upload leaves the whole blob or none", () =>
      withWireRig({ driver }, async (rig) => {
        for (let round = 0; round < 60; round += 1) {
          const location = await begin(rig);
          await resume(rig, location);
          const headers = { "Content-Length": "0" };
          const put = rig.send({ method: "PUT", target: `${location}?digest=${digest}`, headers });
          if (round % 3 > 0) await Bun.sleep(round % 3);
          const cancelled = await rig.send({ method: "DELETE", target: location });
          expect([204, 404]).toContain(cancelled.status);
          const { status } = await put;
          expect([201, 404]).toContain(status);
          const pulled = await rig.send({ method: "GET", target: blobUrl });
          expect(pulled.status).toBe(status === 201 ? 200 : 404);
          if (status !== 201) continue;
          expect(digestOf(pulled.body)).toBe(digest);
          await rig.send({ method: "DELETE", target: blobUrl });
        }
        expect(rig.errors).toEqual([]);
      }));

    test("an upload that is finished cannot be finished again", () =>
      withWireRig({ driver }, async (rig) => {
        const location = await begin(rig);
        await resume(rig, location);
        await finishes(rig, location);
        const again = await rig.send({
          method: "PUT",
          target: `${location}?digest=${digest}`,
          body: blob,
        });
        expect(again.status).toBe(404);
        expect((await rig.send({ method: "GET", target: blobUrl })).body.equals(blob)).toBe(true);
      }));

    test("two PUTs at once make one blob", () =>
      withWireRig({ driver }, async (rig) => {
        const location = await begin(rig);
        await resume(rig, location);
        const request = {
          method: "PUT",
          target: `${location}?digest=${digest}`,
          headers: { "Content-Length": "0" },
        };
        const answers = await Promise.all([
          rig.send(request),
          rig.send(request),
          rig.send(request),
        ]);
        const statuses = answers.map(({ status }) => status);
        expect(statuses.filter((status) => status === 201)).toHaveLength(1);
        for (const status of statuses) expect([201, 404, 416]).toContain(status);
        expect((await rig.send({ method: "GET", target: blobUrl })).body.equals(blob)).toBe(true);
      }));

    test("a push with the wrong digest ends the session and leaves nothing", () =>
      withWireRig({ driver }, async (rig) => {
        const location = await begin(rig);
        await resume(rig, location);
        const put = await rig.send({
          method: "PUT",
          target: `${location}?digest=${hello.digest}`,
          headers: { "Content-Length": "0" },
        });
        expect(put.status).toBe(400);
        expect(await offsetOf(rig, location)).toBeUndefined();
      }));
  });
}

const blobUrl = `/v2/foo/blobs/${digest}`;

/** Asks again until `condition` holds; a test that never gets there ends at its time limit. */
async function until(condition: () => Promise<boolean>): Promise<void> {
  while (!(await condition())) await Bun.sleep(5);
}
