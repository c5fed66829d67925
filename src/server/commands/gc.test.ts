import { afterEach, expect, test } from "bun:test";
import { systemRandom } from "../../base/random.ts";
import { digestOf } from "../../oci/digest.ts";
import { nameOf, tagOf } from "../../oci/test-support.ts";
import { hourMs, openTestRegistry, type TestRegistry } from "../../registry/test-support.ts";
import { Collection } from "../collection.ts";
import { RetentionRuns } from "../retention-runs.ts";
import { CommandArguments, type CommandParts, type CommandValues } from "./command.ts";
import { commands } from "./commands.ts";

const app = nameOf("team/app");
const opened: TestRegistry[] = [];
afterEach(async () => {
  for (const registry of opened.splice(0)) await registry.close();
});

/** A registry whose clock goes by days, and the commands on it; as in a server unless told. */
async function rig(isServing = true) {
  const registry = await openTestRegistry();
  opened.push(registry);
  const { config, clock, logger } = registry;
  const basics = { clock, logger };
  const collection = new Collection({ ...basics, context: registry.context, config: config.gc });
  const run = async (name: string, values: CommandValues = {}) => {
    const lines: string[] = [];
    const parts: CommandParts = {
      ...{ ...basics, config, collection, isServing, opened: registry, random: systemRandom },
      retention: new RetentionRuns({ ...basics, opened: registry, config: config.retention }),
      signal: new AbortController().signal,
      print: (line) => lines.push(line),
      adopted: () => registry.adopt(),
    };
    const command = commands.get(name) ?? expect.unreachable(name);
    return { exit: await command(parts, new CommandArguments(values)), text: lines.join("\n") };
  };
  const pass = async (hours: number) => {
    await registry.context.leases.flush();
    clock.pass(hours * hourMs);
  };
  const why = (digest: string) => run("gc why", { digest });
  return { ...registry, run, why, pass };
}

test("why follows a layer through its life: reference, undo, lease, trash, gone", async () => {
  const { image, registry, run, why, pass } = await rig();
  const layer = digestOf("layer");
  const manifest = await image(app, "layer", { tag: "v1" });
  const needed = await why(layer);
  expect(needed).toMatchObject({ exit: 0 });
  expect(needed.text).toContain(`it is layer of manifest team/app@${manifest} (tags v1)`);
  expect(needed.text).toContain("a client was told that it exists; until 2026-01-02");

  await pass(30);
  await registry.manifests.remove(app, { kind: "digest", digest: manifest }, {});
  expect((await why(layer)).text).toContain(`undo: team/app@${manifest} was deleted 2026-01-02`);
  expect((await run("gc preview")).text).toContain(`kept     ${layer} 5 B (undo)`);

  // The round that takes it forgets the entry first; until then nobody is told of an undo.
  await pass(170);
  const expired = await why(layer);
  expect(expired.text).not.toContain("undo");
  expect(expired.text).toContain("nothing keeps it: it goes with the next round");
  expect((await run("gc preview")).text).toContain(`trash    ${layer} 5 B`);
  expect((await run("gc run")).text).toContain(`trashed  ${layer} 5 B`);
  const trashed = await why(layer);
  expect(trashed.text).toContain("it is in the trash since");
  expect(trashed.text).toContain("and is removed with a round after 2026-01-10");
  expect(trashed.text).not.toContain("nothing keeps it");

  await pass(25);
  expect((await why(layer)).text).toContain("and is removed with the next round");
  expect((await run("gc preview")).text).toContain(`remove   ${layer} 5 B`);
  expect((await run("gc run", { quiet: true })).text).toContain("3 blobs");
  const gone = await why(layer);
  expect(gone).toMatchObject({ exit: 1 });
  expect(gone.text).toContain("it was collected");
  expect(gone.text).toContain("at last it was shown by team/app");
});

