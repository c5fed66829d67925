import { join, resolve } from "node:path";
import type { ActivityStore } from "../activity/activity-store.ts";
import { openActivityStore } from "../activity/sql-activity-store.ts";
import type { Clock } from "../base/clock.ts";
import { ownerToBe } from "../base/folder-owner.ts";
import type { Logger } from "../base/logger.ts";
import { type Metrics, silentMetrics } from "../base/metrics.ts";
import type { Random } from "../base/random.ts";
import { systemSleep } from "../base/sleep.ts";
import type { Config } from "../config/config.ts";
import type { DatabaseLocation } from "../database/database.ts";
import { Scrub, type ScrubCounters } from "../gc/scrub.ts";
import type { MetadataStore } from "../metadata/metadata-store.ts";
import { openMetadataStore } from "../metadata/sql-metadata-store.ts";
import type { RegistryContext } from "../registry/context.ts";
import type { RegistryPolicy } from "../registry/policy.ts";
import { createRegistryContext, Registry } from "../registry/registry.ts";
import { BlobStore } from "../storage/blob-store.ts";
import { crowdedWrites } from "../storage/drivers/crowded-writes.ts";
import type { SyncFailure } from "../storage/drivers/degrading-file-system.ts";
import { FilesystemStore } from "../storage/drivers/filesystem.ts";
import { MemoryStore } from "../storage/drivers/memory.ts";
import { nodeFileSystem } from "../storage/drivers/node-file-system.ts";
import { ownedFileSystem } from "../storage/drivers/owned-file-system.ts";
import type { Reserve } from "../storage/drivers/reserve.ts";
import { reservingFileSystem } from "../storage/drivers/reserving-file-system.ts";
import { LinkStore } from "../storage/link-store.ts";
import { measuredStore } from "../storage/measured-store.ts";
import type { ObjectStore } from "../storage/object-store.ts";
import { Quarantine } from "../storage/quarantine.ts";
import { UploadStore } from "../storage/upload-store.ts";
import { databaseLocations } from "./database-locations.ts";
import { serverMetrics } from "./metrics.ts";
import { openReserve } from "./open-reserve.ts";
import { registryPolicy } from "./settings.ts";

export interface RegistryOptions {
  readonly storage:
    | { readonly kind: "memory" }
    | {
        readonly kind: "filesystem";
        readonly rootFolder: string;
        readonly durability: "full" | "none";
        /** Room that is kept for the day when the disk is full; none when it is left out. */
        readonly reserveBytes?: number;
      }
    /** Objects that the caller has opened: a test hands in a store with faults. */
    | { readonly kind: "opened"; readonly objects: ObjectStore };
  readonly metadata: DatabaseLocation;
  readonly records: DatabaseLocation;
  readonly policy: RegistryPolicy;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  /** Absent for commands, whose measurements nobody reads. */
  readonly metrics?: Metrics;
}

/** A registry with everything below it, opened. */
export interface OpenRegistry {
  readonly registry: Registry;
  /** What the use cases share with collection and the commands. */
  readonly context: RegistryContext;
  readonly objects: ObjectStore;
  readonly links: LinkStore;
  readonly uploads: UploadStore;
  readonly metadata: MetadataStore;
  readonly activity: ActivityStore;
  readonly quarantine: Quarantine;
  readonly scrub: Scrub;
  /** Absent where there is no disk that could be full. */
  readonly reserve: Reserve | undefined;
  /** Proves that the storage takes writes; looks after the reserve as well. */
  probe(): Promise<void>;
  /** Proves that the database gives answers. */
  probeDatabase(): Promise<void>;
  close(): Promise<void>;
}

