/**
 * A disk with no room, with no names left, and one that has become read-only: pushes are refused
 * with the right status, pulls and deletions go on, and it is all over once a health check has seen
 * that there is room again, without a restart.
 */
import { readdirSync, rmSync, statSync, truncateSync } from "node:fs";
import { join } from "node:path";
import { digestOf, octetStream } from "../support/distribution-client.ts";
import { fillWithBytes, fillWithNames } from "../support/filler.ts";
import { type DiskKind, disksUnavailable, MountedDisk } from "./mounted-disk.ts";
import { type Pusher, Refusal } from "./pusher.ts";
import { atLeast, type Figure, none, type Rig, type RigOptions } from "./rig.ts";
import type { SeededRandom } from "./seeded-random.ts";
import { Trial } from "./trial.ts";

const attempts = { short: 4, long: 40 } as const;

interface Shortage {
  readonly name: string;
  readonly disk: DiskKind;
  /** Statuses with which a push may be refused meanwhile. */
  readonly statuses: readonly number[];
  /** A read-only disk cannot delete either. */
  readonly isReadOnly: boolean;
  begin(disk: MountedDisk): Promise<void>;
  /** Leaves a little, so that what is pushed next gets some of its way. */
  readonly loosen?: (disk: MountedDisk, random: SeededRandom) => void;
  end(disk: MountedDisk): Promise<void>;
}

const fillerName = "filler";

const shortages: readonly Shortage[] = [
  ...(["tmpfs", "ext4"] as const).map(
    (kind): Shortage => ({
      name: `no room on ${kind}`,
      disk: { kind, sizeMiB: 32 },
      statuses: [507],
      isReadOnly: false,
      begin: async ({ folder }) => fillWithBytes(join(folder, fillerName)),
      loosen: ({ folder }, random) => {
        const path = join(folder, fillerName);
        truncateSync(path, statSync(path).size - random.logarithmic(4_096, 256 * 1024));
      },
      end: async ({ folder }) => rmSync(join(folder, fillerName)),
    }),
  ),
  {
    name: "no inodes",
    disk: { kind: "tmpfs", sizeMiB: 32, inodes: 1_500 },
    statuses: [507],
    isReadOnly: false,
    begin: async ({ folder }) => fillWithNames(join(folder, fillerName)),
    loosen: ({ folder }, random) => {
      const names = readdirSync(join(folder, fillerName)).slice(0, random.integer(1, 40));
      for (const name of names) rmSync(join(folder, fillerName, name));
    },
    end: async ({ folder }) => rmSync(join(folder, fillerName), { recursive: true }),
  },
  {
    name: "read-only",
    disk: { kind: "ext4", sizeMiB: 32 },
    statuses: [503, 507],
    isReadOnly: true,
    begin: async (disk) => disk.makeReadOnly(true),
    end: async (disk) => disk.makeReadOnly(false),
  },
];

export const full: Rig = {
  name: "full",
  fault: "ENOSPC, no inodes, EROFS",
  unavailable: async () => (await disksUnavailable("tmpfs")) ?? (await disksUnavailable("ext4")),
  async run(options) {
    const figures: Figure[] = [];
    for (const shortage of shortages) {
      const found = await run(shortage, options);
      figures.push(
        ...found.map((figure) => ({ ...figure, name: `${shortage.name}: ${figure.name}` })),
      );
    }
    return figures;
  },
};

async function run(shortage: Shortage, { seed, form }: RigOptions): Promise<readonly Figure[]> {
  await using disk = await MountedDisk.create(shortage.disk);
  await using trial = new Trial({
    name: "full",
    seed: `${seed} ${shortage.name}`,
    dataFolder: join(disk.folder, "registry"),
    pushersCount: 1,
    config: { health: { storagedriver: { enabled: true, interval: "1s" } } },
  });
  return await suffer({ shortage, disk, trial, count: attempts[form] });
}

interface Scene {
  readonly shortage: Shortage;
  readonly disk: MountedDisk;
  readonly trial: Trial;
  readonly count: number;
}

