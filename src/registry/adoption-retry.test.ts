import { expect, test } from "bun:test";
import { RegistryError } from "../oci/problems.ts";
import { nameOf } from "../oci/test-support.ts";
import { hourMs, openTestRegistry } from "./test-support.ts";

const signal = new AbortController().signal;
const layers = "docker/registry/v2/repositories/team/app/_layers/sha256";

/** A storage that fails in one folder, and a comparison whose pauses are counted. */
async function openFailing(failingFolder: string) {
  const opened = await openTestRegistry();
  await opened.blob(nameOf("team/app"), "garbage");
  await opened.blob(nameOf("other"), "garbage");
  const { adoption } = opened.registry;
  const list = opened.objects.list.bind(opened.objects);
  const disk: { reason: "storageUnavailable" | "storageFull" | undefined } = {
    reason: "storageUnavailable",
  };
  opened.objects.list = async (folder) => {
    if (disk.reason !== undefined && folder === failingFolder) throw new RegistryError(disk.reason);
    return list(folder);
  };
  const errors = () => opened.logger.lines.filter(({ level }) => level === "error");
  await adoption.run(signal);
  expect(adoption.progress().isComplete).toBe(false);
  return { ...opened, adoption, disk, errors };
}

for (const folder of [layers, "docker/registry/v2/repositories"]) {
  test(`a comparison that failed in ${folder} is repeated, and collection waits no longer`, async () => {
    const { adoption, disk, errors, collect, clock } = await openFailing(folder);
    const said = errors().length;
    expect(said).toBeGreaterThan(0);
    clock.pass(26 * hourMs);
    expect((await collect()).problem).toBeDefined();
    const pausesMs: number[] = [];
    await adoption.retry(async (delayMs) => {
      pausesMs.push(delayMs);
      if (pausesMs.length === 20) disk.reason = undefined;
    }, signal);
    expect(pausesMs).toHaveLength(20);
    expect(pausesMs.slice(0, 3)).toEqual([1_000, 2_000, 4_000]);
    expect(pausesMs.at(-1)).toBe(600_000);
    expect(errors()).toHaveLength(said);
    expect(adoption.progress().isComplete).toBe(true);
    expect((await collect()).problem).toBeUndefined();
  });
}

test("another cause is said too, and what is repeated ends when the server does", async () => {
  const { adoption, disk, errors } = await openFailing(layers);
  const ends = new AbortController();
  const said = errors().length;
  let passes = 0;
  await adoption.retry(async () => {
    passes += 1;
    if (passes === 2) disk.reason = "storageFull";
    if (passes === 5) ends.abort();
  }, ends.signal);
  expect(errors()).toHaveLength(said + 1);
  expect(adoption.progress().isComplete).toBe(false);
});

test("nothing is repeated of a comparison that went well", async () => {
  const { adopt, registry } = await openTestRegistry();
  await adopt();
  await registry.adoption.retry(async () => expect.unreachable(), signal);
});

for (const first of ["the comparison", "a request"] as const) {
  test(`a server that stops does not wait for the rest of a repository that ${first} began`, async () => {
    const opened = await openTestRegistry();
    const app = nameOf("team/app");
    for (let it = 0; it < 100; it += 1) await opened.blob(app, `layer ${it}`);
    await opened.metadata.removeRepository(app);
    const { adoption } = opened.registry;
    const ends = new AbortController();
    const { links } = opened.context;
    const readLayer = links.readLayer.bind(links);
    let looks = 0;
    let asked: Promise<void> | undefined;
    links.readLayer = async (...args) => {
      looks += 1;
      asked ??= adoption.adopt(app);
      if (looks === 10) ends.abort();
      return readLayer(...args);
    };
    if (first === "a request") asked = adoption.adopt(app);
    await adoption.run(ends.signal);
    expect(looks).toBeLessThan(30);
    expect(adoption.progress().isComplete).toBe(false);
    expect(opened.logger.lines.filter(({ level }) => level === "error")).toEqual([]);
    // A request was not told to end.
    await asked;
    expect(adoption.isCurrent(app)).toBe(true);
  });
}

test("a comparison that takes long in one repository says so", async () => {
  const opened = await openTestRegistry();
  const app = nameOf("team/app");
  for (let it = 0; it < 3; it += 1) await opened.blob(app, `layer ${it}`);
  await opened.metadata.removeRepository(app);
  const { links } = opened.context;
  const readLayer = links.readLayer.bind(links);
  links.readLayer = async (...asked) => {
    opened.clock.pass(6_000);
    return readLayer(...asked);
  };
  await opened.registry.adoption.run(signal);
  const said = opened.logger.lines.filter(({ message }) => message.startsWith("comparing"));
  expect(said.map(({ fields }) => fields["repository"])).toContain(app);
  expect(said.length).toBeGreaterThan(1);
});
