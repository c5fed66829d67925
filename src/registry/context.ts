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
  /**
   * Keys: `repository:<name>`, shared by every push and taken alone by adoption;
   * `tag:<name>:<tag>`, taken alone by every move of a tag; `<digest>`, shared by everything
   * that relies on the blob and taken alone by what removes it; `trash:<digest>`, taken alone,
   * last and briefly, by what moves its bytes into the trash, out of it, or ends them; whoever
   * reads it looks whether it is taken.
   */
  readonly locks: SharedLocks;
}
