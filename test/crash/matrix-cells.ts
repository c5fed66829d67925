/** Which requests meet, and what must be true of each pair afterwards. */

import type { Digest } from "../../src/oci/digest.ts";
import { nameOf, tagOf } from "../../src/oci/test-support.ts";
import type { MatrixWorld } from "./matrix-world.ts";
import type { Answer } from "./wire-client.ts";

export interface Cell {
  readonly name: string;
  /** Lets the requests meet once, and says what does not hold. */
  readonly run: (world: MatrixWorld) => Promise<readonly string[]>;
}

/** Sentences for what is not as it should be. */
export class Findings {
  readonly all: string[] = [];

  status(what: string, { status }: Answer, allowed: readonly number[]): void {
    if (!allowed.includes(status)) this.all.push(`${what} answered ${status}`);
  }

  value(what: string, value: string, allowed: readonly string[]): void {
    if (!allowed.includes(value)) this.all.push(`${what} is ${value}, not ${allowed.join(" or ")}`);
  }

  holds(what: string, isTrue: boolean): void {
    if (!isTrue) this.all.push(what);
  }
}

const missing = [202, 404];

export const cells: readonly Cell[] = [
  cell("PUT blob × PUT same blob", async (world, findings) => {
    const blob = world.blob();
    const other = `${world.name}/other`;
    const answers = await world.meet<readonly [Answer, Answer, Answer]>(
      () => world.putBlob(blob),
      () => world.putBlob(blob),
      () => world.putBlob(blob, other),
    );
    for (const answer of answers) findings.status("a PUT", answer, [201]);
    for (const name of [world.name, other]) {
      findings.value("the blob", await world.pullBlob(blob.digest, name), [blob.digest]);
    }
  }),
  cell("PUT blob × mount", async (world, findings) => {
    const blob = world.blob();
    const target = `${world.name}/other`;
    const [put, mounted] = await world.meet<readonly [Answer, Answer]>(
      () => world.putBlob(blob),
      () => world.mount(blob, world.name, target),
    );
    findings.status("the PUT", put, [201]);
    findings.status("the mount", mounted, [201, 202]);
    const expected = mounted.status === 201 ? blob.digest : "absent";
    findings.value("the mounted blob", await world.pullBlob(blob.digest, target), [expected]);
  }),
  cell("PUT blob × DELETE blob", async (world, findings) => {
    const blob = world.blob();
    await world.putBlob(blob);
    const [put, deleted] = await world.meet<readonly [Answer, Answer]>(
      () => world.putBlob(blob),
      () => world.delete("blobs", blob.digest),
    );
    findings.status("the PUT", put, [201]);
    findings.status("the DELETE", deleted, [202]);
    await agrees(world, findings, blob.digest);
  }),
  cell("mount × DELETE blob", async (world, findings) => {
    const blob = world.blob();
    const target = `${world.name}/other`;
    await world.putBlob(blob);
    const [mounted, deleted] = await world.meet<readonly [Answer, Answer]>(
      () => world.mount(blob, world.name, target),
      () => world.delete("blobs", blob.digest),
    );
    findings.status("the mount", mounted, [201, 202]);
    findings.status("the DELETE", deleted, [202]);
    const expected = mounted.status === 201 ? blob.digest : "absent";
    findings.value("the mounted blob", await world.pullBlob(blob.digest, target), [expected]);
  }),
  cell("PUT tag × PUT same tag", async (world, findings) => {
    const [one, two] = [world.image(), world.image()];
    await world.putBlobs(one);
    await world.putBlobs(two);
    const answers = await world.meet<readonly [Answer, Answer]>(
      () => world.putManifest("v", one),
      () => world.putManifest("v", two),
    );
    for (const answer of answers) findings.status("a PUT", answer, [201]);
    findings.value("the tag", await world.pulled("v"), [one.digest, two.digest]);
    for (const { digest } of [one, two]) {
      findings.value("the manifest", await world.pulled(digest), [digest]);
    }
    await hasSaneHistory(world, findings, 2);
    await agreesOnTag(world, findings);
  }),
  cell("PUT tag × DELETE tag", async (world, findings) => {
    const [before, after] = [world.image(), world.image()];
    await world.putImage("v", before);
    await world.putBlobs(after);
    const [put, deleted] = await world.meet<readonly [Answer, Answer]>(
      () => world.putManifest("v", after),
      () => world.delete("manifests", "v"),
    );
    findings.status("the PUT", put, [201]);
    findings.status("the DELETE", deleted, [202]);
    findings.value("the tag", await world.pulled("v"), [after.digest, "absent"]);
    findings.value("the manifest", await world.pulled(after.digest), [after.digest]);
    await hasSaneHistory(world, findings, 3);
    await agreesOnTag(world, findings);
  }),
  cell("PUT tag × DELETE of the manifest before", async (world, findings) => {
    const [before, after] = [world.image(), world.image()];
    await world.putImage("v", before);
    await world.putBlobs(after);
    const [put, deleted] = await world.meet<readonly [Answer, Answer]>(
      () => world.putManifest("v", after),
      () => world.delete("manifests", before.digest),
    );
    findings.status("the PUT", put, [201]);
    findings.status("the DELETE", deleted, [202]);
    // In whichever order: the deletion takes only tags that point to its manifest.
    findings.value("the tag", await world.pulled("v"), [after.digest]);
    findings.value("the manifest before", await world.pulled(before.digest), ["absent"]);
    await agreesOnTag(world, findings);
  }),
  cell("PUT tag × DELETE of its manifest", async (world, findings) => {
    const image = world.image();
    await world.putImage("v", image);
    const [put, deleted] = await world.meet<readonly [Answer, Answer]>(
      () => world.putManifest("w", image),
      () => world.delete("manifests", image.digest),
    );
    findings.status("the PUT", put, [201]);
    findings.status("the DELETE", deleted, [202]);
    const manifest = await world.pulled(image.digest);
    findings.value("the manifest", manifest, [image.digest, "absent"]);
    findings.value("the tag", await world.pulled("w"), [manifest]);
    findings.value("the tag before", await world.pulled("v"), ["absent"]);
    await agreesOnTag(world, findings, "w");
  }),
  cell("PUT tag × DELETE blob", async (world, findings) => {
    const image = world.image();
    await world.putBlobs(image);
    const layer = image.blobs[1] ?? image;
    const [put, deleted] = await world.meet<readonly [Answer, Answer]>(
      () => world.putManifest("v", image),
      () => world.delete("blobs", layer.digest),
    );
    findings.status("the PUT", put, [201, 400, 404]);
    findings.status("the DELETE", deleted, [202]);
    if (put.status !== 201) return findings.value("the tag", await world.pulled("v"), ["absent"]);
    // The blob went after the tag was there, or the client was told that it was not complete.
    const hex = layer.digest.slice(7);
    const isOf = (name: string, end: string) => (operation: (typeof world.trace)[number]) =>
      operation.name === name && operation.path.endsWith(end);
    const gone = world.trace.findIndex(isOf("unlink", `/_layers/sha256/${hex}/link`));
    const tagged = world.trace.findIndex(isOf("rename", "/tags/v/current/link"));
    findings.holds("the blob went between its check and the tag", tagged < gone);
  }),
  cell("DELETE tag × DELETE same tag", async (world, findings) => {
    await world.putImage("v", world.image());
    const answers = await world.meet<readonly [Answer, Answer]>(
      () => world.delete("manifests", "v"),
      () => world.delete("manifests", "v"),
    );
    const statuses = answers.map(({ status }) => status).sort((a, b) => a - b);
    findings.value("the answers", statuses.join(" and "), [missing.join(" and ")]);
    findings.value("the tag", await world.pulled("v"), ["absent"]);
  }),
  cell("pull × PUT tag", async (world, findings) => {
    const [before, after] = [world.image(), world.image()];
    await world.putImage("v", before);
    await world.putBlobs(after);
    const [pulled, put] = await world.meet<readonly [string, Answer]>(
      () => world.pulled("v"),
      () => world.putManifest("v", after),
    );
    findings.status("the PUT", put, [201]);
    findings.value("the pull", pulled, [before.digest, after.digest]);
  }),
  cell("pull × DELETE tag", async (world, findings) => {
    const image = world.image();
    await world.putImage("v", image);
    const [pulled, deleted] = await world.meet<readonly [string, Answer]>(
      () => world.pulled("v"),
      () => world.delete("manifests", "v"),
    );
    findings.status("the DELETE", deleted, [202]);
    findings.value("the pull", pulled, [image.digest, "absent"]);
  }),
  cell("pull × DELETE manifest", async (world, findings) => {
    const image = world.image();
    await world.putImage("v", image);
    const [pulled, deleted] = await world.meet<readonly [string, Answer]>(
      () => world.pulled("v"),
      () => world.delete("manifests", image.digest),
    );
    findings.status("the DELETE", deleted, [202]);
    findings.value("the pull", pulled, [image.digest, "absent"]);
  }),
  cell("pull of a blob × DELETE blob × PUT blob", async (world, findings) => {
    const blob = world.blob();
    await world.putBlob(blob);
    const [pulled, deleted, put] = await world.meet<readonly [string, Answer, Answer]>(
      () => world.pullBlob(blob.digest),
      () => world.delete("blobs", blob.digest),
      () => world.putBlob(blob),
    );
    findings.status("the DELETE", deleted, [202]);
    findings.status("the PUT", put, [201]);
    findings.value("the pull", pulled, [blob.digest, "absent"]);
    await agrees(world, findings, blob.digest);
  }),
];

