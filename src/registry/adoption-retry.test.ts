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
