import { expect, spyOn, test } from "bun:test";
import { everything } from "../../base/glob.ts";
import { systemRandom } from "../../base/random.ts";
import { RegistryError } from "../../oci/problems.ts";
import { nameOf } from "../../oci/test-support.ts";
import { hourMs, openTestRegistry } from "../../registry/test-support.ts";
import { blobKey } from "../../storage/layout.ts";
import { createPrometheus } from "../../telemetry/prometheus.ts";
import { Collection } from "../collection.ts";
import { RetentionRuns } from "../retention-runs.ts";
import { CommandArguments, type CommandValues } from "./command.ts";
import { commands } from "./commands.ts";

const app = nameOf("team/app");
const other = nameOf("other/app");

async function rig(settings: Readonly<Record<string, string>> = {}) {
  const registry = await openTestRegistry({ settings });
  await registry.adopt();
  const { config, context, clock, logger } = registry;
  const basics = { clock, random: systemRandom, logger };
  const collection = new Collection({ ...basics, context, config: config.gc });
  const runs = { ...basics, opened: registry, metrics: createPrometheus() };
  const retention = new RetentionRuns({ ...runs, config: config.retention });
  /** What a command says and ends with. */
  async function run(name: string, values: CommandValues = {}, ends = new AbortController()) {
    const lines: string[] = [];
    const command = commands.get(name) ?? expect.unreachable(name);
    const exit = await command(
      {
        ...{ ...basics, config, opened: registry, collection, retention, isServing: true },
        signal: ends.signal,
        print: (line) => lines.push(line),
        adopted: registry.adopt,
      },
      new CommandArguments({ user: "root", ...values }),
    );
    return { exit, lines };
  }
  const preview = (...targets: string[]) => run("rm preview", { targets });
  const rm = (...targets: string[]) => run("rm", { targets });
  const restore = (name: string, force = false) => run("restore", { name, force });
  return { ...registry, run, preview, rm, restore };
}

test("a tag alone returns no bytes, and the other tag of its digest is not named", async () => {
  const { image, preview, rm, pulled, activity } = await rig();
  const digest = await image(app, "one", { tag: "v1" });
  await image(app, "one", { tag: "latest" });
  expect(await preview("team/app:v1")).toEqual({
    exit: 0,
    lines: [
      `deletes team/app:v1, which is ${digest}`,
      "no bytes return: a manifest without a tag stays, and can be pulled by its digest",
      "until 2026-01-08 00:00:00Z it can be taken back",
    ],
  });
  expect(await pulled(app, "v1")).toBe(digest);
  const { exit, lines } = await rm("team/app:v1");
  expect([exit, lines[0]]).toEqual([0, "deleted team/app:v1"]);
  expect([await pulled(app, "v1"), await pulled(app, "latest")]).toEqual([undefined, digest]);
  const [newest] = await activity.listTagEvents(app, { limit: 1 });
  expect(newest?.by).toEqual({ name: "root", client: "berth rm" });
});

test("a manifest takes its tags along; signatures stay, and shared bytes do not return", async () => {
  const { image, preview, rm, restore, pulled, registry } = await rig();
  const digest = await image(app, "one", { tag: "v1" });
  await image(app, "one", { tag: "latest" });
  const signature = await image(app, "signature", { subject: digest });
  await image(app, "cosign", { tag: `${digest.replace(":", "-")}.sig` });
  // The same layer and config, in another manifest of another repository.
  await image(other, "one", { subject: signature });
  const { sizeBytes } = await registry.manifests.stat(app, { kind: "digest", digest });
  const { exit, lines } = await preview(`team/app@${digest}`);
  expect([exit, ...lines]).toEqual([
    0,
    `deletes team/app:latest, because it points to ${digest}`,
    `deletes team/app:v1, because it points to ${digest}`,
    `deletes team/app@${digest}`,
    `leaves  team/app@${signature} (application/vnd.example.signature), which is about ${digest}`,
    `leaves  team/app:${digest.replace(":", "-")}.sig, which is about ${digest}`,
    `${sizeBytes} B that nothing else needs return after 2026-01-10 00:00:00Z (trash.retention, gc.grace and gc.trashgrace)`,
    "until 2026-01-08 00:00:00Z it can be taken back",
  ]);
  await rm(`team/app@${digest}`);
  expect(await pulled(app, "latest")).toBeUndefined();
  expect(await restore(`team/app@${digest}`)).toEqual({
    exit: 0,
    lines: [
      `team/app@${digest} is back`,
      `team/app:v1 is ${digest} again`,
      `team/app:latest is ${digest} again`,
    ],
  });
});

