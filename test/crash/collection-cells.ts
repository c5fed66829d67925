/** Requests that meet a round of live collection to which all is due that nothing protects. */

import { silentLogger } from "../../src/base/logger.ts";
import type { Digest } from "../../src/oci/digest.ts";
import { nameOf } from "../../src/oci/test-support.ts";
import { Collection } from "../../src/server/collection.ts";
import { retentionOf } from "./collecting.ts";
import { type Cell, cell, type Findings } from "./matrix-cells.ts";
import type { MatrixWorld } from "./matrix-world.ts";
import type { ImageSample, Sample } from "./samples.ts";
import type { Answer } from "./wire-client.ts";

const hourMs = 3_600_000;

/** Where blobs are that nothing needs when the round begins that the request meets. */
type Stage = "in their place" | "in the trash";

export const collectionCells: readonly Cell[] = [
  cell("collection × PUT blob", async (world, findings) => {
    const [blob, fresh] = [world.blob(), world.blob()];
    await world.putBlob(blob);
    await dueFor(world);
    const [, ...answers] = await world.meet<readonly [void, Answer, Answer]>(
      () => world.collect(),
      () => world.putBlob(blob),
      () => world.putBlob(fresh),
    );
    for (const put of answers) findings.status("the PUT", put, [201]);
    await isLeased(world, findings, [blob.digest, fresh.digest]);
    await isGoneInTheEnd(world, findings, [blob.digest, fresh.digest]);
  }),
  cell("collection × PUT of a new blob into a repository that has nothing", async (world, f) => {
    const blob = world.blob();
    await world.putBlob(blob);
    await dueFor(world, "in the trash");
    const image = world.image();
    const [, put] = await world.meet<readonly [void, Answer]>(
      () => world.collect(),
      async () => {
        for (const part of image.blobs) f.status("the PUT", await world.putBlob(part), [201]);
        return world.putManifest("v", image);
      },
    );
    f.status("the PUT of the manifest", put, [201]);
    await staysWhole(world, f, image);
  }),
  cell("collection × HEAD blob", async (world, findings) => {
    const blob = world.blob();
    await world.putBlob(blob);
    const stage = await dueFor(world);
    const target = `/v2/${world.name}/blobs/${blob.digest}`;
    const [, head] = await world.meet<readonly [void, Answer]>(
      () => world.collect(),
      () => world.send("HEAD", target),
    );
    findings.status("the HEAD", head, unlessEnded(stage, 200, [404]));
    if (head.status === 200) await isLeased(world, findings, [blob.digest]);
    await isGoneInTheEnd(world, findings, [blob.digest]);
  }),
  cell("collection × pull of a blob", async (world, findings) => {
    const blob = world.blob();
    await world.putBlob(blob);
    const stage = await dueFor(world);
    const [, pulled] = await world.meet<readonly [void, string]>(
      () => world.collect(),
      () => world.pullBlob(blob.digest),
    );
    const allowed = stage === "in the trash" ? [blob.digest, "absent"] : [blob.digest];
    findings.value("the pull", pulled, allowed);
    if (pulled === blob.digest) await isLeased(world, findings, [blob.digest]);
  }),
  cell("collection × PUT tag", async (world, findings) => {
    const image = world.image();
    await world.putBlobs(image);
    const stage = await dueFor(world);
    const [, put] = await world.meet<readonly [void, Answer]>(
      () => world.collect(),
      () => world.putManifest("v", image),
    );
    findings.status("the PUT", put, unlessEnded(stage, 201, [400, 404]));
    if (put.status === 201) await staysWhole(world, findings, image);
    else findings.value("the tag", await world.pulled("v"), ["absent"]);
  }),
  cell("collection × push as clients do, who ask first", async (world, findings) => {
    const image = world.image();
    await world.putBlobs(image);
    await dueFor(world);
    const [, put] = await world.meet<readonly [void, Answer]>(
      () => world.collect(),
      () => pushMissing(world, image),
    );
    findings.status("the PUT", put, [201]);
    await staysWhole(world, findings, image);
  }),
  cell("collection of links × push as clients do, who ask first", async (world, findings) => {
    const image = world.image();
    const other = `${world.name}/other`;
    await world.putBlobs(image, other);
    findings.status("the PUT elsewhere", await world.putManifest("v", image, other), [201]);
    // Here they are links that nothing needs.
    await world.putBlobs(image);
    await dueFor(world, "in their place");
    const [, put] = await world.meet<readonly [void, Answer]>(
      () => world.collect(),
      () => pushMissing(world, image),
    );
    findings.status("the PUT", put, [201]);
    await staysWhole(world, findings, image);
  }),
  cell("collection × mount", async (world, findings) => {
    const blob = world.blob();
    const target = `${world.name}/other`;
    await world.putBlob(blob);
    const stage = await dueFor(world);
    const [, mounted] = await world.meet<readonly [void, Answer]>(
      () => world.collect(),
      () => world.mount(blob, world.name, target),
    );
    findings.status("the mount", mounted, unlessEnded(stage, 201, [202]));
    if (mounted.status !== 201) return;
    findings.value("the blob", await world.pullBlob(blob.digest, target), [blob.digest]);
    world.name = target;
    await isLeased(world, findings, [blob.digest]);
  }),
  cell("collection × DELETE tag × pull", async (world, findings) => {
    const image = world.image();
    await world.putImage("v", image);
    await dueFor(world, "in their place");
    const [, deleted, pulled] = await world.meet<readonly [void, Answer, string]>(
      () => world.collect(),
      () => world.delete("manifests", "v"),
      () => world.pulled("v"),
    );
    findings.status("the DELETE", deleted, [202]);
    findings.value("the pull", pulled, [image.digest, "absent"]);
    findings.value("the tag", await world.pulled("v"), ["absent"]);
    findings.value("the manifest", await world.pulled(image.digest), [image.digest]);
  }),
  cell("collection × DELETE manifest × pull", async (world, findings) => {
    const image = world.image();
    await world.putImage("v", image);
    await dueFor(world, "in their place");
    const [, deleted, pulled] = await world.meet<readonly [void, Answer, string]>(
      () => world.collect(),
      () => world.delete("manifests", image.digest),
      () => world.pulled("v"),
    );
    findings.status("the DELETE", deleted, [202]);
    findings.value("the pull", pulled, [image.digest, "absent"]);
    findings.value("the tag", await world.pulled("v"), ["absent"]);
    await isGoneInTheEnd(world, findings, digestsOf(image));
  }),
  cell("collection × DELETE blob", async (world, findings) => {
    const blob = world.blob();
    await world.putBlob(blob);
    const stage = await dueFor(world);
    const [, deleted] = await world.meet<readonly [void, Answer]>(
      () => world.collect(),
      () => world.delete("blobs", blob.digest),
    );
    findings.status("the DELETE", deleted, unlessEnded(stage, 202, [404]));
    findings.value("the blob", await world.pullBlob(blob.digest), ["absent"]);
    await isGoneInTheEnd(world, findings, [blob.digest]);
  }),
  cell("collection × collection × PUT tag", async (world, findings) => {
    const [image, orphan] = [world.image(), world.blob()];
    await world.putBlobs(image);
    await world.putBlob(orphan);
    const stage = await dueFor(world);
    const round = asTheServerDoes(world);
    const [one, two, put] = await world.meet<readonly [number, number, Answer]>(round, round, () =>
      world.putManifest("v", image),
    );
    findings.holds("one blob went twice", one + two <= 1 + digestsOf(image).length);
    findings.status("the PUT", put, unlessEnded(stage, 201, [400, 404]));
    if (put.status === 201) await staysWhole(world, findings, image);
    await isGoneInTheEnd(world, findings, [orphan.digest]);
  }),
  cell("collection × restore of a manifest", async (world, findings) => {
    const image = world.image();
    await world.putImage("v", image);
    await world.delete("manifests", image.digest);
    const isExpired = world.random.below(2) === 0;
    if (isExpired) await world.pass(retentionOf(world.registry));
    else await dueFor(world, "in the trash");
    const [, restored] = await world.meet<readonly [void, boolean]>(
      () => world.collect(),
      () => restore(world, image),
    );
    findings.holds("what can be taken back was not", restored || isExpired);
    const expected = restored ? image.digest : "absent";
    findings.value("the tag", await world.pulled("v"), [expected]);
    if (restored) await staysWhole(world, findings, image);
    else await isGoneInTheEnd(world, findings, digestsOf(image));
  }),
];

