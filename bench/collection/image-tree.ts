/**
 * The registry that is collected: 12,000 images in 300 repositories, each of a manifest, a
 * config and two layers of its own, and one of 50 layers that all share: 48,050 blobs. Every
 * twelfth image is deleted, so that every repository loses some and every shared layer stays.
 */
import { existsSync, readdirSync } from "node:fs";
import { rename, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { ManifestFacts } from "../tree.ts";
import { blobsPath, TreeWriter } from "../tree.ts";
import type { Context } from "../work.ts";

export interface TaggedImage extends ManifestFacts {
  readonly repository: string;
  readonly tag: string;
}

/** Another value here makes everybody's tree again. */
const formatVersion = 1;
const repositoryCount = 300;
const imagesPerRepository = 40;
const imageCount = repositoryCount * imagesPerRepository;
const sharedLayerCount = 50;
const deletedEvery = 12;
const keptSample = 24;

/** Of its own each image has four blobs, and there are the shared ones. */
const collectedImages = imageCount / deletedEvery;
export const collectedBlobs = collectedImages * 4;
const allBlobs = imageCount * 4 + sharedLayerCount;

/** The tree, made now when it is not there yet; some images may be deleted in it. */
export async function openImageTree({ settings }: Context): Promise<string> {
  const tree = join(settings.workDirectory, `images-${formatVersion}`);
  if (existsSync(foreignMark(tree))) await rm(tree, { recursive: true });
  if (!existsSync(tree)) {
    console.error(`making the images to collect in ${tree}, once …`);
    const unfinished = `${tree}.new`;
    await rm(unfinished, { recursive: true, force: true });
    const writer = new TreeWriter(unfinished);
    for (let number = 0; number < imageCount; number += 1) writeImage(writer, number);
    await rename(unfinished, tree);
  }
  return tree;
}

/**
 * Runs `work`, which puts blobs of its own into the tree and takes them out again. When it is
 * broken off, the tree is made anew for the next one.
 */
export async function withForeignBlobs<T>(tree: string, work: () => Promise<T>): Promise<T> {
  await writeFile(foreignMark(tree), "");
  const result = await work();
  await rm(foreignMark(tree));
  return result;
}

function foreignMark(tree: string): string {
  return join(tree, "foreign-blobs");
}

export interface MendedTree {
  readonly tree: string;
  /** The 1,000 images that are to be deleted. */
  readonly deleted: readonly TaggedImage[];
  /** Some of the others. */
  readonly kept: readonly TaggedImage[];
}

/** Writes those again that were deleted, to the byte as they were. */
export function mendImages(tree: string): MendedTree {
  const writer = new TreeWriter(tree);
  const numbers = Array.from({ length: collectedImages }, (_, it) => it * deletedEvery);
  return {
    tree,
    deleted: numbers.map((number) => writeImage(writer, number)),
    kept: numbers.slice(0, keptSample).map((number) => writeImage(writer, number + 1)),
  };
}

function writeImage(writer: TreeWriter, number: number): TaggedImage {
  const index = Math.floor(number / imagesPerRepository);
  const repository = `team-${index % 20}/service-${index}`;
  const tag = `1.${number % imagesPerRepository}.0`;
  const sizeBytes = 400 + (number % 7) * 200;
  const shared = number % sharedLayerCount;
  const layers = [
    writer.textBlob(`shared layer ${shared}\n`, 2_000),
    writer.textBlob(`image ${number} layer 1\n`, sizeBytes),
    writer.textBlob(`image ${number} layer 2\n`, sizeBytes),
  ];
  const manifest = writer.manifest({ repository, number, layers });
  writer.tag(manifest, { repository, tags: [tag] });
  return { repository, tag, ...manifest };
}

/** The digests of one image's blobs that no other image has. */
function ownDigests(image: TaggedImage): readonly string[] {
  const [config, , ...layers] = image.blobs;
  return [image, config, ...layers].flatMap((blob) => (blob === undefined ? [] : [blob.digest]));
}

/**
 * Throws unless the blobs of the deleted images, and no others, are gone from the tree: these
 * by name, all others by their number, since nothing makes new ones.
 */
export function verifyCollected({ tree, deleted }: MendedTree): void {
  const left = listBlobs(tree);
  const kept = deleted.flatMap(ownDigests).filter((digest) => left.has(digest));
  if (kept.length > 0) throw new Error(`${kept.length} blobs are still there, as ${kept[0]}`);
  const expected = allBlobs - collectedBlobs;
  if (left.size !== expected) throw new Error(`${left.size} blobs are left, not ${expected}`);
}

/** The digests of all blobs that have bytes. */
export function listBlobs(tree: string): ReadonlySet<string> {
  const folder = blobsPath(tree);
  const digests = readdirSync(folder).flatMap((prefix) =>
    readdirSync(join(folder, prefix)).filter((hex) =>
      readdirSync(join(folder, prefix, hex)).includes("data"),
    ),
  );
  return new Set(digests.map((hex) => `sha256:${hex}`));
}
