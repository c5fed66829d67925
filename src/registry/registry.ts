import { SharedLocks } from "../base/shared-lock.ts";
import { Adoption } from "./adoption.ts";
import { Blobs } from "./blobs.ts";
import { Catalog } from "./catalog.ts";
import type { RegistryContext, RegistryParts } from "./context.ts";
import { Leases } from "./leases.ts";
import { Lookup } from "./lookup.ts";
import { ManifestReader } from "./manifest-reader.ts";
import { Manifests } from "./manifests.ts";
import { Referrers } from "./referrers.ts";
import { Removals } from "./removals.ts";
import { Tags } from "./tags.ts";
import { Undo } from "./undo.ts";
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
  readonly removals: Removals;
  readonly undo: Undo;
  readonly referrers: Referrers;
  readonly catalog: Catalog;
  readonly adoption: Adoption;

  constructor(context: RegistryContext) {
    this.adoption = context.adoption;
    this.blobs = new Blobs(context);
    this.uploads = new Uploads(context);
    this.undo = new Undo(context);
    this.removals = new Removals(context);
    this.manifests = new Manifests(context, this.removals);
    this.tags = new Tags(context);
    this.referrers = new Referrers(context);
    this.catalog = new Catalog(context);
  }
}

/** What the use cases share with the works that go on beside them. */
export function createRegistryContext(parts: RegistryParts): RegistryContext {
  const reader = new ManifestReader(parts.blobs);
  const locks = new SharedLocks();
  const adoption = new Adoption({ ...parts, reader, locks });
  const leases = new Leases({ ...parts, graceMs: parts.policy.leaseMs });
  const lookup = new Lookup({ ...parts, reader, adoption, leases, locks });
  return { ...parts, reader, lookup, locks, adoption, leases };
}
