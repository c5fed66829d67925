import { expect, test } from "bun:test";
import { nameOf, tagOf } from "../oci/test-support.ts";
import { openTestRegistry } from "./test-support.ts";

const app = nameOf("team/app");

/** A volume of which nothing is recorded: new to Berth, or its metadata was deleted. */
test("a tag that is deleted while its repository is read for the first time stays deleted", async () => {
  const before = await openTestRegistry();
  const digest = await before.image(app, "one", { tag: "v1" });
  await before.image(app, "two", { tag: "v2" });
  await before.close();
  const opened = await openTestRegistry({ left: before });
  const { registry, links, context } = opened;
  const listLayers = links.listLayers.bind(links);
  let isDeleted = false;
  // The last thing that is read: by then the tag was seen.
  links.listLayers = async (name) => {
    if (!isDeleted) {
      isDeleted = true;
      await registry.manifests.remove(app, { kind: "tag", tag: tagOf("v1") }, {});
    }
    return listLayers(name);
  };
  await registry.adoption.run(new AbortController().signal);
  expect(isDeleted).toBe(true);
  expect(registry.adoption.progress().isComplete).toBe(true);
  expect(await context.lookup.findTag(app, tagOf("v1"))).toBeUndefined();
  expect(await context.lookup.findTag(app, tagOf("v2"))).toBeDefined();
  expect(await context.lookup.findManifest(app, digest)).toBeDefined();
  await opened.close();
});

test("whoever deletes a tag of a repository that never was leaves no trace", async () => {
  const opened = await openTestRegistry();
  const { registry, metadata } = opened;
  const reference = { kind: "tag", tag: tagOf("v1") } as const;
  expect(registry.manifests.remove(app, reference, {})).rejects.toThrow("v1");
  expect(await metadata.hasRepository(app)).toBe(false);
  await opened.close();
});
