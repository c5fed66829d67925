/** Distribution and Berth, by turns, on one directory. */
import { expect, test } from "bun:test";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { stringify } from "yaml";
import { ask, type Endpoint, storedDigest, storedManifest } from "../support/endpoints.ts";
import {
  type ImageFixture,
  imageTools,
  multiPlatformImage,
  secondImage,
  smallImage,
  zstdImage,
} from "../support/images.ts";
import { run } from "../support/processes.ts";
import {
  configuration,
  kindUnderTest,
  type RegistryKind,
  registryCommand,
  startRegistry,
} from "../support/registry-server.ts";
import { layoutFiles, type RegistrySnapshot, snapshot } from "../support/registry-snapshot.ts";
import { temporaryFolder } from "../support/run-folder.ts";
import { describeWith } from "../support/tools.ts";

const berth = kindUnderTest;

await describeWith("one directory", [...imageTools, "distribution"], () => {
  test("what Distribution wrote, Berth serves: every tag, manifest and blob", async () => {
    const folder = temporaryFolder("directory");
    const written = await serve("distribution", folder, async (endpoint) => {
      await pushEverything(endpoint);
      return snapshot(endpoint);
    });
    expect(countTags(written)).toBe(7);
    expect(await serve(berth, folder, snapshot)).toEqual(written);
  });

  test("what Berth pushed, deleted and tagged anew, Distribution serves; and back", async () => {
    const folder = temporaryFolder("directory");
    await serve("distribution", folder, pushEverything);

    const afterBerth = await serve(berth, folder, async (endpoint) => {
      await push(endpoint, await secondImage(), "berth/second:v1");
      await push(endpoint, await multiPlatformImage(), ["team/app:multi", "--all"]);
      await push(endpoint, await secondImage(), "team/app:latest");
      await deleteManifest(endpoint, "team/zstd", "v1");
      const untagged = await ask(endpoint, "/v2/deep/a/b/c/manifests/v1", { method: "DELETE" });
      // Distribution of this age deletes by digest only.
      if (endpoint.server.kind === "berth") expect(untagged.status).toBe(202);
      return snapshot(endpoint);
    });
    expect(afterBerth["team/app"]?.["latest"]?.digest).toBe((await secondImage()).digest);
    expect(afterBerth["team/zstd"]).toBeUndefined();

    const afterDistribution = await serve("distribution", folder, async (endpoint) => {
      expect(await snapshot(endpoint)).toEqual(afterBerth);
      expect(await storedManifest(endpoint, "team/zstd", "v1")).toBeUndefined();
      // What Berth deleted is pushed again, what Berth pushed is deleted, and a tag moves.
      await push(endpoint, await zstdImage(), "team/zstd:v1");
      await deleteManifest(endpoint, "berth/second", "v1");
      await push(endpoint, await smallImage(), "team/app:latest");
      return snapshot(endpoint);
    });

    await serve(berth, folder, async (endpoint) => {
      expect(await snapshot(endpoint)).toEqual(afterDistribution);
      expect(await storedManifest(endpoint, "berth/second", "v1")).toBeUndefined();
      await push(endpoint, await secondImage(), "berth/second:v1");
      await deleteManifest(endpoint, "team/zstd", "v1");
      await push(endpoint, await zstdImage(), "team/zstd:v2");
    });
    await serve("distribution", folder, async (endpoint) => {
      const last = await snapshot(endpoint);
      expect(last["berth/second"]?.["v1"]?.digest).toBe((await secondImage()).digest);
      expect(Object.keys(last["team/zstd"] ?? {})).toEqual(["v2"]);
    });
  });

  test("the same pushes and deletes leave the same files", async () => {
    const trees = [];
    for (const kind of ["distribution", berth] as const) {
      const folder = temporaryFolder("directory");
      await serve(kind, folder, async (endpoint) => {
        await pushEverything(endpoint);
        await push(endpoint, await secondImage(), "team/app:latest");
        await deleteManifest(endpoint, "team/zstd", "v1");
        await push(endpoint, await zstdImage(), "team/zstd:v1");
        await deleteManifest(endpoint, "docker/format", "v1");
      });
      trees.push(layoutFiles(folder));
    }
    const [byDistribution, byBerth] = trees;
    expect(Object.keys(byDistribution ?? {}).length).toBeGreaterThan(50);
    expect(byBerth).toEqual(byDistribution);
  });

  test("Distribution's garbage-collect on Berth's directory loses nothing that lives", async () => {
    const folder = temporaryFolder("directory");
    const deadLayer = (await zstdImage()).layerDigests[0] ?? "";
    const before = await serve(berth, folder, async (endpoint) => {
      await pushEverything(endpoint);
      await deleteManifest(endpoint, "team/zstd", "v1");
      return snapshot(endpoint);
    });
    const dead = `blobs/sha256/${deadLayer.slice(7, 9)}/${deadLayer.slice(7)}/data`;
    expect(Object.keys(layoutFiles(folder))).toContain(dead);

    const file = join(temporaryFolder("collect"), "config.yml");
    writeFileSync(
      file,
      stringify(configuration({ dataFolder: folder, host: "127.0.0.1:0", config: {} })),
    );
    await run(registryCommand("distribution", ["garbage-collect", file]));

    // It did collect: what nothing names is gone.
    expect(Object.keys(layoutFiles(folder))).not.toContain(dead);
    await serve(berth, folder, async (endpoint) => {
      expect(await snapshot(endpoint)).toEqual(before);
      // Nobody may be told that a collected layer is still there.
      await push(endpoint, await zstdImage(), "team/zstd:v1");
      expect(await storedDigest(endpoint, "team/zstd", "v1")).toBe((await zstdImage()).digest);
      expect((await snapshot(endpoint))["team/zstd"]?.["v1"]?.blobs[deadLayer]).toBe(deadLayer);
    });
  });
});