test("a manifest comes back with the tags that were named in the call that deleted it", async () => {
  const { image, rm, restore, pulled } = await rig();
  const digest = await image(app, "one", { tag: "v1" });
  for (const tag of ["v2", "earlier"]) await image(app, "one", { tag });
  await rm("team/app:earlier");
  await rm("team/app:v1", `team/app@${digest}`);
  expect((await restore(`team/app@${digest}`)).exit).toBe(0);
  expect([await pulled(app, "v1"), await pulled(app, "v2")]).toEqual([digest, digest]);
  expect(await pulled(app, "earlier")).toBeUndefined();
});

test("a long deletion, and taking it back, can be interrupted between two names", async () => {
  const { image, run, metadata, activity } = await rig();
  for (const tag of ["a", "b", "c", "d"]) await image(app, "one", { tag });
  const tags = () => metadata.listTags(app, { limit: 10 });
  const interrupted = async (name: string, values: CommandValues, after: number) => {
    const ends = new AbortController();
    const original = activity.recordTagEvent.bind(activity);
    let events = 0;
    activity.recordTagEvent = async (event) => {
      events += 1;
      if (events === after) ends.abort();
      return original(event);
    };
    const answer = await run(name, values, ends);
    activity.recordTagEvent = original;
    return answer;
  };
  const deleted = await interrupted("rm", { targets: ["team/app"] }, 2);
  expect([deleted.exit, deleted.lines[2]]).toEqual([
    1,
    "it was interrupted: the rest is still there",
  ]);
  expect(deleted.lines[3]).toContain("this takes it back: berth trash restore");
  expect(await tags()).toHaveLength(2);
  await run("rm", { targets: ["team/app"] });
  const restored = await interrupted("restore", { name: "team/app" }, 1);
  expect([restored.exit, restored.lines.at(-1)]).toEqual([
    1,
    "it was interrupted: the rest is still in the trash",
  ]);
  expect(await tags()).toHaveLength(1);
  expect((await run("restore", { name: "team/app" })).exit).toBe(0);
  expect(await tags()).toHaveLength(2);
});

test("what an index needs is refused, unless the index goes in the same call", async () => {
  const { image, index, preview, rm, pulled } = await rig();
  const child = await image(app, "one");
  const parent = await index(app, [child], "v1");
  const refused: Awaited<ReturnType<typeof rm>> = {
    exit: 1,
    lines: [
      `team/app@${child} is needed by the index ${parent}: delete that too`,
      "nothing was deleted",
    ],
  };
  expect(await preview(`team/app@${child}`)).toEqual(refused);
  expect(await rm(`team/app@${child}`)).toEqual(refused);
  expect(await pulled(app, "v1")).toBe(parent);
  const both = await rm(`team/app@${child}`, `team/app@${parent}`, `team/app@${child}`);
  expect([both.exit, ...both.lines.slice(0, 3)]).toEqual([
    0,
    "deleted team/app:v1",
    `deleted team/app@${parent}`,
    `deleted team/app@${child}`,
  ]);
});

test("one target that is not there stops the rest", async () => {
  const { image, rm, pulled } = await rig();
  const digest = await image(app, "one", { tag: "v1" });
  const latest = await image(app, "two", { tag: "latest" });
  const wrong = `team/app:latest@${digest}`;
  expect(
    await rm("team/app:v1", "team/app:v9", wrong, "never/app", `team/app@sha256:${"a".repeat(64)}`),
  ).toEqual({
    exit: 1,
    lines: [
      "team/app:v9 is not there",
      `team/app:latest does not point to ${digest}`,
      "never/app is not there",
      `team/app@sha256:${"a".repeat(64)} is not there`,
      "nothing was deleted",
    ],
  });
  expect(await pulled(app, "v1")).toBe(digest);
  expect((await rm(`team/app:latest@${latest}`)).exit).toBe(0);
});

test("a name is written without the registry's address, and whoever writes it is told", async () => {
  const { rm, restore } = await rig();
  const why = "localhost:5000/team/app:v1 begins with an address: leave it out, as in team/app:v1";
  expect(rm("localhost:5000/team/app:v1")).rejects.toThrow(why);
  expect(restore("localhost:5000/team/app:v1")).rejects.toThrow(why);
});

