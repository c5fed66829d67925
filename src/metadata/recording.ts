import { assert } from "../base/assert.ts";
import type { Clock } from "../base/clock.ts";
import type { Database, Transaction } from "../database/database.ts";
import type { Placeholders } from "../database/statement.ts";
import type { Digest } from "../oci/digest.ts";
import type { RepositoryName } from "../oci/repository-name.ts";
import type { Tag } from "../oci/tag.ts";
import {
  type AnnotationRow,
  type ChildRow,
  type LayerRow,
  type ManifestRow,
  type ReferenceRow,
  rowsOf,
} from "./manifest-rows.ts";
import type { BlobRecord, ManifestRecord, RepositoryContent, TagRecord } from "./metadata-store.ts";
import { blobId } from "./subqueries.ts";
import type { MetadataTables } from "./tables.ts";

/** As the database gives it: a number, or PostgreSQL's text. */
export type RowId = number | string;

type InRepository = { readonly repositoryId: RowId };
type OfManifest = { readonly manifestId: RowId };
type DigestIn = InRepository & { readonly digest: Digest };

/** Writes rows inside a transaction that its caller has begun. */
export class Recorder {
  readonly #statements: ReturnType<typeof prepareStatements>;
  readonly #clock: Clock;

  constructor(database: Database<MetadataTables>, clock: Clock) {
    this.#statements = prepareStatements(database);
    this.#clock = clock;
  }

