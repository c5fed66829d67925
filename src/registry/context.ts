import type { ActivityStore } from "../activity/activity-store.ts";
import type { Clock } from "../base/clock.ts";
import type { Logger } from "../base/logger.ts";
import type { Counter } from "../base/metrics.ts";
import type { Random } from "../base/random.ts";
import type { SharedLocks } from "../base/shared-lock.ts";
import type { MetadataStore } from "../metadata/metadata-store.ts";
import type { BlobStore } from "../storage/blob-store.ts";
import type { LinkStore } from "../storage/link-store.ts";
import type { ObjectStore } from "../storage/object-store.ts";
import type { UploadStore } from "../storage/upload-store.ts";
import type { Adoption } from "./adoption.ts";
import type { Leases } from "./leases.ts";
import type { Lookup } from "./lookup.ts";
import type { ManifestReader } from "./manifest-reader.ts";
import type { RegistryPolicy } from "./policy.ts";

/** What a registry is made of. */
export interface RegistryParts {
  readonly objects: ObjectStore;
  readonly blobs: BlobStore;
  readonly links: LinkStore;
  readonly uploads: UploadStore;
  readonly metadata: MetadataStore;
  readonly activity: ActivityStore;
  readonly policy: RegistryPolicy;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  /** Counts what is taken back; absent for commands, whose measurements nobody reads. */
  readonly restores?: Counter | undefined;
}

/** What every use case works with. */
export interface RegistryContext extends RegistryParts {
  readonly reader: ManifestReader;
  readonly lookup: Lookup;
  readonly adoption: Adoption;
  readonly leases: Leases;
  /** By the keys of `lock-keys.ts`, which says who takes which. */
  readonly locks: SharedLocks;
}