test("a repository goes with all it has, and the trash lists, restores and forgets it", async () => {
  const { image, preview, rm, run, restore, pulled, clock } = await rig();
  const digest = await image(app, "one", { tag: "v1" });
  expect((await preview("team/app", "team/app:v1")).lines.slice(0, 2)).toEqual([
    `deletes team/app:v1, which is ${digest}`,
    `deletes team/app@${digest}`,
  ]);
  const { lines } = await rm("team/app", "team/app:v1");
  const operation = lines.at(-1)?.split(" ").at(-1) ?? "";
  clock.pass(hourMs);
  const { lines: listed } = await run("trash ls");
  expect(listed).toHaveLength(3);
  expect(listed[0]).toBe(`${operation}  deleted 2026-01-01 00:00:00Z by root with berth rm`);
  expect(listed[1]).toContain(`team/app:v1@${digest}`);
  expect((await run("trash ls", { repository: "other/app" })).lines).toEqual([
    "the trash has nothing of other/app",
  ]);
  expect((await run("trash restore", { entry: operation })).exit).toBe(0);
  expect(await pulled(app, "v1")).toBe(digest);
  expect((await run("trash ls")).lines).toEqual(["the trash is empty"]);
  expect((await run("trash restore", { entry: operation })).exit).toBe(1);
  await rm("team/app");
  expect((await run("trash purge preview", { all: true })).lines).toHaveLength(2);
  expect((await run("trash purge", { all: true })).lines[0]).toStartWith("2 entries purged");
  expect((await run("trash purge preview", { all: true })).exit).toBe(1);
  expect((await restore("team/app")).exit).toBe(1);
  expect(await restore("team/app:v1")).toMatchObject({ exit: 1 });
});

test("one entry is restored and forgotten by its number", async () => {
  const { image, rm, run, pulled } = await rig();
  const digest = await image(app, "one", { tag: "v1" });
  await rm("team/app");
  const { lines } = await run("trash ls");
  const [tag, manifest] = lines.slice(1).map((line) => line.trim().split(" ")[0] ?? "");
  expect((await run("trash restore", { entry: tag ?? "" })).exit).toBe(0);
  expect(await pulled(app, "v1")).toBe(digest);
  await rm("team/app:v1");
  const purged = run("trash purge", { entries: [manifest ?? ""] });
  expect(purged).rejects.toThrow(`the trash has no ${manifest}`);
});

test("a tag that points elsewhere stays, and it says how to move it", async () => {
  const { image, rm, restore, pulled } = await rig();
  const first = await image(app, "one", { tag: "v1" });
  await rm("team/app:v1");
  const second = await image(app, "two", { tag: "v1" });
  expect(await restore("team/app:v1")).toEqual({
    exit: 1,
    lines: [`team/app:v1 points to ${second} now and stays so; --force moves it to ${first}`],
  });
  expect(await restore("team/app:v1", true)).toEqual({
    exit: 0,
    lines: [`team/app:v1 is ${first} again; it was ${second}`],
  });
  expect(await pulled(app, "v1")).toBe(first);
});

test("without undo a deletion says that it is final", async () => {
  const { image, preview, rm } = await rig({ TRASH_RETENTION: "0s", GC_ENABLED: "false" });
  const digest = await image(app, "one", { tag: "v1" });
  expect((await preview(`team/app@${digest}`)).lines.slice(2)).toEqual([
    expect.stringContaining("return only with berth gc run: gc.enabled is false"),
    "it cannot be taken back: trash.retention is 0",
  ]);
  expect((await rm(`team/app@${digest}`)).lines.at(-1)).toBe(
    "this cannot be taken back: trash.retention is 0",
  );
});

test("what cannot be read is gone for good, and neither the preview nor the answer promises it back", async () => {
  const { image, preview, rm, run, context, objects } = await rig();
  const sound = await image(app, "one", { tag: "v1" });
  const damaged = await image(app, "two", { tag: "v2" });
  await objects.put(blobKey(damaged), new TextEncoder().encode("damaged"));
  context.reader.forget(damaged);
  const why = "it cannot be read, so nobody knows what belongs to it";
  expect((await preview(`team/app@${damaged}`)).lines.at(-1)).toBe(
    `it cannot be taken back: ${why}`,
  );
  expect((await preview("team/app")).lines.slice(-3)).toEqual([
    "until 2026-01-08 00:00:00Z it can be taken back",
    `but team/app:v2 cannot be: ${why}`,
    `but team/app@${damaged} cannot be: ${why}`,
  ]);
  const mixed = await rm("team/app:v1", `team/app:v2`);
  expect(mixed.lines.slice(-2)).toEqual([
    expect.stringContaining("this takes it back: berth trash restore"),
    expect.stringMatching(/^but team\/app:v2 is gone for good: it could not be read/),
  ]);
  const { lines } = await rm(`team/app@${damaged}`);
  expect(lines.at(-1)).toStartWith("this cannot be taken back: it could not be read");
  expect((await run("trash ls")).lines).toEqual([
    expect.stringContaining("by root with berth rm"),
    expect.stringContaining(`team/app:v1@${sound}`),
  ]);
});

