import type { Descriptor } from "./descriptor.ts";
import type { ManifestMediaType } from "./media-type.ts";

/**
 * What a registry needs to know of a manifest. The bytes stay what the client sent: this is
 * read from them and never written back.
 */
export interface Manifest {
  readonly mediaType: ManifestMediaType;
  /** `image` has config and layers, `index` has children. */
  readonly kind: "image" | "index";
  /** As the referrers API reports it: the manifest's own, else the config's media type. */
  readonly artifactType?: string;
  readonly subject?: Descriptor;
  readonly annotations: Readonly<Record<string, string>>;
  readonly config?: Descriptor;
  readonly layers: readonly Descriptor[];
  /** The children of an index. Buildkit's cache indexes have layer blobs here. */
  readonly manifests: readonly Descriptor[];
}
