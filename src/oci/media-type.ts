/** The media types that a registry has to know by name. */
export const mediaTypes = {
  ociManifest: "application/vnd.oci.image.manifest.v1+json",
  ociIndex: "application/vnd.oci.image.index.v1+json",
  ociConfig: "application/vnd.oci.image.config.v1+json",
  dockerConfig: "application/vnd.docker.container.image.v1+json",
  dockerManifest: "application/vnd.docker.distribution.manifest.v2+json",
  dockerManifestList: "application/vnd.docker.distribution.manifest.list.v2+json",
  dockerSchema1: "application/vnd.docker.distribution.manifest.v1+json",
  dockerSchema1Signed: "application/vnd.docker.distribution.manifest.v1+prettyjws",
  octetStream: "application/octet-stream",
} as const;

/** Media types of a manifest that Berth stores; nothing else is ever served as a manifest. */
export type ManifestMediaType =
  | typeof mediaTypes.ociManifest
  | typeof mediaTypes.ociIndex
  | typeof mediaTypes.dockerManifest
  | typeof mediaTypes.dockerManifestList;

const manifestMediaTypes: ReadonlySet<string> = new Set([
  mediaTypes.ociManifest,
  mediaTypes.ociIndex,
  mediaTypes.dockerManifest,
  mediaTypes.dockerManifestList,
]);

export function isManifestMediaType(text: string): text is ManifestMediaType {
  return manifestMediaTypes.has(text);
}

export function isIndexMediaType(mediaType: ManifestMediaType): boolean {
  return mediaType === mediaTypes.ociIndex || mediaType === mediaTypes.dockerManifestList;
}

export function isSchema1MediaType(text: string): boolean {
  return text === mediaTypes.dockerSchema1 || text === mediaTypes.dockerSchema1Signed;
}

/**
 * Layers that are never pushed to a registry, only named with `urls` (image-spec, layer,
 * "Non-distributable Layers"; Docker's "foreign" layers).
 */
export function isNonDistributable(mediaType: string): boolean {
  return (
    mediaType.startsWith("application/vnd.oci.image.layer.nondistributable.") ||
    mediaType === "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip" ||
    mediaType === "application/vnd.docker.image.rootfs.foreign.diff.tar"
  );
}