/** Lets all leases end; blobs that nothing needs are at the stage that is asked for, or at any. */
async function dueFor(world: MatrixWorld, wanted?: Stage): Promise<Stage> {
  const stage = wanted ?? world.random.pick(["in their place", "in the trash"] as const);
  await world.makeDue();
  if (stage === "in their place") return stage;
  await world.collect();
  await world.makeDue();
  return stage;
}

/** What the round has ended may not be there; nothing ends that was not in the trash before. */
function unlessEnded(stage: Stage, usual: number, ended: readonly number[]): readonly number[] {
  return stage === "in the trash" ? [usual, ...ended] : [usual];
}

/** Whoever was told of a blob finds it until the grace is over, whether it is asked for or not. */
async function isLeased(
  world: MatrixWorld,
  findings: Findings,
  digests: readonly Digest[],
): Promise<void> {
  await world.collect();
  await world.pass(world.registry.context.policy.leaseMs - hourMs);
  await world.collect();
  for (const digest of digests) {
    const size = await world.registry.context.blobs.sizeOf(digest);
    findings.holds("the blob was moved within its grace", size !== undefined);
    findings.value("the blob", await world.pullBlob(digest), [digest]);
  }
}

/** What is referenced stays, however long nobody asks for it. */
async function staysWhole(
  world: MatrixWorld,
  findings: Findings,
  image: ImageSample,
): Promise<void> {
  findings.value("the tag", await world.pulled("v"), [image.digest]);
  for (let round = 0; round < 2; round += 1) {
    await world.makeDue();
    await world.collect();
  }
  findings.value("the tag", await world.pulled("v"), [image.digest]);
}

