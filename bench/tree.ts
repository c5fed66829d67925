/** Images as files in Distribution's layout, written straight to the disk. */
import { createHash } from "node:crypto";
import { mkdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";

export const manifestMediaType = "application/vnd.oci.image.manifest.v1+json";

export interface BlobFacts {
  readonly digest: string;
  readonly sizeBytes: number;
}

export interface ManifestFacts extends BlobFacts {
  /** The config and the layers. */
  readonly blobs: readonly BlobFacts[];
}

/** Writes what is asked for below a `rootdirectory`; a blob that it has written only once. */
export class TreeWriter {
  readonly #tree: string;
  readonly #written = new Set<string>();

  constructor(tree: string) {
    this.#tree = tree;
  }

  /** A manifest with its config, linked in the repository. */
  manifest(image: {
    readonly repository: string;
    /** Makes the config, and with it the manifest, another one. */
    readonly number: number;
    readonly layers: readonly BlobFacts[];
  }): ManifestFacts {
    const { repository, layers } = image;
    const config = this.blob(
      JSON.stringify({
        architecture: "amd64",
        os: "linux",
        config: { Cmd: ["/app"], Labels: { repository, number: String(image.number) } },
        rootfs: { type: "layers", diff_ids: layers.map((layer) => layer.digest) },
      }),
    );
    const layerType = "application/vnd.oci.image.layer.v1.tar";
    const manifest = this.blob(
      JSON.stringify({
        schemaVersion: 2,
        mediaType: manifestMediaType,
        config: descriptor("application/vnd.oci.image.config.v1+json", config),
        layers: layers.map((layer) => descriptor(layerType, layer)),
      }),
    );
    const blobs = [config, ...layers];
    for (const { digest } of blobs)
      writeLink(layerPath(this.#tree, { repository, digest }), digest);
    writeLink(revisionPath(this.#tree, { repository, digest: manifest.digest }), manifest.digest);
    return { ...manifest, blobs };
  }

  tag(
    manifest: BlobFacts,
    place: { readonly repository: string; readonly tags: readonly string[] },
  ): void {
    for (const tag of place.tags) {
      const base = tagPath(this.#tree, { repository: place.repository, tag });
      writeLink(join(base, "index/sha256", hexOf(manifest.digest)), manifest.digest);
      writeLink(join(base, "current"), manifest.digest);
    }
  }

  /** A blob of `text`, repeated to that size. */
  textBlob(text: string, sizeBytes: number): BlobFacts {
    return this.blob(text.repeat(Math.ceil(sizeBytes / text.length)).slice(0, sizeBytes));
  }

  blob(content: string): BlobFacts {
    const digest = `sha256:${createHash("sha256").update(content).digest("hex")}`;
    if (!this.#written.has(digest)) {
      this.#written.add(digest);
      const path = blobPath(this.#tree, digest);
      mkdirSync(dirname(path), { recursive: true });
      writeFileSync(path, content);
    }
    return { digest, sizeBytes: Buffer.byteLength(content) };
  }
}

/** The folder that holds a folder of blobs for each first byte of a digest. */
export function blobsPath(tree: string): string {
  return join(tree, "docker/registry/v2/blobs/sha256");
}

/** The path of a blob's bytes below a `rootdirectory`. */
export function blobPath(tree: string, digest: string): string {
  const hex = hexOf(digest);
  return join(blobsPath(tree), hex.slice(0, 2), hex, "data");
}

/** The folder of the link that says: this repository holds that blob. */
export function layerPath(
  tree: string,
  { repository, digest }: { readonly repository: string; readonly digest: string },
): string {
  return join(repositoryPath(tree, repository), "_layers/sha256", hexOf(digest));
}

/** … and that manifest. */
export function revisionPath(
  tree: string,
  { repository, digest }: { readonly repository: string; readonly digest: string },
): string {
  return join(repositoryPath(tree, repository), "_manifests/revisions/sha256", hexOf(digest));
}

/** The folder of a tag. */
export function tagPath(
  tree: string,
  { repository, tag }: { readonly repository: string; readonly tag: string },
): string {
  return join(repositoryPath(tree, repository), "_manifests/tags", tag);
}

export function writeLink(directory: string, digest: string): void {
  mkdirSync(directory, { recursive: true });
  writeFileSync(join(directory, "link"), digest);
}

export function repositoryPath(tree: string, repository: string): string {
  return join(tree, "docker/registry/v2/repositories", repository);
}

function descriptor(mediaType: string, blob: BlobFacts): object {
  return { mediaType, digest: blob.digest, size: blob.sizeBytes };
}

function hexOf(digest: string): string {
  return digest.slice(digest.indexOf(":") + 1);
}
