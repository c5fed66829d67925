import { afterEach, expect, test } from "bun:test";
import { systemRandom } from "../../base/random.ts";
import { FakeClock, recordingLogger } from "../../base/test-support.ts";
import { loadConfig } from "../../config/load.ts";
import { digestOf } from "../../oci/digest.ts";
import { mediaTypes } from "../../oci/media-type.ts";
import { nameOf, tagOf } from "../../oci/test-support.ts";
import { createPrometheus } from "../../telemetry/prometheus.ts";
import { Collection } from "../collection.ts";
import { type OpenRegistry, openConfiguredRegistry } from "../open-registry.ts";
import { RetentionRuns } from "../retention-runs.ts";
import { CommandArguments, type CommandParts } from "./command.ts";
import { retentionPreview, retentionRun } from "./retention.ts";

const dayMs = 86_400_000;

const opened: OpenRegistry[] = [];
afterEach(async () => {
  for (const registry of opened.splice(0)) await registry.close();
});

async function rig(extra: string, environment: Readonly<Record<string, string>> = {}) {
  const text = `{version: 0.1, storage: {inmemory: {}}, ${extra}}`;
  const { config } = loadConfig({ text, environment });
  const clock = new FakeClock();
  const logger = recordingLogger();
  const metrics = createPrometheus();
  const basics = { clock, random: systemRandom, logger };
  const registry = await openConfiguredRegistry(config, basics);
  opened.push(registry);
  const retention = new RetentionRuns({
    ...basics,
    opened: registry,
    config: config.retention,
    metrics,
  });
  const signal = new AbortController().signal;
  const lines: string[] = [];
  const parts: CommandParts = {
    ...{ ...basics, config, opened: registry, retention, signal, isServing: true },
    collection: new Collection({ ...basics, context: registry.context, config: config.gc }),
    print: (line) => void lines.push(line),
    adopted: () => registry.registry.adoption.run(signal),
  };
  const push = async (repository: string, note: string, tag?: string) => {
    const value = {
      ...{ schemaVersion: 2, mediaType: mediaTypes.ociIndex, manifests: [] },
      annotations: { note },
    };
    const bytes = new TextEncoder().encode(JSON.stringify(value));
    const digest = digestOf(bytes);
    await registry.registry.manifests.push({
      name: nameOf(repository),
      reference: { kind: "digest", digest },
      tags: tag === undefined ? [] : [tagOf(tag)],
      ...{ bytes, contentType: undefined, actor: {} },
    });
    return digest;
  };
  const say = async (command: typeof retentionRun, repository?: string) => {
    lines.length = 0;
    const values = repository === undefined ? {} : { repository };
    const exit = await command(parts, new CommandArguments(values));
    return { exit, lines: [...lines] };
  };
  return { parts, clock, logger, metrics, push, say };
}

const rules = `
  retention: {rules: [
    {repositories: ["team/*"], protect: [latest], keep: {lastpushed: 1}, untaggedafter: 168h},
  ]},
  immutabletags: [{repositories: "**", tags: "v*"}]`;

test("the preview names what decides every tag, and the run does just that", async () => {
  const { clock, metrics, push, say } = await rig(rules);
  await push("other", "x", "x");
  const untagged = await push("team/app", "untagged");
  clock.pass(10 * dayMs);
  await push("team/app", "a", "build-1");
  await push("team/app", "a", "latest");
  await push("team/app", "a", "v1.0.0");
  clock.pass(dayMs);
  await push("team/app", "b", "build-2");
  expect(await say(retentionPreview)).toEqual({
    exit: 0,
    lines: [
      "other: no rule names it (1 tag)",
      "",
      "team/app: rule 1 (team/*)",
      "  goes   build-1  no keep condition holds",
      "  stays  build-2  keep.lastpushed, 1 of 1",
      "  stays  latest   protect latest",
      "  stays  v1.0.0   it is immutable",
      `  goes   ${untagged} (index)  untaggedafter, nothing has led to it since 2026-01-01T00:00:00.000Z`,
      "",
      "2 repositories; tags: 4 stay, 1 to go; manifests without a tag: 0 stay, 1 to go",
    ],
  });
  const ran = await say(retentionRun, "team/app");
  expect(ran).toEqual({
    exit: 0,
    lines: [
      "deleted  team/app:build-1",
      `deleted  team/app@${untagged}`,
      "1 tag and 1 manifest deleted in 1 repository that a rule names",
    ],
  });
  expect((await say(retentionRun)).lines.at(-1)).toStartWith("0 tags and 0 manifests deleted");
  const page = await metrics.render();
  expect(page).toContain('berth_retention_deletions_total{kind="tag"} 1');
  expect(page).toContain('berth_retention_deletions_total{kind="manifest"} 1');
  expect(page).toContain(`berth_retention_last_run_timestamp_seconds ${clock.nowMs() / 1_000}`);
});

test("without rules nothing is ever deleted, and the commands say so", async () => {
  const { push, say } = await rig("retention: {}");
  await push("team/app", "a", "v1");
  for (const command of [retentionPreview, retentionRun]) {
    const { exit, lines } = await say(command);
    expect(exit).toBe(0);
    expect(lines).toEqual([expect.stringContaining("there are no rules")]);
  }
});

test("what is not a repository, and a registry that is read-only, are told", async () => {
  const { say } = await rig(rules);
  expect(say(retentionPreview, "team/none")).rejects.toThrow("there is no repository team/none");
  expect(say(retentionRun, "Team")).rejects.toThrow("not a repository name");
  const readOnly = await rig(rules, { REGISTRY_STORAGE_MAINTENANCE_READONLY_ENABLED: "true" });
  expect(readOnly.say(retentionRun)).rejects.toThrow("read-only");
});

test("a clock that is set while a run deletes stops it before the next deletion", async () => {
  const { parts, clock, push } = await rig(rules);
  for (const tag of ["a", "b", "c", "d"]) {
    await push("team/app", tag, tag);
    clock.pass(1_000);
  }
  await parts.adopted();
  const said: string[] = [];
  const result = await parts.retention.run({
    signal: parts.signal,
    isFull: true,
    say: ({ reference }) => {
      said.push(reference);
      clock.step(10 * 365 * dayMs);
    },
  });
  expect(said).toEqual(["a"]);
  expect(result).toMatchObject({ deletedTags: 1, halted: expect.stringContaining("clock") });
});

test("a clock that went back stops one run, with a warning", async () => {
  const { clock, logger, push, say } = await rig(rules);
  await push("team/app", "a", "a");
  await push("team/app", "b", "b");
  await say(retentionRun);
  await push("team/app", "c", "c");
  clock.pass(-dayMs);
  const { exit, lines } = await say(retentionRun);
  expect(exit).toBe(1);
  expect(lines[0]).toContain("nothing more: the clock says");
  const warnings = logger.lines.filter(({ level }) => level === "warn");
  expect(warnings.map(({ message }) => message)).toEqual(["retention deletes nothing this time"]);
});
