import { expect, test } from "bun:test";
import { nameOf, openTestRegistry, tagOf } from "../registry/test-support.ts";
import { fsck } from "./fsck.ts";

const app = nameOf("team/app");

test("a tag whose repair is broken off is as it was, and is not cleared away", async () => {
  const { adopt, image, objects, context, quarantine, scrub, pulled } = await openTestRegistry();
  await adopt();
  const digest = await image(app, "one", { tag: "v1" });
  const key = `docker/registry/v2/repositories/${app}/_manifests/tags/v1/current/link`;
  await objects.put(key, new TextEncoder().encode("damaged"));
  const options = { repairs: true, isDeep: false, signal: new AbortController().signal };
  const repair = () => Array.fromAsync(fsck({ ...context, scrub, quarantine }, options));
  const put = objects.put.bind(objects);
  objects.put = async (at, bytes) => {
    if (at === key) throw new Error("killed");
    return put(at, bytes);
  };
  expect(repair()).rejects.toThrow("killed");
  objects.put = put;
  await context.links.clearRemnants(app);
  expect(await context.links.stampOfTag(app, tagOf("v1"))).toBeDefined();
  expect((await repair()).map(({ outcome }) => outcome)).toContain("mended");
  expect(await pulled(app, "v1")).toBe(digest);
  expect(await Array.fromAsync(quarantine.listLinks())).toHaveLength(1);
});
