/** CNCF Distribution: 2.8.2 as Debian packages it, and 3.1.1 as its Go module builds it. */
import { existsSync, mkdirSync } from "node:fs";
import { dirname, join } from "node:path";
import { findProgram, run } from "../process.ts";
import { authorization, writeConfig } from "./config.ts";
import type { Peer, StartOptions } from "./peer.ts";
import { freePort, spawnServer } from "./peer.ts";

const module3 = "github.com/distribution/distribution/v3/cmd/registry@v3.1.1";

export function distribution2(): Peer {
  const name = "distribution-2";
  return {
    name,
    describe: async () => {
      const program = findProgram("docker-registry");
      if (program === undefined) return { missing: "apt-get install docker-registry" };
      return { version: await versionOf(program) };
    },
    start: async (options) =>
      startDistribution({ ...options, name, program: distributionProgram(name, "") }),
  };
}

export function distribution3(workDirectory: string): Peer {
  const name = "distribution-3";
  const program = distributionProgram(name, workDirectory);
  const directory = dirname(program);
  return {
    name,
    describe: async () => {
      if (!existsSync(program)) {
        const go = findProgram("go");
        if (go === undefined) return { missing: "Go, which builds Distribution 3.1.1" };
        console.error("building Distribution 3.1.1, once …");
        mkdirSync(directory, { recursive: true });
        await run(["env", `GOBIN=${directory}`, "GOFLAGS=-mod=mod", go, "install", module3]);
      }
      return { version: await versionOf(program) };
    },
    start: async (options) => startDistribution({ ...options, name, program }),
  };
}

/** Where the program of `distribution-2` or `distribution-3` is, or will be. */
export function distributionProgram(name: string, workDirectory: string): string {
  if (name === "distribution-3") return join(workDirectory, "bin/registry");
  return findProgram("docker-registry") ?? name;
}

async function startDistribution(
  options: StartOptions & { readonly name: string; readonly program: string },
) {
  const port = await freePort();
  const config = await writeConfig(options, port);
  return spawnServer({
    name: options.name,
    command: [options.program, "serve", config],
    // Without this, version 3 tries to send a trace of every request to a collector.
    env: { OTEL_TRACES_EXPORTER: "none" },
    port,
    runDirectory: options.runDirectory,
    headers: authorization(options),
  });
}

async function versionOf(program: string): Promise<string> {
  const words = (await run([program, "--version"])).trim().split(" ");
  return `Distribution ${words.at(-1) ?? "?"}`;
}
