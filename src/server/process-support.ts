/** `berth serve` as a process of its own, for the tests of this room. */
import type { TestFolder } from "./test-support.ts";

export const main = new URL("../main.ts", import.meta.url).pathname;

export interface Berth extends AsyncDisposable {
  readonly process: Bun.Subprocess<"ignore", "pipe", "pipe">;
  /** The origin that the log names. */
  origin(): Promise<string>;
  /** The debug server's port, when it is on. */
  readonly log: () => string;
  ended(): Promise<{ readonly code: number; readonly errors: string }>;
}

interface BerthOptions {
  readonly descriptor?: number;
  readonly variables?: Readonly<Record<string, string>>;
}

export function berth(folder: TestFolder, http: string, options: BerthOptions = {}): Berth {
  const config = folder.write(
    "config.yml",
    `version: 0.1\nlog: {formatter: json}\nstorage: {filesystem: {rootdirectory: ${folder.path}/data}}\nhttp:\n${http}`,
  );
  return berthOn(config, options);
}

export function berthOn(config: string, options: BerthOptions = {}): Berth {
  const serve = `exec ${JSON.stringify(process.execPath)} ${main} serve ${config}`;
  const isGiven = options.descriptor !== undefined;
  const child = Bun.spawn(
    ["/bin/sh", "-c", isGiven ? `LISTEN_PID=$$ LISTEN_FDS=1 ${serve}` : serve],
    {
      stdio: ["ignore", "pipe", "pipe", ...(isGiven ? [options.descriptor ?? 0] : [])],
      env: { PATH: process.env["PATH"], ...options.variables },
    },
  );
  let log = "";
  const decoder = new TextDecoder();
  const reading = (async () => {
    for await (const chunk of child.stderr) log += decoder.decode(chunk, { stream: true });
  })();
  return {
    process: child,
    log: () => log,
    async origin() {
      for (;;) {
        const found = /"origin":"([^"]+)"/.exec(log)?.[1];
        if (found !== undefined) return found;
        if (child.exitCode !== null) throw new Error(`berth has ended: ${log}`);
        await new Promise((done) => setTimeout(done, 5));
      }
    },
    async ended() {
      const code = await child.exited;
      await reading;
      return { code, errors: log };
    },
    async [Symbol.asyncDispose]() {
      child.kill("SIGKILL");
      await child.exited;
    },
  };
}

/** `http:` of a server on a port that the system chooses. */
export const anywhere = "  addr: 127.0.0.1:0\n";