async function suffer(scene: Scene): Promise<readonly Figure[]> {
  const { shortage, disk, trial, count } = scene;
  const { berth, client, oracle } = trial;
  const [pusher] = trial.pushers;
  if (pusher === undefined) throw new Error("there is no pusher");
  await berth.start();
  for (let index = 0; index < 12; index += 1) await pusher.pushImage();
  for (let index = 0; index < 4; index += 1) await pusher.pushSpare();
  const upload = await LargeUpload.begin(trial);

  await shortage.begin(disk);
  const refusals = new Refusals(shortage);
  await refusals.note(() => upload.sendRest());
  for (let index = 0; index < count; index += 1) {
    if (index % 2 === 1) shortage.loosen?.(disk, trial.random);
    await refusals.note(() => (index % 5 === 0 ? pusher.pushSpare() : pusher.pushImage()));
    if (shortage.loosen !== undefined) await shortage.begin(disk);
  }
  const served = await oracle.verify(client);
  const undeleted = await deletions(scene, pusher);
  await shortage.end(disk);

  await untilPushesAreTaken(trial);
  const after = new Refusals({ statuses: [] });
  await after.note(() => upload.sendRest());
  for (let index = 0; index < count; index += 1) await after.note(() => pusher.pushImage());
  await berth.kill();
  await trial.recover("after it");
  return [
    atLeast("pushes refused", refusals.refused, 1),
    none(`pushes answered by other than ${shortage.statuses.join(" or ")}`, refusals.wrong),
    none("pulls that failed", [...served.lost, ...served.corrupt, ...served.broken]),
    none("deletions that failed", undeleted),
    none("pushes refused once it is over, without a restart", after.wrong),
    ...trial.figures(),
  ];
}

const settledMsMax = 30_000;

/** The next health check sees that there is room. Without an end to it, the pushes that follow tell. */
async function untilPushesAreTaken({ client }: Trial): Promise<void> {
  const headers = { "content-length": "0" };
  for (let waitedMs = 0; waitedMs < settledMsMax; waitedMs += 100) {
    const begun = await client.send("POST", "/v2/large/app/blobs/uploads/", { headers });
    if (begun.status === 202) {
      await client.send("DELETE", begun.headers.get("location") ?? "");
      return;
    }
    await Bun.sleep(100);
  }
}

/** Deletes a tag, an image and a blob; what was answered otherwise than it should be. */
async function deletions({ shortage, trial }: Scene, pusher: Pusher): Promise<readonly string[]> {
  // A read-only disk refuses these too, by the same statuses.
  const answers = new Refusals({ statuses: shortage.isReadOnly ? shortage.statuses : [] });
  await answers.note(() => pusher.deleteTag());
  await answers.note(() => pusher.deleteImage());
  await answers.note(() => pusher.deleteSpare());
  return [...answers.wrong, ...trial.client.hangs];
}

/** What was refused, and what of it was refused by another status than it should be. */
class Refusals {
  readonly #statuses: readonly number[];
  readonly wrong: string[] = [];
  refused = 0;

  constructor({ statuses }: Pick<Shortage, "statuses">) {
    this.#statuses = statuses;
  }

  async note(work: () => Promise<void>): Promise<void> {
    try {
      await work();
    } catch (error) {
      if (error instanceof Refusal && this.#statuses.includes(error.status)) this.refused += 1;
      else this.wrong.push(String(error));
    }
  }
}

/** An upload whose first half is there when the room ends, and which goes on when it is back. */
class LargeUpload {
  readonly #trial: Trial;
  readonly #bytes: Uint8Array<ArrayBuffer>;
  readonly #location: string;

  private constructor(trial: Trial, bytes: Uint8Array<ArrayBuffer>, location: string) {
    this.#trial = trial;
    this.#bytes = bytes;
    this.#location = location;
  }

  static async begin(trial: Trial): Promise<LargeUpload> {
    const bytes = trial.random.bytes(4 << 20);
    const headers = { "content-length": "0" };
    const begun = await trial.client.send("POST", "/v2/large/app/blobs/uploads/", { headers });
    const upload = new LargeUpload(trial, bytes, begun.headers.get("location") ?? "");
    await upload.#send(0, bytes.byteLength / 2);
    return upload;
  }

  /** @throws {Refusal} when it cannot go on. */
  async sendRest(): Promise<void> {
    const status = await this.#trial.client.send("GET", this.#location);
    if (status.status !== 204) throw new Refusal("the state of an upload", status);
    const last = Number(status.headers.get("range")?.slice(2));
    await this.#send(last === 0 ? 0 : last + 1, this.#bytes.byteLength);
    const digest = digestOf(this.#bytes);
    const headers = { "content-length": "0" };
    const target = `${this.#location}?digest=${digest}`;
    const ended = await this.#trial.client.send("PUT", target, { headers });
    if (ended.status !== 201) throw new Refusal("the end of an upload", ended);
  }

  async #send(start: number, end: number): Promise<void> {
    if (start === end) return;
    const headers = { ...octetStream, "content-range": `${start}-${end - 1}` };
    const body = this.#bytes.slice(start, end);
    const answer = await this.#trial.client.send("PATCH", this.#location, { headers, body });
    if (answer.status !== 202) throw new Refusal("a chunk", answer);
  }
}
