import type { ActivityStore } from "../activity/activity-store.ts";
import type { Clock } from "../base/clock.ts";
import type { Logger } from "../base/logger.ts";
import { SharedLocks } from "../base/shared-lock.ts";
import type { MetadataStore } from "../metadata/metadata-store.ts";
import type { BlobStore } from "../storage/blob-store.ts";
import type { LinkStore } from "../storage/link-store.ts";
import type { ObjectStore } from "../storage/object-store.ts";
import type { UploadStore } from "../storage/upload-store.ts";
import { Adoption } from "./adoption.ts";
import { Blobs } from "./blobs.ts";
import { Catalog } from "./catalog.ts";
import { Lookup } from "./lookup.ts";
import { ManifestReader } from "./manifest-reader.ts";
import { Manifests } from "./manifests.ts";
import type { RegistryPolicy } from "./policy.ts";
import { Referrers } from "./referrers.ts";
import { Tags } from "./tags.ts";
import { Uploads } from "./uploads.ts";

/**
 * The use cases of a registry: push, pull, discover and delete, as the distribution
 * specification names them. The layout is the truth and is written first; the metadata store is
 * recorded after it. This room knows nothing of HTTP, of users' rights and of upstreams.
 */
export class Registry {
  readonly blobs: Blobs;
  readonly uploads: Uploads;
  readonly manifests: Manifests;
  readonly tags: Tags;
  readonly referrers: Referrers;
  readonly catalog: Catalog;
  readonly adoption: Adoption;

  constructor(parts: RegistryParts) {
    const reader = new ManifestReader(parts.blobs);
    const locks = new SharedLocks();
    this.adoption = new Adoption({ ...parts, reader, locks });
    const lookup = new Lookup({ ...parts, reader, adoption: this.adoption });
    const context: RegistryContext = { ...parts, reader, lookup, locks, adoption: this.adoption };
    this.blobs = new Blobs(context);
    this.uploads = new Uploads(context);
    this.manifests = new Manifests(context);
    this.tags = new Tags(context);
    this.referrers = new Referrers(context);
    this.catalog = new Catalog(context);
  }
}

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
  readonly logger: Logger;
}

/** What every use case works with. */
export interface RegistryContext extends RegistryParts {
  readonly reader: ManifestReader;
  readonly lookup: Lookup;
  readonly adoption: Adoption;
  /**
   * Keys: `repository:<name>`, shared by every push and taken alone by adoption;
   * `tag:<name>:<tag>`, taken alone by every move of a tag; `<digest>`, shared by everything
   * that relies on the blob and taken alone by what removes it.
   */
  readonly locks: SharedLocks;
}
