import { expect, test } from "bun:test";
import { openActivityStore } from "../activity/sql-activity-store.ts";
import { systemClock } from "../base/clock.ts";
import { systemRandom } from "../base/random.ts";
import { recordingLogger } from "../base/test-support.ts";
import type { MetadataStore } from "../metadata/metadata-store.ts";
import { openMetadataStore } from "../metadata/sql-metadata-store.ts";
import { digestOf } from "../oci/digest.ts";
import { mediaTypes } from "../oci/media-type.ts";
import { type Reason, RegistryError } from "../oci/problems.ts";
import { nameOf, tagOf } from "../oci/test-support.ts";
import { BlobStore } from "../storage/blob-store.ts";
import { MemoryStore } from "../storage/drivers/memory.ts";
import { LinkStore } from "../storage/link-store.ts";
import { UploadStore } from "../storage/upload-store.ts";
import { createRegistryContext, Registry } from "./registry.ts";
import { verifyMetadata } from "./verification.ts";

const name = nameOf("team/app");
const tag = tagOf("latest");
const otherTag = tagOf("other");
const bytesOf = (variant: string): Uint8Array =>
  new TextEncoder().encode(
    JSON.stringify({
      schemaVersion: 2,
      mediaType: mediaTypes.ociIndex,
      manifests: [],
      annotations: { variant },
    }),
  );
const signal = new AbortController().signal;

/** A registry whose metadata store takes no writes while `failure.reason` is set. */
async function openParts() {
  const failure: { reason: Reason | undefined } = { reason: undefined };
  const location = { kind: "sqlite", path: ":memory:" } as const;
  const real = await openMetadataStore(location);
  const metadata = new Proxy<MetadataStore>(real, {
    get(store, property: keyof MetadataStore) {
      const isWrite = /^(?:record|remove|replace)/.test(property);
      if (isWrite && failure.reason !== undefined) {
        const { reason } = failure;
        return () => Promise.reject(new RegistryError(reason));
      }
      const value: unknown = Reflect.get(store, property, store);
      return typeof value === "function" ? value.bind(store) : value;
    },
  });
  const objects = new MemoryStore(systemClock);
  const logger = recordingLogger();
  const links = new LinkStore(objects, logger);
  const parts = {
    objects,
    links,
    blobs: new BlobStore(objects),
    uploads: new UploadStore({ objects, clock: systemClock, random: systemRandom }),
    metadata,
    activity: await openActivityStore(location, { logger }),
    policy: {
      uploadsPerRepositoryMax: 100,
      leaseMs: 3_600_000,
      trashRetentionMs: 3_600_000,
      immutableTags: [],
      validation: {
        isEnabled: true,
        urls: { allow: [], deny: [] },
        indexes: { kind: "all" },
      },
    },
    clock: systemClock,
    random: systemRandom,
    logger,
  } as const;
  const registry = new Registry(createRegistryContext(parts));
  await registry.adoption.run(signal);
  const push = (variant: string, at = tag) =>
    registry.manifests.push({
      name,
      reference: { kind: "tag", tag: at },
      tags: [],
      bytes: bytesOf(variant),
      contentType: mediaTypes.ociIndex,
      actor: {},
    });
  const digestAt = async (at = tag) =>
    (await registry.manifests.stat(name, { kind: "tag", tag: at })).digest;
  const differences = async (): Promise<number> => {
    let count = 0;
    for await (const _ of verifyMetadata({ links, metadata: real }, registry.adoption)) count += 1;
    return count;
  };
  return { failure, registry, push, digestAt, differences };
}

for (const reason of ["storageFull", "databaseUnavailable"] as const) {
  test(`a push that could not be recorded (${reason}) is refused, and served as the layout has it`, async () => {
    const { failure, registry, push, digestAt, differences } = await openParts();
    await push("before");
    failure.reason = reason;
    expect(push("after")).rejects.toMatchObject({ reason });
    // The layout has the manifest, the rows have not: nobody is shown what is behind.
    const digest = digestOf(bytesOf("after"));
    const after = await registry.manifests.stat(name, { kind: "digest", digest });
    expect(after.digest).toBe(digest);
    expect(await digestAt()).toBe(digestOf(bytesOf("before")));
    expect(registry.adoption.isCurrent(name)).toBe(false);
    await registry.adoption.settleDoubts(signal);
    expect(registry.adoption.progress().isComplete).toBe(false);
    failure.reason = undefined;
    await push("after");
    expect(await digestAt()).toBe(digestOf(bytesOf("after")));
    await registry.adoption.settleDoubts(signal);
    expect(registry.adoption.progress().isComplete).toBe(true);
    expect(await digestAt()).toBe(digestOf(bytesOf("after")));
    expect(await differences()).toBe(0);
  });

  test(`deletions that could not be recorded (${reason}) are done all the same`, async () => {
    const { failure, registry, push, digestAt, differences } = await openParts();
    await push("one");
    await push("one", otherTag);
    failure.reason = reason;
    await registry.manifests.remove(name, { kind: "tag", tag }, {});
    expect(digestAt()).rejects.toMatchObject({ reason: "manifestUnknown" });
    // Which tags are left is asked of the layout, since the rows name one too many.
    const digest = digestOf(bytesOf("one"));
    await registry.manifests.remove(name, { kind: "digest", digest }, {});
    expect(digestAt(otherTag)).rejects.toMatchObject({ reason: "manifestUnknown" });
    failure.reason = undefined;
    await registry.adoption.settleDoubts(signal);
    expect(registry.adoption.isCurrent(name)).toBe(true);
    expect(await differences()).toBe(0);
  });
}
