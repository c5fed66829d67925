import { expect, spyOn, test } from "bun:test";
import { RegistryError } from "../oci/problems.ts";
import { nameOf, tagOf } from "../oci/test-support.ts";
import { openTestRegistry } from "./test-support.ts";

const app = nameOf("team/app");

test("a deletion that fails half way is not hidden by rows that are behind", async () => {
  const { adopt, image, objects, registry, context, metadata, adoption } = await opened();
  await adopt();
  const digest = await image(app, "one", { tag: "v1" });
  const removeFolder = objects.removeFolder.bind(objects);
  objects.removeFolder = async (folder) => {
    if (folder.endsWith("/tags/v1")) throw new Error("EIO");
    return removeFolder(folder);
  };
  const reference = { kind: "tag", tag: tagOf("v1") } as const;
  expect(registry.manifests.remove(app, reference, {})).rejects.toThrow("EIO");
  // The link is gone, and so the tag: the same now and after a restart.
  expect(await context.lookup.findTag(app, tagOf("v1"))).toBeUndefined();
  await adoption.settleDoubts(new AbortController().signal);
  expect(await metadata.findTag(app, tagOf("v1"))).toBeUndefined();
  expect(await metadata.findManifest(app, digest)).toBeDefined();
});

test("an image of an index that lies in the trash of blobs comes back as an image", async () => {
  const { adopt, image, index, registry, context, expectWhole } = await opened();
  await adopt();
  const child = await image(app, "one");
  const parent = await index(app, [child], "v1");
  for (const digest of [parent, child]) {
    await registry.manifests.remove(app, { kind: "digest", digest }, {});
  }
  await context.blobs.trash([child]);
  context.reader.forget(child);
  await registry.undo.restoreTag(
    app,
    { tag: tagOf("v1"), digest: undefined },
    { actor: {}, isForced: false },
  );
  await expectWhole(app, parent);
});

test("a whole repository goes while no database takes a row", async () => {
  const { adopt, image, registry, metadata, activity, context, links } = await opened();
  await adopt();
  await image(app, "one", { tag: "v1" });
  const refuse = async (): Promise<never> => {
    throw new RegistryError("storageFull");
  };
  const refused = [
    spyOn(context.adoption, "adopt").mockImplementation(refuse),
    spyOn(metadata, "removeTag").mockImplementation(refuse),
    spyOn(metadata, "removeManifest").mockImplementation(refuse),
    spyOn(metadata, "removeBlob").mockImplementation(refuse),
    spyOn(metadata, "removeRepository").mockImplementation(refuse),
    spyOn(activity, "recordTagEvent").mockImplementation(refuse),
    spyOn(activity, "recordAudit").mockImplementation(refuse),
    spyOn(activity.trash, "add").mockImplementation(refuse),
  ];
  const { removed } = await registry.removals.remove([{ kind: "repository", name: app }], {});
  expect(removed.map((it) => it.tag)).toEqual([tagOf("v1"), undefined]);
  expect(await links.listRevisions(app)).toEqual([]);
  expect(await context.lookup.hasRepository(app)).toBe((await links.listLayers(app)).length > 0);
  for (const spy of refused) spy.mockRestore();
  await context.adoption.settleDoubts(new AbortController().signal);
  expect(await metadata.findTag(app, tagOf("v1"))).toBeUndefined();
});

async function opened() {
  const registry = await openTestRegistry();
  return { ...registry, adoption: registry.registry.adoption };
}
