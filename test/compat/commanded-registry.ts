/** A registry on a folder, without a wire: opened, commanded, pushed to. */

import { expect } from "bun:test";
import { systemClock } from "../../src/base/clock.ts";
import { silentLogger } from "../../src/base/logger.ts";
import { systemRandom } from "../../src/base/random.ts";
import type { Config } from "../../src/config/config.ts";
import { loadConfig } from "../../src/config/load.ts";
import { digestOf } from "../../src/oci/digest.ts";
import { parseReference } from "../../src/oci/tag.ts";
import { nameOf } from "../../src/oci/test-support.ts";
import { Collection } from "../../src/server/collection.ts";
import { CommandArguments, type CommandValues } from "../../src/server/commands/command.ts";
import { commands } from "../../src/server/commands/commands.ts";
import { type OpenRegistry, openConfiguredRegistry } from "../../src/server/open-registry.ts";
import { RetentionRuns } from "../../src/server/retention-runs.ts";
import { manifestType } from "./distribution-tree.ts";

export const referenceOf = (text: string) => parseReference(text) ?? expect.unreachable();

export function configOf(folder: string): Config {
  const storage = `{filesystem: {rootdirectory: ${folder}}, delete: {enabled: true}}`;
  const text = `version: 0.1\nstorage: ${storage}\nhttp: {addr: "127.0.0.1:0"}`;
  return loadConfig({ text, environment: {} }).config;
}

export async function openFolder(folder: string): Promise<OpenRegistry> {
  const parts = { clock: systemClock, random: systemRandom, logger: silentLogger };
  return openConfiguredRegistry(configOf(folder), parts);
}

export interface CommandOutcome {
  readonly exit: number;
  readonly lines: readonly string[];
}

/** Runs a command as in a server, whose metadata was compared once. */
export async function runOn(
  opened: OpenRegistry,
  config: Config,
  call: {
    readonly name: string;
    readonly values?: CommandValues;
    readonly signal?: AbortSignal;
    readonly onLine?: (line: string) => void;
  },
): Promise<CommandOutcome> {
  const lines: string[] = [];
  const command = commands.get(call.name) ?? expect.unreachable();
  const parts = {
    config,
    opened,
    clock: systemClock,
    random: systemRandom,
    logger: silentLogger,
    ...worksOf(opened, config),
    signal: call.signal ?? new AbortController().signal,
    print: (line: string) => {
      lines.push(line);
      call.onLine?.(line);
    },
    adopted: async () => {
      const { adoption } = opened.registry;
      if (!adoption.progress().isComplete) await adoption.run(new AbortController().signal);
    },
  };
  const exit = await command(parts, new CommandArguments(call.values ?? {}));
  return { exit, lines };
}

/** What a server has besides the registry itself. */
export function worksOf(opened: OpenRegistry, config: Config) {
  const parts = { clock: systemClock, logger: silentLogger };
  return {
    collection: new Collection({ ...parts, context: opened.context, config: config.gc }),
    retention: new RetentionRuns({ ...parts, opened, config: config.retention }),
    isServing: true,
  };
}

/** `error link-damaged` and the like, one for each finding of fsck. */
export function findingsIn({ lines }: CommandOutcome): readonly string[] {
  return lines.flatMap((line) => {
    const [, outcome, code] = /^(error|notice|mended) +([a-z-]+): /.exec(line) ?? [];
    return outcome === undefined ? [] : [`${outcome} ${code}`];
  });
}

/** Pushes an image of one layer; returns the digests of its manifest, config and layer. */
export async function pushImage(
  { registry }: OpenRegistry,
  image: {
    readonly repository: string;
    readonly tag: string;
    readonly layer: Uint8Array<ArrayBuffer> | string;
  },
): Promise<readonly string[]> {
  const name = nameOf(image.repository);
  const blob = async (content: Uint8Array<ArrayBuffer> | string) => {
    const digest = digestOf(content);
    const { id } = await registry.uploads.begin(name, { owner: "", algorithm: "sha256" });
    const source = new Blob([content]).stream();
    await registry.uploads.finish({ name, id, owner: "" }, digest, { source });
    const size = new Blob([content]).size;
    return { mediaType: "application/octet-stream", digest, size };
  };
  const config = await blob(`{"tag":"${image.tag}","of":"${digestOf(image.layer)}"}`);
  const layer = await blob(image.layer);
  const manifest = { schemaVersion: 2, mediaType: manifestType, config, layers: [layer] };
  const { digest } = await registry.manifests.push({
    name,
    reference: referenceOf(image.tag),
    tags: [],
    bytes: new TextEncoder().encode(JSON.stringify(manifest)),
    contentType: manifestType,
    actor: {},
  });
  return [digest, config.digest, layer.digest];
}
