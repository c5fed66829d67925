/** What a repair leaves when it is killed, and when the disk fails at it. */
import { expect, test } from "bun:test";
import { RegistryError } from "../oci/problems.ts";
import { nameOf, tagOf } from "../oci/test-support.ts";
import { openTestRegistry } from "../registry/test-support.ts";
import { fsck } from "./fsck.ts";
import { newLooked } from "./fsck-repository.ts";

const app = nameOf("team/app");

test("a tag whose repair is broken off is as it was, and is not cleared away", async () => {
  const { adopt, image, objects, context, quarantine, scrub, pulled } = await openTestRegistry();
  await adopt();
  const digest = await image(app, "one", { tag: "v1" });
  const key = `docker/registry/v2/repositories/${app}/_manifests/tags/v1/current/link`;
  await objects.put(key, new TextEncoder().encode("damaged"));
  const { signal } = new AbortController();
  const options = { repairs: true, isDeep: false, signal, looked: newLooked() };
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

const below = "docker/registry/v2/repositories/team/app/_manifests/revisions/sha256";

/** Two images, of which one has no tag, and a disk that fails to read one file. */
async function failing() {
  const registry = await openTestRegistry();
  await registry.adopt();
  const untagged = await registry.image(app, "untagged");
  const tagged = await registry.image(app, "tagged", { tag: "v1" });
  const { context, quarantine, scrub, objects } = registry;
  const { signal } = new AbortController();
  const options = { repairs: true, isDeep: false, signal, looked: newLooked() };
  const repair = () => Array.fromAsync(fsck({ ...context, scrub, quarantine }, options));
  const disk: { fails: string | undefined } = { fails: undefined };
  const [read, stream] = [objects.read.bind(objects), objects.readStream.bind(objects)];
  objects.read = async (key, max) => {
    if (key === disk.fails) throw new RegistryError("storageUnavailable");
    return read(key, max);
  };
  objects.readStream = (key, range) => {
    if (key === disk.fails) throw new RegistryError("storageUnavailable");
    return stream(key, range);
  };
  const linkOf = (digest: string) => `${below}/${digest.slice(7)}/link`;
  const bytesOf = (digest: string) =>
    `docker/registry/v2/blobs/sha256/${digest.slice(7, 9)}/${digest.slice(7)}/data`;
  return { ...registry, untagged, tagged, repair, disk, linkOf, bytesOf };
}

test("a damaged link stays where it is while nobody can read what it leads to", async () => {
  const { untagged, repair, disk, linkOf, bytesOf, objects, ...rest } = await failing();
  await objects.put(linkOf(untagged), new TextEncoder().encode("damaged"));
  rest.context.reader.forget(untagged);
  disk.fails = bytesOf(untagged);
  const codes = (await repair()).map(({ code, outcome }) => `${outcome} ${code}`);
  expect(codes).toContain("error link-damaged");
  expect(await objects.stat(linkOf(untagged))).toBeDefined();
  expect(await Array.fromAsync(rest.quarantine.listLinks())).toEqual([]);
  disk.fails = undefined;
  expect((await repair()).map(({ outcome }) => outcome)).toContain("mended");
  await rest.expectWhole(app, untagged);
});

for (const what of ["a link", "a manifest"]) {
  test(`${what} that cannot be read for a moment costs nothing`, async () => {
    const { untagged, tagged, repair, disk, linkOf, bytesOf, ...rest } = await failing();
    const before = [...(await rest.metadata.snapshotOf(app)).manifests];
    for (const digest of [untagged, tagged]) {
      rest.context.reader.forget(digest);
      disk.fails = what === "a link" ? linkOf(digest) : bytesOf(digest);
      await repair().catch((error: unknown) => expect(error).toBeInstanceOf(RegistryError));
      disk.fails = undefined;
      const after = await rest.metadata.snapshotOf(app);
      expect([...after.manifests]).toEqual(before);
      await rest.expectWhole(app, digest);
    }
    expect(await rest.pulled(app, "v1")).toBe(tagged);
    expect((await repair()).map(({ outcome }) => outcome)).toEqual([]);
  });
}
