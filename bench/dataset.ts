/**
 * The content that every contestant serves, written straight into Distribution's layout:
 *
 *   team-00/app-0000 … 1,998 repositories   6 images each (manifest, config, 2 layers)
 *   bench/blobs                            11 such images, and one whose layers are the 60 kB
 *                                          blobs, the concurrent blob and the large blob
 *   bench/tags                             10,000 tags on 100 manifests
 *
 * which makes 2,000 repositories and 12,000 images beside bench/tags. It is made once and kept;
 * who writes beside the layout gets a copy of hard links.
 */
import { randomFillSync } from "node:crypto";
import { closeSync, existsSync, linkSync, mkdirSync, openSync, writeSync } from "node:fs";
import { rename, rm } from "node:fs/promises";
import { dirname, join } from "node:path";
import { run } from "./process.ts";
import type { Settings } from "./settings.ts";
import { imageCount, repositoryCount, smallBlobBytes, tagCount } from "./settings.ts";
import type { BlobFacts } from "./tree.ts";
import { blobPath, layerPath, TreeWriter, writeLink } from "./tree.ts";

export const blobsRepository = "bench/blobs";
export const tagsRepository = "bench/tags";

/** Written into the data set; another value here makes everybody's data set again. */
const formatVersion = 3;
const imagesPerRepository = 6;
const smallBlobCount = 64;
const uploadCount = 20;
const sampleCount = 256;

interface TaggedFacts extends BlobFacts {
  readonly repository: string;
  readonly tag: string;
}

export interface Dataset {
  /** The tree of Distribution's `rootdirectory`. */
  readonly treeDirectory: string;
  /** A sample of tagged manifests, spread over all repositories. */
  readonly manifests: readonly TaggedFacts[];
  readonly smallBlobs: readonly BlobFacts[];
  readonly largeBlob: BlobFacts;
  readonly concurrentBlob: BlobFacts;
  /** Different bodies of the concurrent size, for uploads at the same time. */
  readonly uploads: readonly (BlobFacts & { readonly path: string })[];
}

type Facts = Omit<Dataset, "treeDirectory">;

/** Returns the data set of these settings, made now when it is not there yet. */
export async function openDataset(settings: Settings): Promise<Dataset> {
  const name = `dataset-${formatVersion}-${settings.largeBlobBytes}`;
  const directory = join(settings.workDirectory, name);
  const factsPath = join(directory, "facts.json");
  if (!existsSync(factsPath)) {
    console.error(`making the data set in ${directory}, once …`);
    await rm(directory, { recursive: true, force: true });
    const facts = new DatasetWriter(directory, settings).write();
    // Written last and renamed: a data set without facts is an unfinished one.
    await Bun.write(`${factsPath}.new`, JSON.stringify(facts));
    await rename(`${factsPath}.new`, factsPath);
  }
  const facts: Facts = await Bun.file(factsPath).json();
  return { ...facts, treeDirectory: join(directory, "tree") };
}

/** A copy of the tree in which files are hard links and directories are its own. */
export async function copyTree(dataset: Dataset, target: string): Promise<void> {
  const unfinished = `${target}.new`;
  await rm(unfinished, { recursive: true, force: true });
  await run(["cp", "-al", dataset.treeDirectory, unfinished]);
  await rename(unfinished, target);
}

/** Makes `tree` a registry that holds one blob of the data set, in `repository`. */
export function layBlob(
  dataset: Dataset,
  tree: string,
  blob: { readonly repository: string; readonly digest: string },
): void {
  const target = blobPath(tree, blob.digest);
  mkdirSync(dirname(target), { recursive: true });
  linkSync(blobPath(dataset.treeDirectory, blob.digest), target);
  writeLink(layerPath(tree, blob), blob.digest);
}

class DatasetWriter {
  readonly #directory: string;
  readonly #tree: string;
  readonly #settings: Settings;
  readonly #files: TreeWriter;
  #imageNumber = 0;