test("why of a blob that was pushed anew says that only an older copy is in the trash", async () => {
  const { blob, image, run, why, pass } = await rig();
  const layer = await blob(app, "layer");
  await pass(30);
  expect((await run("gc run")).text).toContain(`trashed  ${layer}`);
  await image(app, "layer", { tag: "v1" });
  const { text } = await why(layer);
  expect(text).not.toContain("it is in the trash");
  expect(text).toContain("is in the trash and goes with a round after 2026-01-03");
  expect(text).toContain("reference: it is layer of manifest");
});

test("a preview does not say of what returns from the trash that it goes", async () => {
  const { blob, image, run, pass, context } = await rig();
  const anew = await blob(app, "layer");
  const leased = await blob(app, "leased");
  const orphan = await blob(app, "orphan");
  await pass(30);
  await run("gc run");
  await image(app, "layer", { tag: "v1" });
  await pass(25);
  context.leases.touch(leased);
  const preview = await run("gc preview");
  expect(preview.text).not.toContain(anew);
  expect(preview.text).toContain(`kept     ${leased} 6 B (lease)`);
  expect(preview.text).toContain(`remove   ${orphan} 6 B`);
  const round = await run("gc run");
  expect(round.text).not.toContain(anew);
  expect(round.text).toContain(`kept     ${leased} (lease)`);
  expect(round.text).toContain(`removed  ${orphan} 6 B`);
  expect(await context.blobs.sizeOf(leased)).toBe(6);
});

test("a preview does not say of what lies in the trash without a mark that it goes there", async () => {
  const { blob, run, pass, context } = await rig();
  const unmarked = await blob(app, "unmarked");
  await pass(30);
  await context.blobs.trash([unmarked]);
  expect((await run("gc preview")).text).not.toContain(unmarked);
  expect((await run("gc run")).text).not.toContain(unmarked);
  await pass(25);
  expect((await run("gc preview")).text).toContain(`remove   ${unmarked}`);
  expect((await run("gc run")).text).toContain(`removed  ${unmarked}`);
});

test("status says what the last round did, and why of an unknown digest that nothing is known", async () => {
  const { blob, run, why, pass } = await rig();
  expect((await run("gc status")).text).toContain("no round has ended yet");
  await blob(app, "orphan");
  await pass(30);
  await run("gc run");
  const status = await run("gc status");
  expect(status.text).toContain("1 blob (6 B) to the trash");
  expect(status.text).toContain("in the trash: 1 blob, 6 B");
  expect((await why(digestOf("never"))).text).toContain("nothing is recorded of it");
});

test("garbage-collect beside a server is a round: leases and undo hold, untagged manifests go late", async () => {
  const { image, run, pass, lookup } = await rigWithLookup();
  const untagged = await image(app, "untagged");
  await image(app, "tagged", { tag: "v1" });
  const early = await run("garbage-collect", { deleteUntagged: true });
  expect(early.text).toContain("0 untagged manifests deleted");
  await pass(30);
  const preview = await run("garbage-collect", { deleteUntagged: true, dryRun: true });
  expect(preview.text).toContain(`team/app: manifest eligible for deletion: ${untagged}`);
  expect(await lookup(untagged)).toBe(true);
  const late = await run("garbage-collect", { deleteUntagged: true });
  expect(late.text).toContain("1 untagged manifest deleted");
  expect(late.text).toContain("the registry is running");
  expect(await lookup(untagged)).toBe(false);
});

test("garbage-collect -m deletes no tag, and the dry run says what the run does", async () => {
  const { image, run, pass, activity } = await rig();
  const subject = await image(app, "signed", { tag: "v1" });
  const signature = `${subject.replace(":", "-")}.sig`;
  await image(app, "signature", { tag: signature });
  await run("rm", { targets: [`team/app@${subject}`] });
  const untagged = await image(app, "untagged");
  await pass(300);
  await run("gc run");
  await pass(30);
  await run("gc run");
  const dry = await run("garbage-collect", { deleteUntagged: true, dryRun: true, user: "anna" });
  expect(dry.text).toContain("1 untagged manifest would go");
  const late = await run("garbage-collect", { deleteUntagged: true, user: "anna" });
  expect(late.text).toContain(
    `team/app: manifest deleted: ${untagged}\n1 untagged manifest deleted`,
  );
  expect((await activity.listTagEvents(app, { limit: 1 }))[0]?.tag).not.toBe(tagOf(signature));
  const [entry] = await activity.trash.list({ limit: 1 });
  expect(entry?.by).toEqual({ name: "anna", client: "berth garbage-collect" });
});

