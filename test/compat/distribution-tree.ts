/**
 * Writes the files that Distribution leaves in a directory, one by one and without any code of
 * the product, so that a test does not prove a mistake with itself.
 */
import { createHash } from "node:crypto";
import { mkdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";

export const manifestType = "application/vnd.docker.distribution.manifest.v2+json";

export class DistributionTree {
  readonly root: string;

  constructor(root: string) {
    this.root = root;
  }

  /** Path of something below `docker/registry/v2`. */
  path(below: string): string {
    return join(this.root, "docker/registry/v2", below);
  }

  write(below: string, content: string): void {
    mkdirSync(dirname(this.path(below)), { recursive: true });
    writeFileSync(this.path(below), content);
  }

  /** A blob's bytes; returns its digest. */
  bytes(content: string): string {
    const hex = createHash("sha256").update(content).digest("hex");
    this.write(`blobs/sha256/${hex.slice(0, 2)}/${hex}/data`, content);
    return `sha256:${hex}`;
  }

  layer(name: string, content: string): string {
    const digest = this.bytes(content);
    this.write(`repositories/${name}/_layers/sha256/${hexOf(digest)}/link`, digest);
    return digest;
  }

  /** An image of one layer under these tags; returns the digest of its manifest. */
  image(name: string, content: string, tags: readonly string[]): string {
    const config = JSON.stringify({ os: "linux", architecture: "amd64", content });
    const manifest = JSON.stringify({
      schemaVersion: 2,
      mediaType: manifestType,
      config: {
        mediaType: "application/vnd.docker.container.image.v1+json",
        digest: this.layer(name, config),
        size: config.length,
      },
      layers: [
        {
          mediaType: "application/vnd.docker.image.rootfs.diff.tar.gzip",
          digest: this.layer(name, content),
          size: content.length,
        },
      ],
    });
    const digest = this.bytes(manifest);
    this.write(`repositories/${name}/_manifests/revisions/sha256/${hexOf(digest)}/link`, digest);
    for (const tag of tags) this.tag(name, tag, digest);
    return digest;
  }

  tag(name: string, tag: string, digest: string): void {
    const folder = `repositories/${name}/_manifests/tags/${tag}`;
    this.write(`${folder}/index/sha256/${hexOf(digest)}/link`, digest);
    this.write(`${folder}/current/link`, digest);
  }
}

export function hexOf(digest: string): string {
  return digest.slice("sha256:".length);
}
