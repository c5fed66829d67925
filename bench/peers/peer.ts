/** A contestant that serves, and what all of them need to be started and stopped. */
import { createServer } from "node:net";
import { manifestMediaType } from "../tree.ts";

export interface Peer {
  readonly name: string;
  /** What it is and which version, or why it cannot take part. */
  readonly describe: () => Promise<{ readonly version: string } | { readonly missing: string }>;
  /** Starts it without waiting for an answer. */
  readonly start: (options: StartOptions) => Promise<Server>;
  /** Waits until it serves the whole data set and nothing is left to be done before measuring. */
  readonly settle?: (server: Server) => Promise<void>;
  /**
   * Set for one that keeps something of its own beside the layout: it works on a copy of the
   * tree, and this makes the copy again what a program sees for the first time.
   */
  readonly forget?: (dataDirectory: string) => Promise<void>;
}

export interface StartOptions {
  /** A tree in Distribution's layout; this contestant's own copy. */
  readonly dataDirectory: string;
  /** For configuration, temporary files and the log. */
  readonly runDirectory: string;
  readonly htpasswdFile?: string;
  /** Berth's own setting, which no other contestant knows. */
  readonly durability?: "none";
}

export interface Server {
  readonly name: string;
  /** `http://127.0.0.1:PORT`, without a slash at the end. */
  readonly origin: string;
  readonly pid: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly stop: () => Promise<void>;
}

/** A loopback port that was free a moment ago. */
export async function freePort(): Promise<number> {
  const probe = createServer();
  await new Promise<void>((resolve) => probe.listen(0, "127.0.0.1", resolve));
  const address = probe.address();
  if (address === null || typeof address === "string") throw new Error("no loopback port is free");
  await new Promise((resolve) => probe.close(resolve));
  return address.port;
}

export function spawnServer(options: {
  readonly name: string;
  readonly command: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  readonly port: number;
  readonly runDirectory: string;
  readonly headers?: Readonly<Record<string, string>>;
}): Server {
  const log = Bun.file(`${options.runDirectory}/log`);
  const child = Bun.spawn([...options.command], {
    cwd: options.runDirectory,
    // Only what a server needs: a REGISTRY_* variable of the caller would change its config.
    env: { PATH: process.env["PATH"] ?? "", HOME: options.runDirectory, ...options.env },
    stdin: "ignore",
    stdout: log,
    stderr: log,
  });
  return {
    name: options.name,
    origin: `http://127.0.0.1:${options.port}`,
    pid: child.pid,
    headers: options.headers ?? {},
    stop: async () => {
      child.kill("SIGTERM");
      const isSlow = await Promise.race([
        child.exited.then(() => false),
        Bun.sleep(10_000).then(() => true),
      ]);
      if (isSlow) child.kill("SIGKILL");
      await child.exited;
    },
  };
}

/** Polls until the server answers `path` with 200, and throws when it ended or never does. */
export async function waitForAnswer(server: Server, path = "/v2/"): Promise<void> {
  const deadline = performance.now() + 60_000;
  const headers = { ...server.headers, accept: manifestMediaType };
  while (performance.now() < deadline) {
    try {
      const response = await fetch(server.origin + path, { headers });
      await response.arrayBuffer();
      if (response.status === 200) return;
    } catch {
      // Nobody listens yet.
    }
    await Bun.sleep(2);
  }
  throw new Error(`${server.name} did not answer ${path} within a minute`);
}