test("a preview says when a round would do nothing of it", async () => {
  const { blob, run, pass, clock } = await rig();
  const orphan = await blob(app, "orphan");
  await run("gc run");
  await pass(30);
  expect((await run("gc preview")).text).not.toContain("nothing now");
  clock.step(2 * hourMs);
  const { text } = await run("gc preview");
  expect(text).toContain(`trash    ${orphan}`);
  expect(text).toContain("but a round would do nothing now: the clock was set");
});

test("garbage-collect -m says why it deletes nothing when ages mean little", async () => {
  const { image, run, pass, clock } = await rig();
  await image(app, "untagged");
  await pass(30);
  await run("gc run");
  await run("garbage-collect", { deleteUntagged: true });
  await image(app, "another");
  clock.step(-10 * hourMs);
  const { exit, text } = await run("garbage-collect", { deleteUntagged: true });
  expect(text).toContain("no more untagged manifests: ");
  expect(exit).toBe(1);
});

test("garbage-collect alone with the storage does it at once, but for what can be taken back", async () => {
  const { blob, image, registry, run, why, pass, context } = await rig(false);
  const orphan = await blob(app, "orphan");
  const deleted = await image(app, "deleted", { tag: "v1" });
  await registry.manifests.remove(app, { kind: "digest", digest: deleted }, {});
  const { exit, text } = await run("garbage-collect");
  expect(exit).toBe(0);
  expect(text).toContain("1 blob (6 B) and 0 manifests removed");
  expect(text).toContain("3 blobs kept, because what needs them was deleted lately");
  expect(await context.blobs.sizeOf(orphan)).toBeUndefined();
  expect((await why(orphan)).text).toBe(
    `${orphan} is not here\n  it was collected 2026-01-01 00:00:00Z, 6 B: no manifest named it, ` +
      "nobody had asked for it since 2026-01-01 00:00:00Z, and garbage-collect ran without a " +
      "server\n  at last it was shown by team/app",
  );
  // What is gone is not promised once more.
  await pass(30);
  expect((await run("gc preview")).text).not.toContain(orphan);
});

test("garbage-collect alone with the storage empties what is over in the trash, and says how much", async () => {
  const { blob, run, pass, context } = await rig(false);
  const orphan = await blob(app, "orphan");
  await pass(30);
  expect((await run("gc run")).text).toContain("1 blob (6 B) to the trash");
  expect((await run("garbage-collect")).text).not.toContain("from the trash");
  await pass(25);
  const dry = await run("garbage-collect", { dryRun: true });
  expect(dry.text).toContain("1 blob (6 B) would be removed from the trash of collection");
  expect(await context.blobs.sizeInTrash(orphan)).toBe(6);
  const { text } = await run("garbage-collect", { quiet: true });
  expect(text).toContain("0 blobs (0 B) and 0 manifests removed");
  expect(text).toContain("1 blob (6 B) removed from the trash of collection");
  expect(await context.blobs.sizeInTrash(orphan)).toBeUndefined();
  expect((await run("gc status")).text).toContain("in the trash: 0 blobs, 0 B");
});

test("a manifest whose bytes are in the trash stops garbage-collect: what it needs is not known", async () => {
  const { image, run, context } = await rig(false);
  const manifest = await image(app, "layer", { tag: "v1" });
  await context.blobs.trash([manifest]);
  context.reader.forget(manifest);
  expect(run("garbage-collect")).rejects.toThrow("nothing was removed");
  expect(await context.blobs.sizeOf(digestOf("layer"))).toBe(5);
});

async function rigWithLookup() {
  const all = await rig();
  const lookup = async (digest: Parameters<typeof all.context.lookup.findManifest>[1]) =>
    (await all.context.lookup.findManifest(app, digest)) !== undefined;
  return { ...all, lookup };
}
