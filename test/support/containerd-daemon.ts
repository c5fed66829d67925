/** A containerd of its own for a test, in a mount namespace of its own. */
import { mkdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import type { Endpoint } from "./endpoints.ts";
import { startDaemon, tryRun } from "./processes.ts";
import { removeFolder, temporaryFolder } from "./run-folder.ts";

export interface Containerd {
  readonly socket: string;
  /** `--hosts-dir` for every host that `describeHost` told it of. */
  readonly hostsFolder: string;
  /** Says in `hosts.toml` where the images of `host` come from. */
  describeHost(host: string, endpoint: Endpoint): void;
  stop(): Promise<void>;
}

/** `containerdPath` and `ctrPath` must be of one version. */
export async function startContainerd(
  containerdPath: string,
  ctrPath: string,
): Promise<Containerd> {
  const work = temporaryFolder("containerd");
  const socket = join(work, "socket");
  const hostsFolder = join(work, "hosts");
  const daemon = await startDaemon({
    name: "containerd",
    command: [
      "unshare",
      "--mount",
      "--propagation",
      "private",
      containerdPath,
      "--config",
      "/dev/null",
      "--address",
      socket,
      "--root",
      join(work, "root"),
      "--state",
      join(work, "state"),
    ],
    env: { PATH: `${dirname(containerdPath)}:${process.env["PATH"] ?? ""}` },
    isReady: async () => (await tryRun([ctrPath, "--address", socket, "version"])).exitCode === 0,
  });
  return {
    socket,
    hostsFolder,
    describeHost: (host, endpoint) => {
      const folder = join(hostsFolder, host);
      mkdirSync(folder, { recursive: true });
      const lines = [
        `server = "${endpoint.server.origin}"`,
        `[host."${endpoint.server.origin}"]`,
        '  capabilities = ["pull", "resolve", "push"]',
      ];
      if (endpoint.authority !== undefined) {
        lines.push(`  ca = "${endpoint.authority.certificateFile}"`);
      }
      writeFileSync(join(folder, "hosts.toml"), `${lines.join("\n")}\n`);
    },
    stop: async () => {
      await daemon.stop();
      removeFolder(work);
    },
  };
}
