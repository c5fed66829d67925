/** What a command or a restart finds on a full disk, and where the reserve lies. */
import { expect, test } from "bun:test";
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { mountSmallDisk, smallDiskSkipReason } from "../../test/support/small-disk.ts";
import { systemClock } from "../base/clock.ts";
import { systemRandom } from "../base/random.ts";
import { recordingLogger } from "../base/test-support.ts";
import { loadConfig } from "../config/load.ts";
import { type OpenRegistry, openConfiguredRegistry } from "./open-registry.ts";

const open = (rootFolder: string, more = ""): Promise<OpenRegistry> => {
  const filesystem = `{ rootdirectory: ${rootFolder}, reserve: 256KiB }`;
  const text = `version: 0.1\nstorage: { filesystem: ${filesystem} }\n${more}`;
  const { config } = loadConfig({ text, environment: {} });
  const logger = recordingLogger();
  return openConfiguredRegistry(config, { clock: systemClock, random: systemRandom, logger });
};

test.skipIf(smallDiskSkipReason !== undefined)(
  "a registry that was held up by a full disk opens, and its databases take rows",
  async () => {
    using disk = mountSmallDisk("bytes");
    const first = await open(disk.path);
    await first.probe();
    expect(first.reserve?.isHeld).toBe(true);
    await first.close();
    // The files beside the databases went with it: an opening makes them anew, and needs room.
    expect(existsSync(join(disk.path, "berth/metadata.sqlite-shm"))).toBe(false);
    disk.fill();
    const second = await open(disk.path);
    expect(second.reserve?.isGivenBack).toBe(true);
    await second.metadata.writeState("key", "value");
    expect(await second.metadata.readState("key")).toBe("value");
    disk.free();
    await second.probe();
    expect(second.reserve?.isHeld).toBe(true);
    await second.close();
  },
);

test.skipIf(smallDiskSkipReason !== undefined)(
  "databases on a file system of their own have a reserve of their own",
  async () => {
    using disk = mountSmallDisk("bytes");
    const root = mkdtempSync(join(tmpdir(), "berth-open-reserve-"));
    try {
      const opened = await open(root, `metadata: { database: ${disk.path}/metadata.sqlite }`);
      await opened.probe();
      expect(existsSync(join(root, "berth/reserve/15"))).toBe(true);
      expect(existsSync(join(disk.path, "reserve/15"))).toBe(true);
      disk.fill();
      await opened.metadata.writeState("key", "x".repeat(100_000));
      expect(opened.reserve?.isGivenBack).toBe(true);
      disk.free();
      await opened.close();
    } finally {
      rmSync(root, { recursive: true });
    }
  },
);

test("databases on the same file system share it", async () => {
  const root = mkdtempSync(join(tmpdir(), "berth-open-reserve-"));
  try {
    const opened = await open(root, `metadata: { database: ${root}/elsewhere/metadata.sqlite }`);
    await opened.probe();
    expect(existsSync(join(root, "berth/reserve/15"))).toBe(true);
    expect(existsSync(join(root, "elsewhere/reserve"))).toBe(false);
    await opened.close();
  } finally {
    rmSync(root, { recursive: true });
  }
});
