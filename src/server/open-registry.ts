import type { ActivityStore } from "../activity/activity-store.ts";
import { openActivityStore } from "../activity/sql-activity-store.ts";
import type { Clock } from "../base/clock.ts";
import type { Logger } from "../base/logger.ts";
import type { Random } from "../base/random.ts";
import type { DatabaseLocation } from "../database/database.ts";
import type { MetadataStore } from "../metadata/metadata-store.ts";
import { openMetadataStore } from "../metadata/sql-metadata-store.ts";
import type { RegistryPolicy } from "../registry/policy.ts";
import { Registry } from "../registry/registry.ts";
import { BlobStore } from "../storage/blob-store.ts";
import { FilesystemStore } from "../storage/drivers/filesystem.ts";
import { MemoryStore } from "../storage/drivers/memory.ts";
import { nodeFileSystem } from "../storage/drivers/node-file-system.ts";
import { LinkStore } from "../storage/link-store.ts";
import type { ObjectStore } from "../storage/object-store.ts";
import { UploadStore } from "../storage/upload-store.ts";

export interface RegistryOptions {
  readonly storage:
    | { readonly kind: "memory" }
    | {
        readonly kind: "filesystem";
        readonly rootFolder: string;
        readonly durability: "full" | "none";
      };
  readonly metadata: DatabaseLocation;
  readonly records: DatabaseLocation;
  readonly policy: RegistryPolicy;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
}

/** A registry with everything below it, opened. */
export interface OpenRegistry {
  readonly registry: Registry;
  readonly objects: ObjectStore;
  readonly links: LinkStore;
  readonly uploads: UploadStore;
  readonly metadata: MetadataStore;
  readonly activity: ActivityStore;
  close(): Promise<void>;
}

/** Opens storage and metadata and puts the use cases on top. Adoption is left to the caller. */
export async function openRegistry(options: RegistryOptions): Promise<OpenRegistry> {
  const { clock, random, logger } = options;
  const objects = await openObjects(options);
  const links = new LinkStore(objects, logger);
  const uploads = new UploadStore({ objects, clock, random });
  const metadata = await openMetadataStore(options.metadata);
  const activity = await openActivityStore(options.records, { logger });
  const registry = new Registry({
    objects,
    blobs: new BlobStore(objects),
    links,
    uploads,
    metadata,
    activity,
    policy: options.policy,
    clock,
    logger,
  });
  const close = async (): Promise<void> => {
    await activity.close();
    await metadata.close();
  };
  return { registry, objects, links, uploads, metadata, activity, close };
}

async function openObjects({ storage, clock, random }: RegistryOptions): Promise<ObjectStore> {
  if (storage.kind === "memory") return new MemoryStore(clock);
  return FilesystemStore.open({ ...storage, fileSystem: nodeFileSystem, random });
}
