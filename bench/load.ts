/** Request rates: many small answers over 32 kept connections. */
import { mkdtemp, rm } from "node:fs/promises";
import { join } from "node:path";
import { measureCost, waitUntilIdle } from "./measure.ts";
import type { Server } from "./peers/peer.ts";
import { findProgram } from "./process.ts";
import { clientCores, connectionCount } from "./settings.ts";
import type { Context, Measurement, Session, Work } from "./work.ts";

interface LoadOptions {
  readonly id: string;
  readonly title: string;
  readonly contestants: readonly string[];
  readonly method?: "GET" | "HEAD";
  readonly accept?: string;
  readonly profile?: "anonymous" | "htpasswd";
  readonly checked: string;
  /** Longer than the usual measurement, for answers of which few fit into a second. */
  readonly secondsFactor?: number;
  /** The paths that are asked for in turn. */
  readonly paths: (context: Context) => readonly string[];
  /** Looks at one whole answer outside the measurement; throws when it is not the right one. */
  readonly verify: (answer: Answer, context: Context) => void;
}

export interface Answer {
  readonly path: string;
  readonly status: number;
  readonly headers: Headers;
  readonly body: Uint8Array;
}

interface Counted {
  readonly requests: number;
  readonly durationUs: number;
  readonly bytes: number;
  readonly badStatus: number;
  readonly socketErrors: number;
  readonly p50Us?: number;
  readonly p99Us?: number;
}

export function loadWork(options: LoadOptions): Work {
  return {
    id: options.id,
    title: options.title,
    unit: "requests/s",
    isHigherBetter: true,
    rounds: 5,
    contestants: options.contestants,
    checked: options.checked,
    open: async (context) => openLoad(options, context),
  };
}

async function openLoad(options: LoadOptions, context: Context): Promise<Session> {
  const profile = options.profile ?? "anonymous";
  const directory = await mkdtemp(join(context.settings.workDirectory, "load-"));
  const pathsFile = join(directory, "paths");
  const paths = options.paths(context);
  await Bun.write(pathsFile, `${paths.join("\n")}\n`);

  const verified = new Set<string>();

  return {
    measure: async (name) => {
      const server = await context.pool.use(name, profile);
      if (!verified.has(name)) {
        for (const path of paths) options.verify(await ask(server, path, options), context);
        verified.add(name);
      }
      const headersFile = join(directory, `headers-${name}`);
      const headers = Object.entries(headersOf(server, options));
      await Bun.write(headersFile, headers.map(([key, value]) => `${key}: ${value}\n`).join(""));
      const seconds = context.settings.loadSeconds * (options.secondsFactor ?? 1);
      const measurement = await measureLoad(server, { options, seconds, pathsFile, headersFile });
      // A server may still work on requests whose client is gone; the next one must not pay.
      await waitUntilIdle(server.pid, 60_000);
      return measurement;
    },
    close: async () => rm(directory, { recursive: true }),
  };
}

async function measureLoad(
  server: Server,
  load: {
    readonly options: LoadOptions;
    readonly seconds: number;
    readonly pathsFile: string;
    readonly headersFile: string;
  },
): Promise<Measurement> {
  const command =
    load.options.method === "HEAD"
      ? headCommand(server, load)
      : wrkCommand(server, { ...load, connections: connectionCount });
  const { result, cost } = await measureCost(server.pid, () => generate(server, command, load));
  const { counted } = result;
  return {
    value: (counted.requests * 1_000_000) / counted.durationUs,
    ...cost,
    clientTicks: result.clientMicroseconds / 10_000,
    facts: { ...counted },
  };
}

interface Files {
  readonly pathsFile: string;
  readonly headersFile: string;
}

/** GETs of the paths in turn, over a few kept connections. */
export async function pullPaths(
  server: Server,
  load: Files & { readonly seconds: number; readonly connections: number },
): Promise<Counted> {
  return (await generate(server, wrkCommand(server, load), load)).counted;
}

async function generate(
  server: Server,
  command: readonly string[],
  files: Files,
): Promise<{ readonly counted: Counted; readonly clientMicroseconds: number }> {
  const child = Bun.spawn(["taskset", "-c", clientCores().join(","), ...command], {
    env: { ...process.env, BENCH_PATHS: files.pathsFile, BENCH_HEADERS: files.headersFile },
    stdin: "ignore",
    stdout: "pipe",
    stderr: "inherit",
  });
  const output = await child.stdout.text();
  const code = await child.exited;
  const text = /^RESULT (.+)$/m.exec(output)?.[1];
  if (code !== 0 || text === undefined) throw new Error(`the load generator failed: ${output}`);
  const counted: Counted = JSON.parse(text);
  if (counted.badStatus > 0 || counted.requests === 0) {
    throw new Error(`${server.name}: ${counted.badStatus} of ${counted.requests} answers not 2xx`);
  }
  return { counted, clientMicroseconds: Number(child.resourceUsage()?.cpuTime.total ?? 0) };
}

function wrkCommand(
  server: Server,
  load: { readonly seconds: number; readonly connections: number },
): readonly string[] {
  return [
    findProgram("wrk") ?? "wrk",
    `-t${clientCores().length}`,
    `-c${load.connections}`,
    `-d${load.seconds}s`,
    "--timeout",
    "60s",
    "--latency",
    "-s",
    join(import.meta.dir, "wrk.lua"),
    server.origin,
  ];
}

function headCommand(
  server: Server,
  load: { readonly seconds: number; readonly pathsFile: string; readonly headersFile: string },
): readonly string[] {
  const port = new URL(server.origin).port;
  const client = join(import.meta.dir, "head-client.ts");
  const numbers = [port, String(connectionCount), String(load.seconds)];
  return [process.execPath, client, ...numbers, load.pathsFile, load.headersFile];
}

async function ask(server: Server, path: string, options: LoadOptions): Promise<Answer> {
  const response = await fetch(server.origin + path, {
    method: options.method ?? "GET",
    headers: headersOf(server, options),
  });
  const body = new Uint8Array(await response.arrayBuffer());
  if (response.status !== 200) {
    throw new Error(`${server.name} answers ${path} with ${response.status}`);
  }
  return { path, status: response.status, headers: response.headers, body };
}

function headersOf(server: Server, options: LoadOptions): Record<string, string> {
  return { ...server.headers, ...(options.accept ? { accept: options.accept } : {}) };
}