export function cell(
  name: string,
  run: (world: MatrixWorld, findings: Findings) => Promise<void>,
): Cell {
  return {
    name,
    run: async (world) => {
      const findings = new Findings();
      await run(world, findings);
      return findings.all;
    },
  };
}

/** The blob is there with its bytes or not at all, for the storage and the metadata alike. */
async function agrees(world: MatrixWorld, findings: Findings, digest: Digest): Promise<void> {
  const link = await world.registry.links.readLayer(nameOf(world.name), digest);
  const expected = link === undefined ? "absent" : digest;
  findings.value("the blob", await world.pullBlob(digest), [expected]);
}

/** The layout and the metadata say the same of the tag. */
async function agreesOnTag(world: MatrixWorld, findings: Findings, tag = "v"): Promise<void> {
  const link = await world.registry.links.readTag(nameOf(world.name), tagOf(tag));
  findings.value(`the tag ${tag}`, await world.pulled(tag), [link?.digest ?? "absent"]);
}

/** Each move of the tag begins where the one before ended, and the last where the tag is. */
async function hasSaneHistory(
  world: MatrixWorld,
  findings: Findings,
  count: number,
): Promise<void> {
  const { activity } = world.registry;
  const name = nameOf(world.name);
  const found = await activity.listTagEvents(name, { tag: tagOf("v"), limit: 10 });
  const events = found.toReversed();
  findings.value("the number of moves", String(events.length), [String(count)]);
  let before = "absent";
  for (const event of events) {
    findings.value("what a move began with", event.before ?? "absent", [before]);
    before = event.after ?? "absent";
  }
  findings.value("the tag", await world.pulled("v"), [before]);
}
