/**
 * What lies in a registry's folder after a fault, before anything has looked at it: no file may
 * have other bytes than its name says, and no pointer may lead to nothing.
 */
import { existsSync, readdirSync, readFileSync, statSync, utimesSync } from "node:fs";
import { join } from "node:path";
import { digestOf } from "../support/distribution-client.ts";

const layout = "docker/registry/v2";
const uploadFiles = new Set(["data", "startedat", "state.json"]);
const digestText = /^sha256:[0-9a-f]{64}$/;

/** Older than what the next start leaves alone. */
const oldMs = 2 * 3_600_000;

export interface DiskFindings {
  /** Files under a final name with other bytes than the name says. */
  readonly corrupt: readonly string[];
  /** Files that nothing needs, and pointers to nothing. */
  readonly litter: readonly string[];
}

/** Looks at every file below `dataFolder`; nothing may be writing there. */
export function checkDisk(dataFolder: string): DiskFindings {
  const check = new DiskCheck(join(dataFolder, layout));
  check.blobs();
  check.repositories();
  return check;
}

/**
 * Makes the temporary files of a registry that was killed look as old as they will be when
 * nobody writes them any more, and returns their paths: the next start has to remove them all.
 */
export function ageTemporaryFiles(dataFolder: string): readonly string[] {
  const folder = join(dataFolder, "berth/tmp");
  const then = new Date(Date.now() - oldMs);
  return entriesOf(folder).map((name) => {
    const path = join(folder, name);
    utimesSync(path, then, then);
    return path;
  });
}

/** Those of `paths` that are still there. */
export function remaining(paths: readonly string[]): readonly string[] {
  return paths.filter((path) => existsSync(path)).map((path) => `${path} was left`);
}

class DiskCheck implements DiskFindings {
  readonly corrupt: string[] = [];
  readonly litter: string[] = [];
  readonly #root: string;

  constructor(root: string) {
    this.#root = root;
  }

  blobs(): void {
    for (const path of filesBelow(join(this.#root, "blobs"))) {
      const name = path.slice(this.#root.length);
      const [, prefix, hex] =
        /^\/blobs\/sha256\/([0-9a-f]{2})\/([0-9a-f]{64})\/data$/.exec(name) ?? [];
      if (hex === undefined || !hex.startsWith(prefix ?? "")) this.litter.push(`${name}: stray`);
      else if (digestOf(readFileSync(path)) !== `sha256:${hex}`) {
        this.corrupt.push(`${name}: wrong bytes, ${statSync(path).size} of them`);
      }
    }
  }

  repositories(): void {
    const root = join(this.#root, "repositories");
    for (const path of filesBelow(root)) {
      const [, repository, inside] = /^\/([a-z0-9/-]+)\/(_.*)$/.exec(path.slice(root.length)) ?? [];
      if (repository === undefined || inside === undefined) this.litter.push(`${path}: stray`);
      else if (inside.startsWith("_uploads/")) this.#upload(path);
      else this.#link({ path, folder: join(root, repository), inside });
    }
  }

  #upload(path: string): void {
    const [id = "", name = "", ...more] = path.split("/_uploads/")[1]?.split("/") ?? [];
    if (id.length === 36 && uploadFiles.has(name) && more.length === 0) return;
    this.litter.push(`${path}: stray`);
  }

  #link(link: { readonly path: string; readonly folder: string; readonly inside: string }): void {
    const { path, folder, inside } = link;
    const place =
      /^(?:(_layers|_manifests\/revisions|_manifests\/tags\/[\w.-]+\/index)\/sha256\/([0-9a-f]{64})|_manifests\/tags\/[\w.-]+\/current)\/link$/.exec(
        inside,
      );
    const text = readFileSync(path, "utf8");
    if (place === null) {
      this.litter.push(`${path}: stray`);
      return;
    }
    const [, kind, named] = place;
    if (!digestText.test(text) || (named !== undefined && text !== `sha256:${named}`)) {
      this.corrupt.push(`${path}: holds ${JSON.stringify(text)}`);
      return;
    }
    const hex = text.slice("sha256:".length);
    // An index is a memory of what the tag has named; that may be gone.
    if (kind?.endsWith("index") === true) return;
    const target =
      kind === undefined
        ? join(folder, "_manifests/revisions/sha256", hex, "link")
        : join(this.#root, "blobs/sha256", hex.slice(0, 2), hex, "data");
    if (!existsSync(target)) this.litter.push(`${path}: leads to nothing`);
  }
}

function* filesBelow(folder: string): Generator<string> {
  if (!existsSync(folder)) return;
  for (const entry of readdirSync(folder, { withFileTypes: true })) {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) yield* filesBelow(path);
    else yield path;
  }
}

function entriesOf(folder: string): readonly string[] {
  return existsSync(folder) ? readdirSync(folder) : [];
}
