/**
 * Bits that rot, on a server's disk while it runs: files are damaged behind its back, and then
 * the scrub, fsck and a client that pushes again have to find and heal every one of them, and
 * nothing else.
 */
import { createHash } from "node:crypto";
import { readdirSync, readFileSync, statSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { stringify } from "yaml";
import { manifestType } from "../compat/distribution-tree.ts";
import { type CommandResult, tryRun } from "../support/processes.ts";
import { type RegistryServer, registryCommand, startRegistry } from "../support/registry-server.ts";
import { temporaryFolder } from "../support/run-folder.ts";
import type { Figure, Rig, RigOptions } from "./rig.ts";

export const bitRot: Rig = {
  name: "bit rot",
  fault: "one bit flipped, blobs cut short, links emptied, under a running server",
  run,
};

interface Sizes {
  readonly images: number;
  readonly flips: number;
  readonly cuts: number;
  readonly emptyLinks: number;
}

const sizesOf: Readonly<Record<RigOptions["form"], Sizes>> = {
  short: { images: 30, flips: 8, cuts: 4, emptyLinks: 4 },
  // Four blobs an image: 2,000.
  long: { images: 500, flips: 50, cuts: 10, emptyLinks: 10 },
};

const repositories = ["team/app", "team/web", "library/base"];

/** An image as its pusher keeps it: all bytes, by digest. */
interface Image {
  readonly repository: string;
  readonly tag: string;
  readonly manifest: Stored;
  /** Config and layers. */
  readonly blobs: readonly Stored[];
}

interface Stored {
  readonly digest: string;
  readonly bytes: Uint8Array<ArrayBuffer>;
}

/** A random number from 0 to below `limit`, the same in every run with the same seed. */
type Choose = (limit: number) => number;

async function run(options: RigOptions): Promise<readonly Figure[]> {
  const choose = seeded(options.seed);
  const sizes = sizesOf[options.form];
  const server = await startRegistry({ kind: "berth" });
  try {
    const images = Array.from({ length: sizes.images }, (_, index) => makeImage(index, choose));
    for (const image of images) await push(server, image);
    options.say(`${images.length * 4} blobs pushed`);
    const damage = damageFiles(server, images, { sizes, choose });
    options.say(`${damage.blobs.length} blobs and ${damage.links.length} links damaged`);
    return await findAndHeal(server, { images, damage, say: options.say });
  } finally {
    await server.stop();
  }
}

interface Damage {
  readonly blobs: readonly string[];
  /** Paths below the folder of repositories. */
  readonly links: readonly string[];
}

async function findAndHeal(
  server: RegistryServer,
  { images, damage, say }: { images: readonly Image[]; damage: Damage; say: RigOptions["say"] },
): Promise<readonly Figure[]> {
  const berth = commandsOf(server);
  const scrubbed = await berth("scrub", "--full-speed");
  say(lastLine(scrubbed));
  const found = digestsFound(scrubbed, "corrupt");
  const aside = new Set(quarantinedBlobs(server));
  const answers = new Map<string, number>();
  for (const image of images) {
    for (const { digest } of [image.manifest, ...image.blobs]) {
      if (damage.blobs.includes(digest)) answers.set(digest, await head(server, image, digest));
    }
  }
  const checked = await berth("fsck");
  say(lastLine(checked));
  const repaired = await berth("fsck", "--repair");
  const links = new Set(quarantinedLinks(server));
  let repushed = 0;
  for (const image of images) repushed += await push(server, image);
  say(`${repushed} blobs and manifests pushed again`);
  await berth("scrub", "--full-speed");
  const after = await berth("fsck", "--deep");
  const broken = await brokenImages(server, images);
  const wanted = new Set(damage.blobs);
  const all = damage.blobs.length + damage.links.length;
  const foundLinks = damage.links.filter(
    (path) => checked.stdout.includes(path) || links.has(path),
  );
  const count = (
    name: string,
    [value, target]: readonly [number, number],
    evidence: readonly string[] = [],
  ): Figure => ({
    name,
    value,
    target: String(target),
    holds: value === target,
    ...(value !== target && { evidence: evidence.slice(0, 5) }),
  });
  const hashed = Number(/hashed again: (\d+) blobs/.exec(scrubbed.stdout)?.[1]);
  const unseen = damage.blobs.filter((digest) => !found.has(digest));
  const wrong = [...found].filter((digest) => !wanted.has(digest));
  const of = <T>(items: Iterable<T>, matches: (item: T) => boolean): number =>
    [...items].filter(matches).length;
  const movedAside =
    of(damage.blobs, (digest) => aside.has(digest)) + of(damage.links, (path) => links.has(path));
  const soundMoved = of(aside, (digest) => !wanted.has(digest));
  return [
    count("damaged files found", [found.size - wrong.length + foundLinks.length, all], unseen),
    count("sound blobs taken for damaged", [wrong.length + soundMoved, 0], wrong),
    count("moved aside", [movedAside, all], [lastLine(repaired)]),
    count("blobs that the scrub passed over", [images.length * 4 - hashed, 0]),
    count("sound links moved aside", [of(links, (path) => !damage.links.includes(path)), 0]),
    count("damaged blobs not answered with 404", [of(answers.values(), (s) => s !== 404), 0]),
    count("images broken after they were pushed again", [broken.length, 0], broken),
    count("fsck --deep not clean afterwards", [after.exitCode, 0], after.stdout.split("\n")),
    count("left in quarantine after the next scrub", [quarantinedBlobs(server).length, 0]),
  ];
}

/** Damages distinct files; an image whose link is emptied loses no bytes. */
function damageFiles(
  server: RegistryServer,
  images: readonly Image[],
  { sizes, choose }: { readonly sizes: Sizes; readonly choose: Choose },
): Damage {
  const shuffled = images.toSorted(() => choose(3) - 1);
  const victims = shuffled
    .slice(sizes.emptyLinks)
    .flatMap(({ manifest, blobs }) => [manifest, ...blobs]);
  const blobs: string[] = [];
  for (let index = 0; index < sizes.flips + sizes.cuts; index += 1) {
    const [victim] = victims.splice(choose(victims.length), 1);
    if (victim === undefined) throw new Error("there are too few blobs");
    blobs.push(victim.digest);
    const path = blobPath(server, victim.digest);
    const sizeBytes = victim.bytes.byteLength;
    if (index >= sizes.flips) truncateSync(path, choose(sizeBytes));
    // The first and the last byte are where a reader goes wrong; always among the victims.
    else
      flipBit(path, index === 0 ? sizeBytes - 1 : index === 1 ? 0 : choose(sizeBytes), choose(8));
  }
  const links = shuffled.slice(0, sizes.emptyLinks).map((image, index) => {
    const { repository, tag, manifest } = image;
    const layer = image.blobs[choose(image.blobs.length)]?.digest ?? "";
    const path =
      [
        `${repository}/_layers/${layer.replace(":", "/")}/link`,
        `${repository}/_manifests/revisions/${manifest.digest.replace(":", "/")}/link`,
        `${repository}/_manifests/tags/${tag}/current/link`,
      ][index % 3] ?? "";
    writeFileSync(join(server.dataFolder, "docker/registry/v2/repositories", path), "");
    return path;
  });
  return { blobs, links };
}

function flipBit(path: string, position: number, bit: number): void {
  const bytes = readFileSync(path);
  bytes[position] = (bytes[position] ?? 0) ^ (1 << bit);
  writeFileSync(path, bytes);
}

function makeImage(index: number, choose: Choose): Image {
  const content = (sizeBytes: number): Stored => {
    const bytes = new Uint8Array(sizeBytes);
    for (let at = 0; at < sizeBytes; at += 1) bytes[at] = choose(256);
    // Distinct from every other, however short.
    bytes.set(new TextEncoder().encode(`${index}.`).subarray(0, sizeBytes));
    return stored(bytes);
  };
  const sizes = [64, 1_000, 4_096, 4_097, 65_537];
  const config = stored(
    new TextEncoder().encode(JSON.stringify({ architecture: "amd64", os: "linux", index })),
  );
  const layers = [content(sizes[choose(sizes.length)] ?? 64), content(100 + choose(20_000))];
  const descriptor = ({ digest, bytes }: Stored) => ({
    mediaType: "application/octet-stream",
    digest,
    size: bytes.byteLength,
  });
  const manifest = {
    schemaVersion: 2,
    mediaType: manifestType,
    config: { ...descriptor(config), mediaType: "application/vnd.docker.container.image.v1+json" },
    layers: layers.map(descriptor),
  };
  return {
    repository: repositories[index % repositories.length] ?? "",
    tag: `v${index}`,
    manifest: stored(new TextEncoder().encode(JSON.stringify(manifest))),
    blobs: [config, ...layers],
  };
}

function stored(bytes: Uint8Array<ArrayBuffer>): Stored {
  return { digest: digestOf(bytes), bytes };
}

function digestOf(bytes: Uint8Array): string {
  return `sha256:${createHash("sha256").update(bytes).digest("hex")}`;
}

/** Pushes as clients do: asks first, and sends what is not there. Returns how much was sent. */
async function push(server: RegistryServer, image: Image): Promise<number> {
  const { origin } = server;
  const base = `${origin}/v2/${image.repository}`;
  let sent = 0;
  for (const { digest, bytes } of image.blobs) {
    if ((await head(server, image, digest)) === 200) continue;
    const begun = await fetch(`${base}/blobs/uploads/`, { method: "POST" });
    const target = new URL(begun.headers.get("location") ?? "", origin);
    target.searchParams.set("digest", digest);
    await expectCreated(await fetch(target, { method: "PUT", body: bytes }));
    sent += 1;
  }
  const known = await fetch(`${base}/manifests/${image.tag}`, { method: "HEAD" });
  if (known.headers.get("docker-content-digest") === image.manifest.digest) return sent;
  const body = image.manifest.bytes;
  const headers = { "content-type": manifestType };
  await expectCreated(
    await fetch(`${base}/manifests/${image.tag}`, { method: "PUT", headers, body }),
  );
  return sent + 1;
}

async function expectCreated(answer: Response): Promise<void> {
  if (answer.status !== 201) throw new Error(`${answer.status}: ${await answer.text()}`);
}

async function head({ origin }: RegistryServer, image: Image, digest: string): Promise<number> {
  const kind = digest === image.manifest.digest ? "manifests" : "blobs";
  const url = `${origin}/v2/${image.repository}/${kind}/${digest}`;
  return (await fetch(url, { method: "HEAD" })).status;
}

/** Images that a client cannot pull whole. */
async function brokenImages({ origin }: RegistryServer, images: readonly Image[]) {
  const broken: string[] = [];
  for (const { repository, tag, manifest, blobs } of images) {
    const base = `${origin}/v2/${repository}`;
    const paths = [
      [`${base}/manifests/${tag}`, manifest.digest],
      ...blobs.map(({ digest }) => [`${base}/blobs/${digest}`, digest]),
    ] as const;
    for (const [url = "", digest] of paths) {
      const answer = await fetch(url);
      const bytes = await answer.bytes();
      if (!answer.ok || digestOf(bytes) !== digest) broken.push(`${url}: ${answer.status}`);
    }
  }
  return broken;
}

/** Runs the program's own commands on the server's folder: they go through its control socket. */
function commandsOf({ dataFolder }: RegistryServer) {
  const file = join(temporaryFolder("bit-rot"), "config.yml");
  writeFileSync(
    file,
    stringify({
      version: "0.1",
      storage: { filesystem: { rootdirectory: dataFolder } },
      http: { addr: "127.0.0.1:0" },
    }),
  );
  return async (...args: readonly string[]): Promise<CommandResult> =>
    tryRun(registryCommand("berth", [...args, "--config", file]));
}

function digestsFound({ stdout }: CommandResult, kind: string): ReadonlySet<string> {
  const lines = stdout.matchAll(/^(sha256:[0-9a-f]{64}) {2}(\w+):/gm);
  return new Set([...lines].filter(([, , word]) => word === kind).map(([, digest = ""]) => digest));
}

function lastLine({ stdout }: CommandResult): string {
  return stdout.trim().split("\n").at(-1) ?? "";
}

function blobPath({ dataFolder }: RegistryServer, digest: string): string {
  const hex = digest.slice("sha256:".length);
  return join(dataFolder, `docker/registry/v2/blobs/sha256/${hex.slice(0, 2)}/${hex}/data`);
}

function quarantinedBlobs({ dataFolder }: RegistryServer): readonly string[] {
  const folder = join(dataFolder, "berth/quarantine/sha256");
  const found = statSync(folder, { throwIfNoEntry: false });
  return found === undefined ? [] : readdirSync(folder).map((hex) => `sha256:${hex}`);
}

function quarantinedLinks({ dataFolder }: RegistryServer): readonly string[] {
  const folder = join(dataFolder, "berth/quarantine/links");
  if (statSync(folder, { throwIfNoEntry: false }) === undefined) return [];
  return readdirSync(folder, { recursive: true })
    .map(String)
    .filter((path) => path.endsWith("/link"));
}

/** Mulberry32. */
function seeded(seed: number): Choose {
  let state = seed >>> 0;
  return (limit) => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return Math.floor((((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32) * limit);
  };
}
