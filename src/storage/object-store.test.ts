import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { systemClock } from "../base/clock.ts";
import { systemRandom } from "../base/random.ts";
import { FilesystemStore } from "./drivers/filesystem.ts";
import { MemoryStore } from "./drivers/memory.ts";
import { nodeFileSystem } from "./drivers/node-file-system.ts";
import { objectStoreSuite } from "./object-store.suite.ts";

objectStoreSuite("the memory driver", async () => ({
  store: new MemoryStore(systemClock),
  close: async () => undefined,
}));

objectStoreSuite("the filesystem driver", async () => {
  const rootFolder = mkdtempSync(join(tmpdir(), "berth-objects-"));
  const store = await FilesystemStore.open({
    rootFolder,
    durability: "full",
    fileSystem: nodeFileSystem,
    clock: systemClock,
    random: systemRandom,
  });
  return { store, close: async () => rmSync(rootFolder, { recursive: true, force: true }) };
});
