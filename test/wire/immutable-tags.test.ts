/** Tags that, once set, neither move nor go (`immutabletags`). */
import { describe, expect, test } from "bun:test";
import type { RawAnswer } from "../support/raw-http.ts";
import { localDrivers, type WireRig, withWireRig } from "../support/wire-rig.ts";
import { type Content, manifestOf } from "./content.ts";

const settings = {
  IMMUTABLETAGS: '[{repositories: ["team/*"], tags: ["v*"], except: ["*-rc*"]}]',
};

/** An index of nothing: a manifest that needs no blob. */
function indexOf(note: string): Content {
  const mediaType = "application/vnd.oci.image.index.v1+json";
  const value = { schemaVersion: 2, mediaType, manifests: [], annotations: { note } };
  return manifestOf(value, { mediaType });
}

const [first, second] = [indexOf("first"), indexOf("second")];

function put(rig: WireRig, path: string, { bytes, mediaType }: Content): Promise<RawAnswer> {
  const headers = { "Content-Type": mediaType };
  return rig.send({ method: "PUT", target: `/v2/${path}`, body: bytes, headers });
}

function remove(rig: WireRig, path: string): Promise<RawAnswer> {
  return rig.send({ method: "DELETE", target: `/v2/${path}` });
}

async function digestAt(rig: WireRig, path: string): Promise<string | undefined> {
  const { status, headers } = await rig.send({ method: "HEAD", target: `/v2/${path}` });
  return status === 200
    ? headers.find(([name]) => name.toLowerCase() === "docker-content-digest")?.[1]
    : undefined;
}

const v1 = "team/app/manifests/v1";

function refusal(answer: RawAnswer): { status: number; code: unknown; message: string } {
  const [error] = JSON.parse(answer.body.toString()).errors;
  return { status: answer.status, code: error.code, message: error.message };
}

for (const driver of localDrivers) {
  describe(`on the ${driver} driver`, () => {
    test("such a tag is set once and may be pushed again, but not moved", () =>
      withWireRig({ driver, settings }, async (rig) => {
        expect((await put(rig, v1, first)).status).toBe(201);
        expect((await put(rig, v1, first)).status).toBe(201);
        const refused = refusal(await put(rig, v1, second));
        expect(refused).toMatchObject({ status: 409, code: "DENIED" });
        expect(refused.message).toContain(`tag v1 of team/app is immutable`);
        expect(refused.message).toContain("immutabletags of the configuration says v*");
        expect(await digestAt(rig, v1)).toBe(first.digest);
        // Nothing was stored before it was refused.
        expect(await digestAt(rig, `team/app/manifests/${second.digest}`)).toBeUndefined();
      }));

    test("it is not deleted either, neither by name nor with its manifest", () =>
      withWireRig({ driver, settings }, async (rig) => {
        await put(rig, v1, first);
        await put(rig, "team/app/manifests/latest", first);
        expect(refusal(await remove(rig, v1))).toMatchObject({ status: 409, code: "DENIED" });
        const byDigest = await remove(rig, `team/app/manifests/${first.digest}`);
        expect(refusal(byDigest)).toMatchObject({ status: 409, code: "DENIED" });
        expect(await digestAt(rig, v1)).toBe(first.digest);
        expect(await digestAt(rig, "team/app/manifests/latest")).toBe(first.digest);
        expect((await remove(rig, "team/app/manifests/latest")).status).toBe(202);
        expect(await digestAt(rig, v1)).toBe(first.digest);
      }));

    test("other tags, exceptions and other repositories move and go as ever", () =>
      withWireRig({ driver, settings }, async (rig) => {
        for (const path of [
          "team/app/manifests/latest",
          "team/app/manifests/v1-rc1",
          "app/manifests/v1",
        ]) {
          expect((await put(rig, path, first)).status).toBe(201);
          expect((await put(rig, path, second)).status).toBe(201);
          expect(await digestAt(rig, path)).toBe(second.digest);
          expect((await remove(rig, path)).status).toBe(202);
          expect((await remove(rig, path)).status).toBe(404);
        }
        expect((await remove(rig, v1)).status).toBe(404);
      }));

    test("of several tags in one push none moves when one may not", () =>
      withWireRig({ driver, settings }, async (rig) => {
        await put(rig, v1, first);
        await put(rig, "team/app/manifests/latest", first);
        const path = `team/app/manifests/${second.digest}?tag=latest&tag=v1`;
        expect(refusal(await put(rig, path, second)).status).toBe(409);
        expect(await digestAt(rig, "team/app/manifests/latest")).toBe(first.digest);
      }));

    test("of twenty pushes at once exactly one sets it", () =>
      withWireRig({ driver, settings }, async (rig) => {
        const contents = Array.from({ length: 20 }, (_, index) => indexOf(`race ${index}`));
        const answers = await Promise.all(contents.map((content) => put(rig, v1, content)));
        const winners = contents.filter((_, index) => answers[index]?.status === 201);
        expect(winners).toHaveLength(1);
        expect(answers.filter(({ status }) => status === 409)).toHaveLength(19);
        expect(await digestAt(rig, v1)).toBe(winners[0]?.digest);
        expect(rig.errors).toEqual([]);
      }));
  });
}
