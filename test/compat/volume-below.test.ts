/** A volume below the root directory: many keep `docker/registry/v2` alone on one. */

import { expect, test } from "bun:test";
import { existsSync, mkdirSync, mkdtempSync, rmSync, symlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { systemClock } from "../../src/base/clock.ts";
import { silentLogger } from "../../src/base/logger.ts";
import { nameOf } from "../../src/oci/test-support.ts";
import { holdRoot } from "../../src/server/root-owner.ts";
import { mountSmallDisk, smallDiskSkipReason } from "../support/small-disk.ts";
import { openFolder, pushImage, referenceOf } from "./commanded-registry.ts";

const why = smallDiskSkipReason === undefined ? "" : ` (${smallDiskSkipReason})`;

test
  .skipIf(smallDiskSkipReason !== undefined)
  .each(["docker", "docker/registry", "docker/registry/v2"])(
  `a registry whose %s is a file system of its own takes pushes and deletes${why}`,
  async (at) => {
    using disk = mountSmallDisk("bytes");
    const root = mkdtempSync(join(tmpdir(), "berth-below-"));
    try {
      const mount = join(root, at);
      mkdirSync(dirname(mount), { recursive: true });
      symlinkSync(disk.path, mount);
      const held = holdRoot(root, { clock: systemClock, logger: silentLogger });
      const opened = await openFolder(root);
      try {
        await opened.registry.adoption.run(new AbortController().signal);
        const image = { repository: "app", tag: "v1", layer: "layer" };
        const [manifest] = await pushImage(opened, image);
        const pulled = await opened.registry.manifests.pull(nameOf("app"), referenceOf("v1"));
        expect<string | undefined>(pulled.digest).toBe(manifest);
        await opened.registry.manifests.remove(nameOf("app"), referenceOf("v1"), {});
        // What has to outlive the container is where the data is.
        expect(existsSync(join(disk.path, "berth/berth.sqlite"))).toBe(true);
      } finally {
        await opened.close();
        held.release();
      }
    } finally {
      rmSync(root, { recursive: true, force: true });
    }
  },
);
