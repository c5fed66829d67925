import { mkdtempSync, readdirSync, readlinkSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { systemClock } from "../../src/base/clock.ts";
import type { FileSystem } from "../../src/storage/drivers/file-system.ts";
import { nodeFileSystem } from "../../src/storage/drivers/node-file-system.ts";
import { openInProcess } from "./in-process.ts";
import { type FileOperation, intercepted } from "./intercepted-file-system.ts";
import { none, type Rig, type RigOptions } from "./rig.ts";
import { type ImageSample, imageSample } from "./samples.ts";
import { SeededRandom } from "./seeded-random.ts";
import { SimulatedDisk } from "./simulated-disk.ts";
import { WireClient } from "./wire-client.ts";

const codes = ["EIO", "ENOSPC", "EMFILE"] as const;
type Code = (typeof codes)[number];

const operationsMax = 200;
/** What a client may be told: wait, or find room. Anything else is a promise or a riddle. */
const refusals: ReadonlySet<number> = new Set([503, 507]);

/** A push in which one operation fails, and the same push again. */
export const failingOperations: Rig = {
  name: "failing-operations",
  fault: "EIO, ENOSPC, EMFILE at each of the first 200 file operations of a push",
  run: async (options) => {
    const stepOf = (code: Code): number => (options.form === "long" ? 1 : code === "EIO" ? 3 : 20);
    const counts = new Map<string, string[]>();
    const note = (kind: Kind, what: string): void => {
      counts.set(kind, [...(counts.get(kind) ?? []), what]);
    };
    const stray = (error: unknown): void => note("unhandled rejections", Bun.inspect(error));
    process.on("unhandledRejection", stray);
    let faults = 0;
    try {
      for (const code of codes) {
        for (let at = 1; at <= operationsMax; at += stepOf(code)) {
          if (await runOnce({ ...options, code, at }, note)) faults += 1;
        }
        options.say(`${code}: ${faults} faults so far`);
      }
    } finally {
      process.off("unhandledRejection", stray);
    }
    const faultsOf = (code: Code): number => Math.ceil(operationsMax / stepOf(code));
    const faultsMin = codes.reduce((sum, code) => sum + faultsOf(code), 0);
    return [
      { name: "faults", value: faults, target: "600", holds: faults >= faultsMin },
      ...kinds.map((name) => none(name, counts.get(name) ?? [])),
    ];
  },
};

const kinds = [
  "other answers than 503 and 507",
  "descriptors left open",
  "acknowledged images lost",
  "pushes that fail afterwards",
  "unhandled rejections",
] as const;
type Kind = (typeof kinds)[number];

interface Run extends RigOptions {
  readonly code: Code;
  /** Counted from the first operation of the push. */
  readonly at: number;
}

/** False when the push had fewer operations. */
async function runOnce(run: Run, note: (kind: Kind, what: string) => void): Promise<boolean> {
  const random = new SeededRandom(run.seed);
  const disk = run.form === "long" ? realDisk() : memoryDisk();
  const fault = new Fault(run);
  const fileSystem = intercepted(disk.fileSystem, (operation) => fault.meet(operation));
  const where = { rootFolder: disk.rootFolder, clock: systemClock, random };
  const [before, image] = [imageSample(random, [100]), imageSample(random, [9_000, 300])];
  try {
    let client = new WireClient(await openInProcess({ fileSystem, ...where }), "team/app");
    const told = (what: string): string => `${what}, after ${fault.what} failed with ${run.code}`;
    await push(client, "v1", before);
    fault.arm();
    const status = await push(client, "v2", image);
    fault.disarm();
    if (fault.what === undefined) return false;
    const isFine = status === 201 || refusals.has(status);
    if (!isFine) note("other answers than 503 and 507", told(`status ${status}`));
    for (const error of client.registry.errors) {
      note("other answers than 503 and 507", told(error));
    }
    const left = disk.openFiles();
    if (left.length > 0) note("descriptors left open", told(left.join(", ")));
    // A sync that failed may have stopped all writing until the store is opened anew.
    if (run.code === "EIO" && fault.isSync) {
      await client.registry.close();
      client = new WireClient(await openInProcess({ fileSystem, ...where }), "team/app");
    }
    await checkServed(client, status === 201 ? { v1: before, v2: image } : { v1: before }, (what) =>
      note("acknowledged images lost", told(what)),
    );
    const again = await push(client, "v2", image);
    if (again !== 201) note("pushes that fail afterwards", told(`status ${again}`));
    await client.registry.close();
    const anew = new WireClient(await openInProcess({ fileSystem, ...where }), "team/app");
    await checkServed(anew, { v1: before, v2: image }, (what) =>
      note("acknowledged images lost", told(`opened anew, ${what}`)),
    );
    await anew.registry.close();
    return true;
  } finally {
    disk.dispose();
  }
}

async function checkServed(
  client: WireClient,
  tags: Readonly<Record<string, ImageSample>>,
  missing: (what: string) => void,
): Promise<void> {
  for (const [tag, { digest }] of Object.entries(tags)) {
    const pulled = await client.pulled(tag);
    if (pulled !== digest) missing(`${tag} is ${pulled}`);
  }
}

/** Pushes as clients do: the first layer in chunks. The status of the first refusal, or 201. */
async function push(client: WireClient, tag: string, image: ImageSample): Promise<number> {
  for (const [index, { bytes, digest }] of image.blobs.entries()) {
    const begun = await client.send("POST", `/v2/${client.name}/blobs/uploads/`);
    if (begun.status !== 202) return begun.status;
    const location = new URL(begun.headers.get("Location") ?? "", "http://localhost").pathname;
    const cuts = index === 1 ? [Math.floor(bytes.byteLength / 3), bytes.byteLength - 1] : [];
    let offset = 0;
    for (const cut of cuts) {
      const { status } = await client.patch(location, bytes.subarray(offset, cut), offset);
      if (status !== 202) return status;
      offset = cut;
    }
    const { status } = await client.put(location, digest, bytes.subarray(offset));
    if (status !== 201) return status;
  }
  return (await client.putManifest(tag, image)).status;
}

/** Lets one operation fail, once. */
class Fault {
  readonly #run: Run;
  #isArmed = false;
  #count = 0;
  /** The operation that failed. */
  what: string | undefined;
  isSync = false;

  constructor(run: Run) {
    this.#run = run;
  }

  arm(): void {
    this.#isArmed = true;
  }

  disarm(): void {
    this.#isArmed = false;
  }

  meet({ name, path }: FileOperation): undefined {
    // A close that fails has closed all the same, and nothing depends on it.
    if (!this.#isArmed || name === "close") return undefined;
    this.#count += 1;
    if (this.#count !== this.#run.at) return undefined;
    const { code } = this.#run;
    this.isSync = name === "sync" || name === "syncFolder";
    this.what = `operation ${this.#count}, ${name} ${path}`;
    throw Object.assign(new Error(`${code}: ${name} '${path}'`), { code });
  }
}

interface Disk {
  readonly fileSystem: FileSystem;
  readonly rootFolder: string;
  openFiles(): readonly string[];
  dispose(): void;
}

function memoryDisk(): Disk {
  const disk = new SimulatedDisk({ clock: systemClock });
  return {
    fileSystem: disk,
    rootFolder: "/registry",
    openFiles: () => Array.from({ length: disk.openFiles }, () => "a file"),
    dispose: () => undefined,
  };
}

function realDisk(): Disk {
  const rootFolder = mkdtempSync(join(tmpdir(), "berth-failing-"));
  return {
    fileSystem: nodeFileSystem,
    rootFolder,
    openFiles: () => descriptorsBelow(rootFolder),
    dispose: () => rmSync(rootFolder, { recursive: true, force: true }),
  };
}

/** What this process has open below a folder, as Linux tells. */
function descriptorsBelow(folder: string): readonly string[] {
  const open: string[] = [];
  for (const descriptor of readdirSync("/proc/self/fd")) {
    try {
      const path = readlinkSync(`/proc/self/fd/${descriptor}`);
      if (path.startsWith(folder)) open.push(path);
    } catch {
      // The descriptor of this very listing is closed by now.
    }
  }
  return open;
}
