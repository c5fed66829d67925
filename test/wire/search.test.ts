/** `/v1/search`, which gives `docker search` and `podman search` a search. */
import { describe, expect, test } from "bun:test";
import { localDrivers, type WireRig, withWireRig } from "../support/wire-rig.ts";
import { manifestOf } from "./content.ts";

const mediaType = "application/vnd.oci.image.index.v1+json";
const index = manifestOf({ schemaVersion: 2, mediaType, manifests: [] }, { mediaType });

async function pushRepositories(rig: WireRig, names: readonly string[]): Promise<void> {
  const headers = { "Content-Type": mediaType };
  for (const name of names) {
    const target = `/v2/${name}/manifests/latest`;
    const { status } = await rig.send({ method: "PUT", target, body: index.bytes, headers });
    expect(status).toBe(201);
  }
}

async function found(rig: WireRig, query: string): Promise<readonly string[]> {
  const answer = await rig.send({ method: "GET", target: `/v1/search${query}` });
  expect(answer.status).toBe(200);
  const { results, ...rest } = JSON.parse(answer.body.toString());
  const names: readonly string[] = results.map(({ name }: { name: string }) => name);
  expect(rest).toMatchObject({ num_results: names.length, num_pages: 1, page: 1 });
  return names;
}

describe.each(localDrivers)("a search on the %s driver", (driver) => {
  test("finds the names that contain the text, whatever its case", () =>
    withWireRig({ driver }, async (rig) => {
      await pushRepositories(rig, ["team/web", "team/api", "webshop"]);
      expect(await found(rig, "?q=WEB")).toEqual(["team/web", "webshop"]);
      expect(await found(rig, "?q=team%2F")).toEqual(["team/api", "team/web"]);
      expect(await found(rig, "?q=%25")).toEqual([]);
      expect(await found(rig, "")).toHaveLength(3);
    }));

  test("finds as many as were asked for: none, 25, and a hundred at most", () =>
    withWireRig({ driver }, async (rig) => {
      await pushRepositories(
        rig,
        Array.from({ length: 104 }, (_, at) => `many/r${at}`),
      );
      expect(await found(rig, "?q=many&n=0")).toEqual([]);
      expect(await found(rig, "?q=many&n=3")).toHaveLength(3);
      expect(await found(rig, "?q=many")).toHaveLength(25);
      expect(await found(rig, "?q=many&n=500")).toHaveLength(100);
      const { status } = await rig.send({ method: "GET", target: "/v1/search?n=-1" });
      expect(status).toBe(400);
    }));
});
