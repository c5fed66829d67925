/**
 * The values of the OCI image and distribution specifications: digests, names, tags, media types,
 * descriptors, manifests, and the table of problems. Everything here is pure: text and bytes come
 * in, a checked value or a reason comes out. It refuses to know of files, sockets and databases.
 */

import type { Digest } from "./digest.ts";
import type { Platform } from "./platform.ts";

/** What points to content: media type, digest and size (image-spec, descriptor). */
export interface Descriptor {
  readonly mediaType: string;
  readonly digest: Digest;
  readonly sizeBytes: number;
  readonly artifactType?: string;
  readonly annotations?: Readonly<Record<string, string>>;
  readonly platform?: Platform;
  /** Places outside the registry where the content lies; for layers that are never pushed. */
  readonly urls?: readonly string[];
}