/** Opens storage and metadata and puts the use cases on top. Adoption is left to the caller. */
export async function openRegistry(options: RegistryOptions): Promise<OpenRegistry> {
  const { clock, random, logger } = options;
  const reserve = await reserveFor(options);
  const objects = measured(await openObjects(options, reserve), options);
  const links = new LinkStore(objects, logger);
  const uploads = new UploadStore({ objects, clock, random });
  const metadata = await openMetadataStore(options.metadata, clock, { logger, reserve });
  const activity = await openActivityStore(options.records, { logger, reserve });
  const blobs = new BlobStore(objects);
  const context = createRegistryContext({
    objects,
    blobs,
    links,
    uploads,
    metadata,
    activity,
    policy: options.policy,
    clock,
    random,
    logger,
    restores: options.metrics?.counter(serverMetrics.restores),
  });
  const close = async (): Promise<void> => {
    await context.leases.end();
    await activity.close();
    await metadata.close();
  };
  const registry = new Registry(context);
  const quarantine = new Quarantine(objects);
  const counters = scrubCounters(options.metrics);
  const scrub = new Scrub({ ...context, quarantine, counters, sleep: systemSleep });
  options.metrics?.gauge({ ...serverMetrics.quarantinedBlobs, read: () => scrub.quarantined });
  return {
    registry,
    context,
    objects,
    links,
    uploads,
    metadata,
    activity,
    quarantine,
    scrub,
    reserve,
    probe: async () => {
      await reserve?.look();
      await objects.probe();
    },
    probeDatabase: async () => void (await metadata.readState("probe")),
    close,
  };
}

/** The registry that the configuration describes. */
export async function openConfiguredRegistry(
  config: Config,
  parts: Pick<RegistryOptions, "clock" | "random" | "logger" | "metrics">,
): Promise<OpenRegistry> {
  const { driver } = config.storage;
  return openRegistry({
    ...parts,
    ...databaseLocations(config),
    storage:
      driver.kind === "inmemory"
        ? { kind: "memory" }
        : {
            kind: "filesystem",
            rootFolder: resolve(driver.rootDirectory),
            durability: driver.durability,
            reserveBytes: driver.reserveBytes,
          },
    policy: registryPolicy(config),
  });
}

function scrubCounters(metrics: Metrics = silentMetrics): ScrubCounters {
  return {
    blobs: metrics.counter(serverMetrics.scrubbedBlobs),
    bytes: metrics.counter(serverMetrics.scrubbedBytes),
    corrupt: metrics.counter(serverMetrics.scrubCorrupt),
    unreadable: metrics.counter(serverMetrics.scrubUnreadable),
  };
}

/** With measurements, where somebody reads them. */
function measured(store: ObjectStore, options: RegistryOptions): ObjectStore {
  const { metrics, clock, storage } = options;
  if (metrics === undefined) return store;
  const driver = storage.kind === "filesystem" ? "filesystem" : "inmemory";
  return measuredStore(store, {
    seconds: metrics.histogram(serverMetrics.storageAction),
    driver,
    clock,
  });
}

async function reserveFor(options: RegistryOptions): Promise<Reserve | undefined> {
  const { storage, metadata, records } = options;
  if (storage.kind !== "filesystem") return undefined;
  const { rootFolder, reserveBytes: sizeBytes = 0 } = storage;
  return openReserve({ ...options, rootFolder, sizeBytes, databases: [metadata, records] });
}

async function openObjects(
  options: RegistryOptions,
  reserve: Reserve | undefined,
): Promise<ObjectStore> {
  const { storage, clock, random, logger, metrics } = options;
  if (storage.kind === "memory") return new MemoryStore(clock);
  if (storage.kind === "opened") return storage.objects;
  let isDegraded = false;
  metrics?.gauge({ ...serverMetrics.storageDegraded, read: () => (isDegraded ? 1 : 0) });
  const onDegraded = ({ path, cause }: SyncFailure): void => {
    isDegraded = true;
    logger.error(
      "the disk failed to store what was written: nothing is written any more, pulls go on; " +
        "check the disk, then restart the registry",
      { path, error: cause },
    );
  };
  const owner = ownerToBe(join(storage.rootFolder, "berth/tmp"));
  const owned = ownedFileSystem(crowdedWrites(nodeFileSystem, clock), owner);
  const fileSystem = reserve === undefined ? owned : reservingFileSystem(owned, reserve);
  const parts = { fileSystem, clock, random, onDegraded };
  return FilesystemStore.open({ ...storage, ...parts });
}
