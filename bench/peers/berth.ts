/** Berth itself, from its sources or as the compiled executable. */
import { existsSync } from "node:fs";
import { rm } from "node:fs/promises";
import { join } from "node:path";
import { tagsRepository } from "../dataset.ts";
import { waitUntilIdle } from "../measure.ts";
import { run } from "../process.ts";
import type { Settings } from "../settings.ts";
import { repositoryCount, tagCount } from "../settings.ts";
import { authorization, writeConfig } from "./config.ts";
import type { Peer, Server } from "./peer.ts";
import { freePort, spawnServer } from "./peer.ts";

const settleTimeoutMs = 300_000;

export function berth(settings: Settings): Peer {
  return {
    name: "berth",
    describe: async () => {
      const program = settings.berthCommand.at(-1) ?? "";
      if (!existsSync(program)) return { missing: program };
      const manifest = await Bun.file(join(settings.root, "package.json")).json();
      const commit = await run(["git", "-C", settings.root, "describe", "--always", "--dirty"]);
      return { version: `Berth ${manifest.version} at ${commit.trim()}, Bun ${Bun.version}` };
    },
    start: async (options) => {
      const port = await freePort();
      const config = await writeConfig(options, port);
      return spawnServer({
        name: "berth",
        command: [...settings.berthCommand, "serve", config],
        port,
        runDirectory: options.runDirectory,
        headers: authorization(options),
        // As scripts/run.mjs starts it from its sources; the executable does it by itself.
        env: { UV_THREADPOOL_SIZE: "16" },
      });
    },
    settle: waitUntilAdopted,
    // Everything that Berth keeps in a directory beside Distribution's layout is below this name.
    forget: async (dataDirectory) =>
      rm(join(dataDirectory, "berth"), { recursive: true, force: true }),
  };
}

/**
 * A directory that Berth sees for the first time is served at once and indexed beside that. Its
 * answers are whole from the start, so being done shows in the processor falling quiet.
 */
async function waitUntilAdopted(server: Server): Promise<void> {
  await waitUntilIdle(server.pid, settleTimeoutMs);
  const repositories = await readPages(server, "/v2/_catalog?n=1000", "repositories");
  if (repositories.length !== repositoryCount) {
    throw new Error(`the catalog names ${repositories.length} of ${repositoryCount} repositories`);
  }
  const tags = await readPages(server, `/v2/${tagsRepository}/tags/list?n=1000`, "tags");
  if (tags.length !== tagCount) throw new Error(`${tags.length} of ${tagCount} tags are listed`);
}

/** Follows `Link` from page to page and returns everything under `key`. */
async function readPages(server: Server, path: string, key: string): Promise<readonly string[]> {
  const names: string[] = [];
  let next: string | undefined = path;
  while (next !== undefined) {
    const response: Response = await fetch(new URL(next, server.origin), {
      headers: server.headers,
    });
    if (response.status !== 200) throw new Error(`${next} answers ${response.status}`);
    const page = (await response.json()) as Record<string, readonly string[] | null>;
    names.push(...(page[key] ?? []));
    next = /<([^>]+)>;\s*rel="next"/.exec(response.headers.get("link") ?? "")?.[1];
  }
  return names;
}
