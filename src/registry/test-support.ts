/** A registry in memory with a clock that a test moves. The program does not import it. */

import { expect } from "bun:test";
import { systemRandom } from "../base/random.ts";
import { FakeClock, recordingLogger } from "../base/test-support.ts";
import { loadConfig } from "../config/load.ts";
import type { DatabaseLocation } from "../database/database.ts";
import { Collector } from "../gc/collector.ts";
import { type Digest, digestOf } from "../oci/digest.ts";
import { blobsOf } from "../oci/manifest.ts";
import { mediaTypes } from "../oci/media-type.ts";
import type { RepositoryName } from "../oci/repository-name.ts";
import { tagOf } from "../oci/test-support.ts";
import { openRegistry } from "../server/open-registry.ts";
import { registryPolicy } from "../server/settings.ts";
import { MemoryStore } from "../storage/drivers/memory.ts";

export const hourMs = 3_600_000;

export interface TestRegistryOptions {
  /** Settings in YAML, beside those of a registry in memory. */
  readonly config?: string;
  /** By their environment names, without REGISTRY_: `{ TRASH_RETENTION: "0s" }`. */
  readonly settings?: Readonly<Record<string, string>>;
  /** What an earlier registry of the same test has left. */
  readonly left?: { readonly objects: MemoryStore; readonly clock: FakeClock };
  readonly metadata?: DatabaseLocation;
  readonly records?: DatabaseLocation;
}

export async function openTestRegistry(options: TestRegistryOptions = {}) {
  const clock = options.left?.clock ?? new FakeClock();
  const objects = options.left?.objects ?? new MemoryStore(clock);
  const logger = recordingLogger();
  const environment = Object.fromEntries(
    Object.entries(options.settings ?? {}).map(([name, value]) => [`REGISTRY_${name}`, value]),
  );
  const memory = { kind: "sqlite", path: ":memory:" } as const;
  const text = `version: 0.1\nstorage: inmemory\n${options.config ?? ""}`;
  const { config } = loadConfig({ text, environment });
  const opened = await openRegistry({
    storage: { kind: "opened", objects },
    metadata: options.metadata ?? memory,
    records: options.records ?? memory,
    policy: registryPolicy(config),
    clock,
    random: systemRandom,
    logger,
  });
  const adopt = () => opened.registry.adoption.run(new AbortController().signal);
  return {
    ...opened,
    ...pushing(opened),
    ...{ clock, objects, logger, config, adopt },
    collect: collecting(opened),
  };
}

export type TestRegistry = Awaited<ReturnType<typeof openTestRegistry>>;
type Opened = Awaited<ReturnType<typeof openRegistry>>;

/** What clients do. */
function pushing({ registry, context }: Opened) {
  async function blob(name: RepositoryName, text: string): Promise<Digest> {
    const digest = digestOf(text);
    const session = await registry.uploads.begin(name, { owner: "", algorithm: "sha256" });
    const source = new Blob([text]).stream();
    await registry.uploads.finish({ name, id: session.id, owner: "" }, digest, { source });
    return digest;
  }
  async function push(
    name: RepositoryName,
    value: object,
    tag: string | undefined,
  ): Promise<Digest> {
    const bytes = new TextEncoder().encode(JSON.stringify(value));
    const reference =
      tag === undefined
        ? ({ kind: "digest", digest: digestOf(bytes) } as const)
        : ({ kind: "tag", tag: tagOf(tag) } as const);
    const actor = { name: "anna", client: "docker/29.0" };
    const push = { name, reference, tags: [], bytes, contentType: undefined, actor };
    return (await registry.manifests.push(push)).digest;
  }
  /** An image of one layer; without a tag it is pushed by digest. */
  async function image(
    name: RepositoryName,
    layer: string,
    { tag, subject }: { readonly tag?: string; readonly subject?: Digest } = {},
  ): Promise<Digest> {
    const descriptor = async (text: string) => ({
      mediaType: "application/octet-stream",
      digest: await blob(name, text),
      size: text.length,
    });
    const value = {
      schemaVersion: 2,
      mediaType: mediaTypes.ociManifest,
      config: await descriptor(`config of ${layer}`),
      layers: [await descriptor(layer)],
      ...(subject !== undefined && {
        artifactType: "application/vnd.example.signature",
        subject: { mediaType: mediaTypes.ociManifest, digest: subject, size: 1 },
      }),
    };
    return push(name, value, tag);
  }
  function index(name: RepositoryName, children: readonly Digest[], tag?: string): Promise<Digest> {
    const mediaType = mediaTypes.ociManifest;
    const manifests = children.map((digest) => ({ mediaType, digest, size: 1 }));
    return push(name, { schemaVersion: 2, mediaType: mediaTypes.ociIndex, manifests }, tag);
  }
  /** What a pull by tag gives, its blobs included; undefined when it gives nothing. */
  async function pulled(name: RepositoryName, tag: string): Promise<Digest | undefined> {
    const found = await context.lookup.findTag(name, tagOf(tag));
    if (found === undefined) return undefined;
    await expectWhole(name, found.digest);
    return found.digest;
  }
  async function expectWhole(name: RepositoryName, digest: Digest): Promise<void> {
    expect(await context.lookup.findManifest(name, digest)).toBeDefined();
    expect((await context.blobs.rehash(digest))?.actual).toBe(digest);
    const { manifest } = (await context.reader.parsed(digest)) ?? expect.unreachable(digest);
    for (const child of manifest.manifests) await expectWhole(name, child.digest);
    for (const { digest: part } of blobsOf(manifest)) {
      expect(await context.lookup.findBlob(name, part)).toBeDefined();
      expect((await context.blobs.rehash(part))?.actual).toBe(part);
    }
  }
  return { blob, image, index, pulled, expectWhole };
}

/** One round of collection, which asks the real trash. */
function collecting({ context }: Opened) {
  const undo = context.activity.trash;
  const graces = { graceMs: 24 * hourMs, trashGraceMs: 24 * hourMs };
  const collector = new Collector({ ...context, undo }, graces);
  const pace = async (): Promise<void> => undefined;
  return async () => {
    await context.leases.flush();
    return collector.run({ signal: new AbortController().signal, pace });
  };
}