  /**
   * The repository's id; makes it when it is new, and counts its revision up.
   *
   * The row stays locked to the transaction's end, so that recordings of one repository follow
   * each other, and each transaction takes its locks in the same order: repository, then blobs.
   */
  async touchRepository(transaction: Transaction, repository: RepositoryName): Promise<RowId> {
    const row = await transaction.first(this.#statements.touchRepository, { repository });
    assert(row !== undefined, "an upsert gives the row");
    return row.id;
  }

  async removeRepository(transaction: Transaction, repository: RepositoryName): Promise<void> {
    await transaction.run(this.#statements.removeRepository, { repository });
  }

  async writeTags(
    transaction: Transaction,
    repositoryId: RowId,
    tags: readonly TagRecord[],
  ): Promise<void> {
    const rows = tags.map(({ tag, digest, pushedAtMs, stamp }) => {
      return { repositoryId, tag, digest, pushedAtMs: Math.floor(pushedAtMs), stamp };
    });
    await transaction.runAll(this.#statements.writeTag, rows);
  }

  async removeTags(
    transaction: Transaction,
    repositoryId: RowId,
    tags: readonly Tag[],
  ): Promise<void> {
    const rows = tags.map((tag) => ({ repositoryId, tag }));
    await transaction.runAll(this.#statements.removeTag, rows);
  }

  async writeBlobs(
    transaction: Transaction,
    repositoryId: RowId,
    blobs: readonly BlobRecord[],
  ): Promise<void> {
    // Sorted, so that two transactions never wait for each other's blobs crosswise.
    const rows = [...blobs].sort((a, b) => (a.digest < b.digest ? -1 : 1));
    const touchedAtMs = this.#clock.nowMs();
    await transaction.runAll(
      this.#statements.writeBlob,
      rows.map(({ digest, sizeBytes }) => ({ digest, sizeBytes, touchedAtMs })),
    );
    await transaction.runAll(
      this.#statements.linkBlob,
      rows.map(({ digest }) => ({ repositoryId, digest })),
    );
  }

  /** Unlinks; what is known of the blob itself stays, until its bytes are collected. */
  async unlinkBlobs(
    transaction: Transaction,
    repositoryId: RowId,
    digests: readonly Digest[],
  ): Promise<void> {
    const rows = digests.map((digest) => ({ repositoryId, digest }));
    await transaction.runAll(this.#statements.unlinkBlob, rows);
  }

  async writeManifest(
    transaction: Transaction,
    repositoryId: RowId,
    record: ManifestRecord,
  ): Promise<void> {
    const statements = this.#statements;
    const rows = rowsOf(record);
    const { digest, fingerprint } = rows.manifest;
    const known = await transaction.first(statements.findManifest, { repositoryId, digest });
    if (known?.fingerprint === fingerprint) {
      // What a digest stands for never changes: another push of it moves its time only.
      const { pushed_at_ms: pushedAtMs } = rows.manifest;
      await transaction.run(statements.renewManifest, { repositoryId, digest, pushedAtMs });
      return;
    }
    const touchedAtMs = this.#clock.nowMs();
    await transaction.runAll(
      statements.nameBlob,
      rows.references.map((reference) => ({ digest: reference.digest, touchedAtMs })),
    );
    const { sizeBytes } = record;
    await transaction.run(statements.writeBlob, { digest, sizeBytes, touchedAtMs });
    // Deleted first, so that rows of an older reading of the same manifest go with it.
    await transaction.run(statements.removeManifest, { repositoryId, digest });
    const manifest = await transaction.first(statements.writeManifest, {
      repositoryId,
      ...rows.manifest,
    });
    assert(manifest !== undefined, "an insert gives the row");
    const ofManifest = <T extends object>(row: T) => ({ manifestId: manifest.id, ...row });
    await transaction.runAll(statements.writeReference, rows.references.map(ofManifest));
    await transaction.runAll(statements.writeChild, rows.children.map(ofManifest));
    await transaction.runAll(statements.writeLayer, rows.layers.map(ofManifest));
    await transaction.runAll(statements.writeAnnotation, rows.annotations.map(ofManifest));
  }

  async removeManifests(
    transaction: Transaction,
    repositoryId: RowId,
    digests: readonly Digest[],
  ): Promise<void> {
    const rows = digests.map((digest) => ({ repositoryId, digest }));
    await transaction.runAll(this.#statements.removeManifest, rows);
  }

  async removeTagsOf(transaction: Transaction, repositoryId: RowId, digest: Digest): Promise<void> {
    await transaction.run(this.#statements.removeTagsOf, { repositoryId, digest });
  }

  async writeUnreadable(
    transaction: Transaction,
    repositoryId: RowId,
    { manifests, tags }: NonNullable<RepositoryContent["unreadable"]>,
  ): Promise<void> {
    await transaction.run(this.#statements.writeUnreadable, { repositoryId, manifests, tags });
  }

  async writeState(transaction: Transaction, key: string, value: string): Promise<void> {
    await transaction.run(this.#statements.writeState, { key, value });
  }
}

function prepareStatements(database: Database<MetadataTables>) {
  return {
    ...prepareRepositoryStatements(database),
    ...prepareBlobStatements(database),
    ...prepareManifestStatements(database),
    ...prepareManifestParts(database),
  };
}

function prepareRepositoryStatements(database: Database<MetadataTables>) {
  type Named = { readonly repository: RepositoryName };
  type TagIn = InRepository & { readonly tag: Tag };
  type TagRow = TagIn & Omit<TagRecord, "tag">;
  type Unreadable = InRepository & NonNullable<RepositoryContent["unreadable"]>;
  return {
    touchRepository: database.prepare((query, param: Placeholders<Named>) =>
      query
        .insertInto("repositories")
        .values({ name: param.repository, revision: 1 })
        .onConflict((conflict) =>
          conflict
            .column("name")
            .doUpdateSet((eb) => ({ revision: eb("repositories.revision", "+", 1) })),
        )
        .returning("id"),
    ),
    removeRepository: database.prepare((query, param: Placeholders<Named>) =>
      query.deleteFrom("repositories").where("name", "=", param.repository),
    ),
    writeUnreadable: database.prepare((query, param: Placeholders<Unreadable>) =>
      query
        .updateTable("repositories")
        .set({ unreadable_manifests: param.manifests, unreadable_tags: param.tags })
        .where("id", "=", param.repositoryId),
    ),
    writeTag: database.prepare((query, param: Placeholders<TagRow>) =>
      query
        .insertInto("tags")
        .values({
          repository_id: param.repositoryId,
          name: param.tag,
          digest: param.digest,
          pushed_at_ms: param.pushedAtMs,
          stamp: param.stamp,
        })
        .onConflict((conflict) =>
          conflict.columns(["repository_id", "name"]).doUpdateSet((eb) => ({
            digest: eb.ref("excluded.digest"),
            pushed_at_ms: eb.ref("excluded.pushed_at_ms"),
            stamp: eb.ref("excluded.stamp"),
          })),
        ),
    ),
    removeTag: database.prepare((query, param: Placeholders<TagIn>) =>
      query
        .deleteFrom("tags")
        .where("repository_id", "=", param.repositoryId)
        .where("name", "=", param.tag),
    ),
    removeTagsOf: database.prepare((query, param: Placeholders<DigestIn>) =>
      query
        .deleteFrom("tags")
        .where("repository_id", "=", param.repositoryId)
        .where("digest", "=", param.digest),
    ),
    writeState: database.prepare(
      (query, param: Placeholders<{ readonly key: string; readonly value: string }>) =>
        query
          .insertInto("state")
          .values({ key: param.key, value: param.value })
          .onConflict((conflict) =>
            conflict.column("key").doUpdateSet((eb) => ({ value: eb.ref("excluded.value") })),
          ),
    ),
  };
}

/** A new row begins its grace now. */
type NewBlob = { readonly digest: Digest; readonly touchedAtMs: number };

function prepareBlobStatements(database: Database<MetadataTables>) {
  return {
    /** Gives the digest an id, where it has none, without saying that its bytes are there. */
    nameBlob: database.prepare((query, param: Placeholders<NewBlob>) =>
      query
        .insertInto("blobs")
        .values({ digest: param.digest, size_bytes: null, touched_at_ms: param.touchedAtMs })
        .onConflict((conflict) => conflict.column("digest").doNothing()),
    ),
    writeBlob: database.prepare(
      (query, param: Placeholders<NewBlob & { readonly sizeBytes: number }>) =>
        query
          .insertInto("blobs")
          .values({
            digest: param.digest,
            size_bytes: param.sizeBytes,
            touched_at_ms: param.touchedAtMs,
          })
          .onConflict((conflict) =>
            conflict
              .column("digest")
              .doUpdateSet((eb) => ({ size_bytes: eb.ref("excluded.size_bytes") }))
              // Most blobs are shared: a row that says the same is neither written nor locked.
              .where((eb) =>
                eb("blobs.size_bytes", "is distinct from", eb.ref("excluded.size_bytes")),
              ),
          ),
    ),
    linkBlob: database.prepare((query, param: Placeholders<DigestIn>) =>
      query
        .insertInto("repository_blobs")
        .values({ repository_id: param.repositoryId, blob_id: blobId(query, param) })
        .onConflict((conflict) => conflict.columns(["repository_id", "blob_id"]).doNothing()),
    ),
    unlinkBlob: database.prepare((query, param: Placeholders<DigestIn>) =>
      query
        .deleteFrom("repository_blobs")
        .where("repository_id", "=", param.repositoryId)
        .where("blob_id", "=", blobId(query, param)),
    ),
  };
}

function prepareManifestStatements(database: Database<MetadataTables>) {
  type Renewal = DigestIn & { readonly pushedAtMs: number };
  return {
    findManifest: database.prepare((query, param: Placeholders<DigestIn>) =>
      query
        .selectFrom("manifests")
        .select("fingerprint")
        .where("repository_id", "=", param.repositoryId)
        .where("digest", "=", param.digest),
    ),
    renewManifest: database.prepare((query, param: Placeholders<Renewal>) =>
      query
        .updateTable("manifests")
        .set({ pushed_at_ms: param.pushedAtMs })
        .where("repository_id", "=", param.repositoryId)
        .where("digest", "=", param.digest),
    ),
    removeManifest: database.prepare((query, param: Placeholders<DigestIn>) =>
      query
        .deleteFrom("manifests")
        .where("repository_id", "=", param.repositoryId)
        .where("digest", "=", param.digest),
    ),
    writeManifest: database.prepare((query, param: Placeholders<InRepository & ManifestRow>) =>
      query
        .insertInto("manifests")
        .values({
          repository_id: param.repositoryId,
          digest: param.digest,
          kind: param.kind,
          media_type: param.media_type,
          artifact_type: param.artifact_type,
          subject_digest: param.subject_digest,
          size_bytes: param.size_bytes,
          config_digest: param.config_digest,
          config_media_type: param.config_media_type,
          config_size_bytes: param.config_size_bytes,
          os: param.os,
          architecture: param.architecture,
          variant: param.variant,
          built_at_ms: param.built_at_ms,
          pushed_at_ms: param.pushed_at_ms,
          fingerprint: param.fingerprint,
        })
        .returning("id"),
    ),
  };
}

function prepareManifestParts(database: Database<MetadataTables>) {
  return {
    writeReference: database.prepare((query, param: Placeholders<OfManifest & ReferenceRow>) =>
      query.insertInto("blob_references").values({
        manifest_id: param.manifestId,
        blob_id: blobId(query, param),
        role: param.role,
      }),
    ),
    writeChild: database.prepare((query, param: Placeholders<OfManifest & ChildRow>) =>
      query.insertInto("index_children").values({
        manifest_id: param.manifestId,
        position: param.position,
        digest: param.digest,
        media_type: param.media_type,
        size_bytes: param.size_bytes,
        artifact_type: param.artifact_type,
        os: param.os,
        architecture: param.architecture,
        variant: param.variant,
        os_version: param.os_version,
        is_attestation: param.is_attestation,
      }),
    ),
    writeLayer: database.prepare((query, param: Placeholders<OfManifest & LayerRow>) =>
      query.insertInto("manifest_layers").values({
        manifest_id: param.manifestId,
        position: param.position,
        digest: param.digest,
        media_type: param.media_type,
        size_bytes: param.size_bytes,
        diff_id: param.diff_id,
        instruction: param.instruction,
      }),
    ),
    writeAnnotation: database.prepare((query, param: Placeholders<OfManifest & AnnotationRow>) =>
      query.insertInto("annotations").values({
        manifest_id: param.manifestId,
        source: param.source,
        position: param.position,
        key: param.key,
        value: param.value,
      }),
    ),
  };
}