/** Nothing is left of them, and nothing of the repository. */
async function isGoneInTheEnd(
  world: MatrixWorld,
  findings: Findings,
  digests: readonly Digest[],
): Promise<void> {
  await world.pass(retentionOf(world.registry));
  for (let round = 0; round < 3; round += 1) {
    await world.collect();
    await world.makeDue();
  }
  const { context, links, metadata } = world.registry;
  for (const digest of digests) {
    const sizes = [await context.blobs.sizeOf(digest), await context.blobs.sizeInTrash(digest)];
    findings.value("the bytes", sizes.join(" and "), [" and "]);
    const link = await links.readLayer(nameOf(world.name), digest);
    findings.value("the link", link?.digest ?? "absent", ["absent"]);
    const row = await metadata.collection.stateOf(digest);
    findings.value("the row", row?.digest ?? "absent", ["absent"]);
  }
}

function digestsOf(image: ImageSample): readonly Digest[] {
  return [image.digest, ...image.blobs.map(({ digest }) => digest)];
}

async function pushMissing(world: MatrixWorld, image: ImageSample): Promise<Answer> {
  const isThere = async ({ digest }: Sample): Promise<boolean> => {
    const target = `/v2/${world.name}/blobs/${digest}`;
    return (await world.send("HEAD", target)).status === 200;
  };
  for (const blob of image.blobs) if (!(await isThere(blob))) await world.putBlob(blob);
  return world.putManifest("v", image);
}

async function restore(world: MatrixWorld, { digest }: ImageSample): Promise<boolean> {
  const options = { actor: {}, isForced: false };
  const { undo } = world.registry.registry;
  const restored = await undo.restoreManifest(nameOf(world.name), digest, options);
  return restored.every(({ outcome }) => ["restored", "unchanged"].includes(outcome.kind));
}

/** Rounds of the composition that the server runs, which lets one wait for the other. */
function asTheServerDoes(world: MatrixWorld): () => Promise<number> {
  const { context } = world.registry;
  const graceMs = context.policy.leaseMs;
  const config = {
    ...{ isEnabled: true, intervalMs: hourMs, rate: Number.POSITIVE_INFINITY },
    ...{ graceMs, trashGraceMs: graceMs },
  };
  const parts = { context, config, clock: world.clock, logger: silentLogger };
  const collection = new Collection(parts);
  const { signal } = new AbortController();
  return async () => (await collection.round({ signal, isFull: false })).trashedBlobs;
}
