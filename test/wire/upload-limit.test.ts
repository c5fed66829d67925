/** How many unfinished uploads a repository may have (`http.limits.uploadsperrepository`). */
import { describe, expect, test } from "bun:test";
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { nodeFileSystem } from "../../src/storage/drivers/node-file-system.ts";
import { headerOf, type RawAnswer } from "../support/raw-http.ts";
import { localDrivers, type WireRig, withWireRig } from "../support/wire-rig.ts";
import { hello } from "./content.ts";

const settings = { HTTP_LIMITS_UPLOADSPERREPOSITORY: "5" };

function begin(rig: WireRig, name = "foo"): Promise<RawAnswer> {
  return rig.send({
    method: "POST",
    target: `/v2/${name}/blobs/uploads/`,
    headers: { "Content-Length": "0" },
  });
}

async function statuses(answers: readonly Promise<RawAnswer>[]): Promise<readonly number[]> {
  return (await Promise.all(answers)).map(({ status }) => status);
}

for (const driver of localDrivers) {
  describe(`on the ${driver} driver`, () => {
    test("one upload too many answers 429 and when to come again; other repositories go on", () =>
      withWireRig({ driver, settings }, async (rig) => {
        const begun: RawAnswer[] = [];
        for (let count = 0; count < 5; count += 1) begun.push(await begin(rig));
        expect(begun.map(({ status }) => status)).toEqual([202, 202, 202, 202, 202]);
        const refused = await begin(rig);
        expect(refused.status).toBe(429);
        expect(JSON.parse(refused.body.toString()).errors[0].code).toBe("TOOMANYREQUESTS");
        expect(headerOf(refused, "retry-after")).toMatch(/^[1-9]\d*$/);
        expect((await begin(rig, "bar")).status).toBe(202);
        // A finished or cancelled one makes room.
        const [first, second] = begun.map((answer) => headerOf(answer, "location") ?? "");
        await rig.send({ method: "DELETE", target: first ?? "" });
        expect((await begin(rig)).status).toBe(202);
        expect((await begin(rig)).status).toBe(429);
        const put = await rig.send({
          method: "PUT",
          target: `${second}?digest=${hello.digest}`,
          body: hello.bytes,
        });
        expect(put.status).toBe(201);
        expect((await begin(rig)).status).toBe(202);
      }));

    test("of fifty at once exactly as many begin as are allowed", () =>
      withWireRig({ driver, settings }, async (rig) => {
        const all = await statuses(Array.from({ length: 50 }, () => begin(rig)));
        expect(all.filter((status) => status === 202)).toHaveLength(5);
        expect(all.filter((status) => status === 429)).toHaveLength(45);
      }));
  });
}

test("uploads that Distribution left behind do not count", () =>
  withWireRig({ driver: "filesystem", settings }, async (rig) => {
    const folder = join(rig.dataFolder, "docker/registry/v2/repositories/foo/_uploads");
    for (let count = 0; count < 20; count += 1) {
      mkdirSync(join(folder, crypto.randomUUID()), { recursive: true });
    }
    const all = await statuses(Array.from({ length: 8 }, () => begin(rig)));
    expect(all.filter((status) => status === 202)).toHaveLength(5);
  }));

test("the folder is not listed for every upload that begins", async () => {
  let listings = 0;
  const fileSystem = {
    ...nodeFileSystem,
    readFolder: (path: string) => {
      if (path.endsWith("/_uploads")) listings += 1;
      return nodeFileSystem.readFolder(path);
    },
  };
  await withWireRig({ driver: "filesystem", fileSystem }, async (rig) => {
    for (let count = 0; count < 90; count += 1) {
      const begun = await begin(rig);
      expect(begun.status).toBe(202);
      await rig.send({ method: "DELETE", target: headerOf(begun, "location") ?? "" });
    }
    expect(listings).toBeLessThan(10);
  });
});