  constructor(directory: string, settings: Settings) {
    this.#directory = directory;
    this.#tree = join(directory, "tree");
    this.#files = new TreeWriter(this.#tree);
    this.#settings = settings;
  }

  write(): Facts {
    const images: TaggedFacts[] = [];
    for (let index = 0; index < repositoryCount - 2; index += 1) {
      const repository = `team-${two(index % 40)}/app-${String(index).padStart(4, "0")}`;
      for (let version = 0; version < imagesPerRepository; version += 1) {
        images.push(this.#image(repository, `1.${version}.0`));
      }
    }
    for (let version = 0; images.length < imageCount - 1; version += 1) {
      images.push(this.#image(blobsRepository, `2.${version}.0`));
    }

    const smallBlobs = Array.from({ length: smallBlobCount }, () =>
      this.#randomBlob(smallBlobBytes),
    );
    const largeBlob = this.#randomBlob(this.#settings.largeBlobBytes);
    const concurrentBlob = this.#randomBlob(this.#settings.concurrentBlobBytes);
    const layers = [...smallBlobs, largeBlob, concurrentBlob];
    this.#files.tag(this.#manifest(blobsRepository, layers), {
      repository: blobsRepository,
      tags: ["all"],
    });
    this.#tags();

    const step = Math.floor(images.length / sampleCount);
    return {
      manifests: images.filter((_, index) => index % step === 0).slice(0, sampleCount),
      smallBlobs,
      largeBlob,
      concurrentBlob,
      uploads: this.#uploads(),
    };
  }

  #tags(): void {
    const perManifest = tagCount / 100;
    for (let group = 0; group < 100; group += 1) {
      const tags = Array.from({ length: perManifest }, (_, index) => `v1.${group}.${index}`);
      const manifest = this.#manifest(tagsRepository, [
        this.#files.textBlob(`tags layer ${group}\n`, 900),
      ]);
      this.#files.tag(manifest, { repository: tagsRepository, tags });
    }
  }

  #uploads(): Dataset["uploads"] {
    const directory = join(this.#directory, "uploads");
    mkdirSync(directory, { recursive: true });
    return Array.from({ length: uploadCount }, (_, index) => {
      const path = join(directory, two(index));
      return { path, ...writeRandom(path, this.#settings.concurrentBlobBytes) };
    });
  }

  #image(repository: string, tag: string): TaggedFacts {
    this.#imageNumber += 1;
    const layers = [1, 2].map((layer) =>
      this.#files.textBlob(
        `image ${this.#imageNumber} layer ${layer}\n`,
        400 + (this.#imageNumber % 7) * 200,
      ),
    );
    const manifest = this.#manifest(repository, layers);
    this.#files.tag(manifest, { repository, tags: [tag] });
    return { repository, tag, ...manifest };
  }

  #manifest(repository: string, layers: readonly BlobFacts[]): BlobFacts {
    const { digest, sizeBytes } = this.#files.manifest({
      ...{ repository, layers },
      number: this.#imageNumber,
    });
    return { digest, sizeBytes };
  }

  /** Random, so that no layer below can compress or share it. */
  #randomBlob(sizeBytes: number): BlobFacts {
    const temporary = join(this.#directory, "blob");
    const blob = writeRandom(temporary, sizeBytes);
    const path = blobPath(this.#tree, blob.digest);
    mkdirSync(dirname(path), { recursive: true });
    linkSync(temporary, path);
    Bun.spawnSync(["rm", temporary]);
    return blob;
  }
}

function writeRandom(path: string, sizeBytes: number): BlobFacts {
  const file = openSync(path, "w");
  const hasher = new Bun.CryptoHasher("sha256");
  const buffer = Buffer.alloc(2 ** 20);
  for (let left = sizeBytes; left > 0; left -= buffer.length) {
    const chunk = randomFillSync(buffer).subarray(0, Math.min(left, buffer.length));
    hasher.update(chunk);
    writeSync(file, chunk);
  }
  closeSync(file);
  return { digest: `sha256:${hasher.digest("hex")}`, sizeBytes };
}

function two(number: number): string {
  return String(number).padStart(2, "0");
}