/** Seven tags in five repositories: shared layers, an index, Docker's types, two tags of one. */
async function pushEverything(endpoint: Endpoint): Promise<void> {
  await push(endpoint, await smallImage(), "team/app:v1");
  await push(endpoint, await smallImage(), "team/app:latest");
  await push(endpoint, await secondImage(), "team/app:v2");
  await push(endpoint, await multiPlatformImage(), ["team/multi:v1", "--all"]);
  await push(endpoint, await zstdImage(), "team/zstd:v1");
  await push(endpoint, await smallImage(), ["docker/format:v1", "--format", "v2s2"]);
  await push(endpoint, await secondImage(), "deep/a/b/c:v1");
}

/** `target` is a repository and a tag, and what skopeo is told besides. */
async function push(
  endpoint: Endpoint,
  image: ImageFixture,
  target: string | readonly [name: string, ...options: string[]],
): Promise<void> {
  const [name, ...options] = typeof target === "string" ? [target] : target;
  // skopeo remembers, beyond a run, which layers have the same content in another compression,
  // and would send another image than it was given.
  const exact = options.includes("--format") ? [] : ["--preserve-digests"];
  const flags = ["--dest-tls-verify=false", ...exact, ...options];
  await run(["skopeo", "copy", ...flags, image.source, `docker://${endpoint.host}/${name}`]);
}

async function deleteManifest(endpoint: Endpoint, name: string, tag: string): Promise<void> {
  const digest = await storedDigest(endpoint, name, tag);
  const path = `/v2/${name}/manifests/${digest}`;
  expect((await ask(endpoint, path, { method: "DELETE" })).status).toBe(202);
}

/** Serves the directory with one of the programs for as long as `work` takes. */
async function serve<T>(
  kind: RegistryKind,
  dataFolder: string,
  work: (endpoint: Endpoint) => Promise<T>,
): Promise<T> {
  const server = await startRegistry({ kind, dataFolder });
  try {
    return await work({ mode: "anonymous", server, host: server.host, needsLogin: false });
  } finally {
    await server.stop();
  }
}

function countTags(found: RegistrySnapshot): number {
  return Object.values(found).reduce((sum, tags) => sum + Object.keys(tags).length, 0);
}