test("a full disk that takes no rows stands in the way of no deletion", async () => {
  const { image, rm, context, pulled } = await rig();
  const digest = await image(app, "one", { tag: "v1" });
  const adopt = spyOn(context.adoption, "adopt").mockImplementation(async () => {
    throw new RegistryError("storageFull");
  });
  expect((await rm(`team/app@${digest}`)).exit).toBe(0);
  adopt.mockRestore();
  expect(await pulled(app, "v1")).toBeUndefined();
});

test("a registry that is read-only deletes and restores nothing", async () => {
  const { image, rm, restore, run, pulled } = await rig({
    STORAGE_MAINTENANCE_READONLY_ENABLED: "true",
  });
  const digest = await image(app, "one", { tag: "v1" });
  const why = "this registry is read-only";
  expect(rm("team/app:v1")).rejects.toThrow(why);
  expect(restore("team/app:v1")).rejects.toThrow(why);
  expect(run("trash restore", { entry: "1" })).rejects.toThrow(why);
  expect(await pulled(app, "v1")).toBe(digest);
});

test("an immutable tag stops a deletion before it begins, and a restore says why", async () => {
  const { image, preview, rm, restore, pulled } = await rig({
    IMMUTABLETAGS: '[{repositories: ["**"], tags: ["v*"]}]',
  });
  const digest = await image(app, "one", { tag: "v1" });
  await image(app, "one", { tag: "latest" });
  const refused: Awaited<ReturnType<typeof rm>> = {
    exit: 1,
    lines: [
      "team/app:v1 is immutable: immutabletags of the configuration says v*",
      "nothing was deleted",
    ],
  };
  expect(await preview(`team/app@${digest}`)).toEqual(refused);
  expect(await rm("team/app:latest", "team/app:v1")).toEqual(refused);
  expect(await pulled(app, "latest")).toBe(digest);
  const other = await image(app, "two", { tag: "latest" });
  expect(restore(`team/app:v1@${other}`, true)).rejects.toThrow("is immutable");
});

test("an immutable tag that was pushed anew keeps nothing else of a repository from coming back", async () => {
  const { image, rm, restore, pulled, context } = await rig();
  const first = await image(app, "one", { tag: "stable" });
  const digest = await image(app, "two", { tag: "latest" });
  await rm("team/app");
  const second = await image(app, "three", { tag: "stable" });
  const stable = { text: "stable", matches: (name: string) => name === "stable" };
  const rule = { repositories: [everything], tags: [stable], except: [] };
  Object.assign(context.policy, { immutableTags: [rule] });
  const { exit, lines } = await restore("team/app", true);
  expect(exit).toBe(1);
  expect(lines).toContain(`team/app:latest is ${digest} again`);
  expect(lines).toContainEqual(
    expect.stringContaining(
      "team/app:stable cannot be restored: tag stable of team/app is immutable",
    ),
  );
  expect(await pulled(app, "stable")).toBe(second);
  expect(await pulled(app, "latest")).toBe(digest);
  expect(await context.lookup.findManifest(app, first)).toBeDefined();
});

test("a registry that is read-only is changed by no command", async () => {
  const { run } = await rig({ STORAGE_MAINTENANCE_READONLY_ENABLED: "true" });
  const changing: readonly (readonly [string, CommandValues])[] = [
    ["gc run", {}],
    ["scrub", { fullSpeed: true }],
    ["fsck", { repair: true }],
    ["trash purge", { all: true }],
    ["trash restore", { entry: "1" }],
    ["rm", { targets: ["team/app"] }],
    ["restore", { name: "team/app" }],
  ];
  for (const [name, values] of changing) {
    expect(run(name, values)).rejects.toThrow("read-only");
  }
  expect((await run("fsck")).exit).toBe(0);
  expect((await run("gc preview")).exit).toBe(0);
  expect((await run("gc status")).lines[1]).toStartWith("no round begins, because");
});
