/**
 * The images that the clients push, built on this machine from Debian's packages, once per run,
 * as OCI layouts. Nothing comes from another registry.
 */
import { expect } from "bun:test";
import { randomBytes } from "node:crypto";
import {
  chmodSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  readFileSync,
  renameSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { containersStorage } from "./client-options.ts";
import { debianMirror } from "./debian.ts";
import { sha256 } from "./endpoints.ts";
import { run } from "./processes.ts";
import { oncePerRun, temporaryFolder } from "./run-folder.ts";
import { type ToolName, toolsCacheFolder } from "./tools.ts";

export interface ImageFixture {
  /** The folder of the OCI layout. */
  readonly layout: string;
  /** As skopeo names it: `oci:FOLDER:TAG`. */
  readonly source: string;
  /** Of the manifest or the index. */
  readonly digest: string;
  /** Of the layers, lowest first; empty for an index. */
  readonly layerDigests: readonly string[];
  /** What `cat /hello.txt` says inside. */
  readonly greeting: string;
}

/** What must be there before `smallImage`, `largeImage` and `multiPlatformImage` are asked for. */
export const imageTools = ["busybox", "umoci", "skopeo", "buildah"] as const satisfies ToolName[];

const tag = "v1";
const applets = ["sh", "cat", "ls", "sha256sum", "uname", "wget"];

/** Two layers of about 1 MB: busybox, and one file. */
export async function smallImage(): Promise<ImageFixture> {
  return oncePerRun("image.small", async () => layeredImage("small", { "hello.txt": "small\n" }));
}

/** Shares its lowest layer with `smallImage`. */
export async function secondImage(): Promise<ImageFixture> {
  return oncePerRun("image.second", async () =>
    layeredImage("second", { "hello.txt": "second\n", "new.txt": "only here\n" }),
  );
}

const largeFileSizeBytes = 100 * 1024 * 1024;

/** One layer of 100 MB that no compression makes smaller, `/large.bin`, between small ones. */
export async function largeImage(): Promise<ImageFixture & { readonly fileDigest: string }> {
  return oncePerRun("image.large", async () => {
    const content = randomBytes(largeFileSizeBytes);
    const fixture = await layeredImage("large", { "large.bin": content, "hello.txt": "large\n" });
    return { ...fixture, fileDigest: sha256(content) };
  });
}

/** An index of one image for each platform, built by buildah. */
export async function multiPlatformImage(): Promise<ImageFixture> {
  return oncePerRun("image.multi-platform", buildMultiPlatformImage);
}

export const platforms = ["linux/amd64", "linux/arm64", "linux/arm/v7"] as const;

/** `smallImage` with its layers in zstd. */
export async function zstdImage(): Promise<ImageFixture> {
  return oncePerRun("image.zstd", async () => {
    const work = temporaryFolder("image-zstd");
    // skopeo compresses layers only where they come uncompressed.
    const plain = `docker-archive:${join(work, "plain.tar")}`;
    const layout = join(work, "oci");
    await run(["skopeo", "copy", (await smallImage()).source, `${plain}:plain:v1`]);
    const options = ["--dest-compress", "--dest-compress-format", "zstd"];
    await run(["skopeo", "copy", ...options, plain, `oci:${layout}:${tag}`]);
    return describeLayout(layout, "small");
  });
}

/** A real Debian: thousands of files, links, device nodes left out, in one layer. */
export async function debianImage(): Promise<ImageFixture> {
  return oncePerRun("image.debian", async () => {
    const root = await debianRoot();
    const layout = await newLayout("debian");
    await run(["umoci", "insert", "--image", `${layout}:${tag}`, root, "/"]);
    return describeLayout(layout, "debian");
  });
}

async function layeredImage(
  name: string,
  files: Readonly<Record<string, string | Uint8Array>>,
): Promise<ImageFixture> {
  const layout = await newLayout(name);
  const image = `${layout}:${tag}`;
  await run(["umoci", "insert", "--image", image, await busyboxRoot(), "/"]);
  for (const [fileName, content] of Object.entries(files)) {
    const file = join(temporaryFolder("layer"), fileName);
    writeFileSync(file, content);
    await run(["umoci", "insert", "--image", image, file, `/${fileName}`]);
  }
  await run([
    "umoci",
    "config",
    "--image",
    image,
    "--config.cmd",
    "cat",
    "--config.cmd",
    "/hello.txt",
  ]);
  return describeLayout(layout, name);
}

async function newLayout(name: string): Promise<string> {
  const layout = join(temporaryFolder(`image-${name}`), "oci");
  await run(["umoci", "init", "--layout", layout]);
  await run(["umoci", "new", "--image", `${layout}:${tag}`]);
  return layout;
}

/** A root folder in which Debian's static busybox is every program. */
async function busyboxRoot(): Promise<string> {
  return oncePerRun("busybox-root", async () => {
    const root = join(temporaryFolder("busybox"), "root");
    mkdirSync(join(root, "bin"), { recursive: true });
    mkdirSync(join(root, "tmp"));
    copyFileSync("/bin/busybox", join(root, "bin", "busybox"));
    chmodSync(join(root, "bin", "busybox"), 0o755);
    for (const applet of applets) symlinkSync("busybox", join(root, "bin", applet));
    return root;
  });
}

async function buildMultiPlatformImage(): Promise<ImageFixture> {
  const work = temporaryFolder("multi-platform");
  const env = containersStorage(work);
  const list = "localhost/berth-test/multi:v1";
  await run(["buildah", "manifest", "create", list], { env });
  for (const platform of platforms) {
    const context = join(work, platform.replaceAll("/", "-"));
    mkdirSync(context);
    writeFileSync(join(context, "hello.txt"), `${platform}\n`);
    await run(["cp", "-a", await busyboxRoot(), join(context, "root")]);
    writeFileSync(
      join(context, "Containerfile"),
      'FROM scratch\nCOPY root /\nCOPY hello.txt /\nCMD ["cat", "/hello.txt"]\n',
    );
    const options = ["--isolation", "chroot", "--platform", platform, "--manifest", list];
    await run(["buildah", "bud", ...options, context], { env });
  }
  const layout = join(work, "oci");
  await run(["buildah", "manifest", "push", "--all", list, `oci:${layout}:${tag}`], { env });
  return describeLayout(layout, "linux/amd64");
}

function describeLayout(layout: string, greeting: string): ImageFixture {
  const index = JSON.parse(readFileSync(join(layout, "index.json"), "utf8")) as {
    manifests: { digest: string; annotations?: Record<string, string> }[];
  };
  const digest = index.manifests.find(
    ({ annotations }) => annotations?.["org.opencontainers.image.ref.name"] === tag,
  )?.digest;
  if (digest === undefined) throw new Error(`${layout} holds no ${tag}`);
  const bytes = readFileSync(join(layout, "blobs", digest.replace(":", "/")));
  if (sha256(bytes) !== digest) throw new Error(`${layout}: the manifest is not ${digest}`);
  const manifest = JSON.parse(bytes.toString()) as { layers?: { digest: string }[] };
  return {
    layout,
    source: `oci:${layout}:${tag}`,
    digest,
    layerDigests: (manifest.layers ?? []).map((layer) => layer.digest),
    greeting,
  };
}

/** The pulled layout holds the manifest and every layer of the image, byte for byte. */
export function expectSameBlobs(pulledLayout: string, image: ImageFixture): void {
  for (const digest of [image.digest, ...image.layerDigests]) {
    const path = join("blobs", digest.replace(":", "/"));
    const pulled = readFileSync(join(pulledLayout, path));
    expect(pulled.equals(readFileSync(join(image.layout, path)))).toBe(true);
  }
}

/** The root of a minimal Debian, in a folder of its own; downloaded once and kept with the tools. */
export async function debianRoot(): Promise<string> {
  const folder = toolsCacheFolder("debootstrap");
  const archive = join(folder, "minbase.tar");
  if (!existsSync(archive)) {
    const root = join(temporaryFolder("debootstrap"), "root");
    await run(["debootstrap", "--variant=minbase", "bookworm", root, debianMirror()], {
      timeoutMs: 600_000,
    });
    // Device nodes and apt's downloads are no part of an image.
    const excluded = ["./dev", "./proc", "./sys", "./var/cache/apt", "./var/lib/apt/lists"];
    const options = excluded.map((path) => `--exclude=${path}/*`);
    await run(["tar", "-C", root, "-cf", `${archive}.part`, ...options, "."]);
    renameSync(`${archive}.part`, archive);
  }
  const root = join(temporaryFolder("debian"), "root");
  mkdirSync(root);
  await run(["tar", "-C", root, "-xpf", archive]);
  writeFileSync(join(root, "hello.txt"), "debian\n");
  return root;
}
