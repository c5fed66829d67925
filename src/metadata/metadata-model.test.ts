import { afterAll, describe, expect, test } from "bun:test";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import * as fc from "fast-check";
import { postgresSkipReason, testPostgres } from "../../test/support/postgres.ts";
import { nameOf, tagOf } from "../oci/test-support.ts";
import {
  blobDescriptor,
  childOf,
  digestOfText,
  imageRecord,
  indexRecord,
  tagRecord,
} from "./metadata-samples.ts";
import type { ManifestRecord, MetadataStore } from "./metadata-store.ts";
import { openMetadataStore } from "./sql-metadata-store.ts";

const subject = digestOfText("subject");
const images = ["zero", "one", "two"].map((text) => imageRecord(text));
const manifests: readonly ManifestRecord[] = [
  ...images,
  indexRecord("index", images.map(childOf)),
  indexRecord("cache", [blobDescriptor("cached", "application/octet-stream")]),
  imageRecord("referrer", { subject, annotations: { a: "1", b: "2" }, artifactType: "a/b" }),
];
const blobs = ["a", "b", "c"].map((text) => ({ digest: digestOfText(text), sizeBytes: 9 }));
const repositories = ["m/a", "m/b"].map(nameOf);
const tags = ["t1", "t2", "T1"].map(tagOf);

/** What a repository holds, said as simply as can be. */
interface Model {
  readonly tags: Map<string, ManifestRecord>;
  readonly manifests: Set<ManifestRecord>;
  readonly blobs: Set<string>;
}

const pick = <T>(values: readonly T[]) => fc.constantFrom(...values);
const repository = pick(repositories);

/** One step: what it does to the store, and to the model. */
const step = fc.oneof(
  fc.record({
    kind: fc.constant("push" as const),
    repository,
    record: pick(manifests),
    tag: pick(tags),
  }),
  fc.record({ kind: fc.constant("manifest" as const), repository, record: pick(manifests) }),
  fc.record({ kind: fc.constant("removeManifest" as const), repository, record: pick(manifests) }),
  fc.record({ kind: fc.constant("removeTag" as const), repository, tag: pick(tags) }),
  fc.record({ kind: fc.constant("blob" as const), repository, blob: pick(blobs) }),
  fc.record({ kind: fc.constant("removeBlob" as const), repository, blob: pick(blobs) }),
  fc.record({ kind: fc.constant("removeRepository" as const), repository }),
);
type Step = typeof step extends fc.Arbitrary<infer T> ? T : never;

async function applyToStore(store: MetadataStore, it: Step): Promise<void> {
  switch (it.kind) {
    case "push":
      return store.recordPush(it.repository, it.record, [tagRecord(it.tag, it.record)]);
    case "manifest":
      return store.recordManifest(it.repository, it.record);
    case "removeManifest":
      return store.removeManifest(it.repository, it.record.digest);
    case "removeTag":
      return store.removeTag(it.repository, it.tag);
    case "blob":
      return store.recordBlob(it.repository, it.blob);
    case "removeBlob":
      return store.removeBlob(it.repository, it.blob.digest);
    case "removeRepository":
      return store.removeRepository(it.repository);
  }
}

function applyToModel(models: Map<string, Model>, it: Step): void {
  if (it.kind === "removeRepository") models.delete(it.repository);
  else if (!models.has(it.repository)) {
    models.set(it.repository, { tags: new Map(), manifests: new Set(), blobs: new Set() });
  }
  const model = models.get(it.repository);
  if (model === undefined) return;
  if (it.kind === "push") model.tags.set(it.tag, it.record);
  if (it.kind === "push" || it.kind === "manifest") model.manifests.add(it.record);
  if (it.kind === "blob") model.blobs.add(it.blob.digest);
  if (it.kind === "removeBlob") model.blobs.delete(it.blob.digest);
  if (it.kind === "removeTag") model.tags.delete(it.tag);
  if (it.kind === "removeManifest") {
    model.manifests.delete(it.record);
    for (const [tag, record] of model.tags) if (record === it.record) model.tags.delete(tag);
  }
}

/** All that can be asked of the store, and what the model answers to it. */
async function expectSame(store: MetadataStore, models: Map<string, Model>): Promise<void> {
  const names = [...models].filter(([, model]) => model.manifests.size > 0).map(([name]) => name);
  expect(await store.listRepositories({ limit: 10 })).toEqual(names.sort());
  for (const name of repositories) {
    const model = models.get(name);
    expect(await store.hasRepository(name)).toBe(model !== undefined);
    expect(await store.listTags(name, { limit: 10 })).toEqual(
      [...(model?.tags.keys() ?? [])].sort(),
    );
    for (const tag of tags) {
      expect((await store.findTag(name, tag))?.digest).toBe(model?.tags.get(tag)?.digest);
    }
    for (const blob of blobs) {
      const isThere = model?.blobs.has(blob.digest) === true;
      expect(await store.findBlob(name, blob.digest)).toBe(isThere ? 9 : undefined);
    }
    for (const record of manifests) {
      const isThere = model?.manifests.has(record) === true;
      const found = await store.findManifest(name, record.digest);
      expect(found?.sizeBytes).toBe(isThere ? record.sizeBytes : undefined);
      const parents = [...(model?.manifests ?? [])]
        .filter((it) => it.manifest.manifests.some((child) => child.digest === record.digest))
        .map((it) => it.digest);
      expect(await store.parentsOf(name, record.digest, 10)).toEqual(parents.sort());
    }
    const referrers = [...(model?.manifests ?? [])].filter(
      (it) => it.manifest.subject !== undefined,
    );
    expect((await store.listReferrers(name, subject, { limit: 9 })).map((it) => it.digest)).toEqual(
      referrers.map((it) => it.digest),
    );
  }
}

function modelTest(name: string, runs: number, open: () => Promise<MetadataStore>): void {
  describe(name, () => {
    test("any sequence of recordings and removals answers as the model does", async () => {
      const store = await open();
      const property = fc.asyncProperty(fc.array(step, { maxLength: 40 }), async (steps) => {
        for (const name of repositories) await store.removeRepository(name);
        const models = new Map<string, Model>();
        for (const it of steps) {
          await applyToStore(store, it);
          applyToModel(models, it);
        }
        await expectSame(store, models);
      });
      try {
        await fc.assert(property, { numRuns: runs });
      } finally {
        await store.close();
      }
    });
  });
}

const folder = mkdtempSync(join(tmpdir(), "berth-model-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

modelTest("SQLite in memory", 100, () => openMetadataStore({ kind: "sqlite", path: ":memory:" }));
modelTest("SQLite", 50, () =>
  openMetadataStore({ kind: "sqlite", path: join(folder, "metadata.sqlite") }),
);
const skipped = postgresSkipReason;
if (skipped === undefined) {
  modelTest("PostgreSQL", 20, async () => {
    const { url } = await testPostgres();
    return openMetadataStore({ kind: "postgres", url, schema: "metadata_model" });
  });
} else {
  describe("PostgreSQL", () => {
    test.skip(skipped, () => undefined);
  });
}
