/**
 * A Docker engine of its own for a test: any of the engines in tools.ts, with the graph store or
 * with containerd's, in a mount namespace of its own: nothing stays mounted after it, and
 * it has its own /etc/hosts and /etc/docker.
 */
import {
  chmodSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { dirname, join } from "node:path";
import { startConnectProxy } from "./connect-proxy.ts";
import type { Endpoint } from "./endpoints.ts";
import { registryHostName } from "./private-authority.ts";
import { type CommandOptions, type CommandResult, run, startDaemon, tryRun } from "./processes.ts";
import { removeFolder, temporaryFolder } from "./run-folder.ts";
import type { ToolName, Tools } from "./tools.ts";

export interface EngineKind {
  readonly title: string;
  readonly dockerd: ToolName;
  readonly docker: ToolName;
  readonly store: "graph" | "containerd";
}

export interface DockerEngine {
  docker(args: readonly string[], options?: CommandOptions): Promise<string>;
  tryDocker(args: readonly string[], options?: CommandOptions): Promise<CommandResult>;
  stop(): Promise<void>;
}

/** The name under which an engine reaches the endpoint: TLS by name, the others by address. */
export function dockerHost(endpoint: Endpoint): string {
  return endpoint.authority === undefined
    ? endpoint.host
    : `${registryHostName}:${endpoint.server.port}`;
}

export async function startEngine(
  kind: EngineKind,
  tools: Tools,
  /** The registry that it shall trust; left out when it needs none. */
  endpoint?: Endpoint,
): Promise<DockerEngine> {
  const work = temporaryFolder("docker");
  const dockerd = tools.path(kind.dockerd);
  const docker = tools.path(kind.docker);
  const etcDocker = join(work, "etc-docker");
  const clientConfig = join(work, "client");
  const socket = `unix://${work}/socket`;
  for (const folder of ["data", "exec"]) mkdirSync(join(work, folder));
  mkdirSync(join(clientConfig, "cli-plugins"), { recursive: true });
  mkdirSync(etcDocker);
  if (endpoint?.authority !== undefined) {
    const certs = join(etcDocker, "certs.d", dockerHost(endpoint));
    mkdirSync(certs, { recursive: true });
    copyFileSync(endpoint.authority.certificateFile, join(certs, "ca.crt"));
  }
  if (kind.dockerd !== "dockerd") {
    symlinkSync(tools.path("buildx"), join(clientConfig, "cli-plugins", "docker-buildx"));
  }
  writeFileSync(join(work, "daemon.json"), JSON.stringify(daemonConfig(kind)));
  const start = join(work, "start");
  writeFileSync(start, namespaceScript);
  chmodSync(start, 0o755);

  const proxy =
    endpoint?.authority === undefined ? undefined : await startConnectProxy(endpoint.server.port);
  const folders = [dirname(dockerd), dirname(docker), process.env["PATH"] ?? ""];
  const env = {
    PATH: folders.join(":"),
    DOCKER_HOST: socket,
    DOCKER_CONFIG: clientConfig,
    DOCKER_BUILDKIT: "1",
    ...(proxy === undefined ? {} : { HTTPS_PROXY: proxy.url, https_proxy: proxy.url }),
  };
  const daemon = await startDaemon({
    name: "dockerd",
    command: [
      "unshare",
      "--mount",
      "--propagation",
      "private",
      start,
      etcDocker,
      dockerd,
      "--config-file",
      join(work, "daemon.json"),
      "--data-root",
      join(work, "data"),
      "--exec-root",
      join(work, "exec"),
      "--pidfile",
      join(work, "pid"),
      "--host",
      socket,
    ],
    env,
    isReady: async () =>
      existsSync(join(work, "socket")) &&
      (await tryRun([docker, "version"], { env })).exitCode === 0,
  });
  // The client reads /etc/docker/certs.d too: `docker manifest` asks by itself.
  const client = ["nsenter", "--mount", "--target", String(daemon.pid), docker];
  return {
    docker: async (args, options) => {
      try {
        return await run([...client, ...args], { ...options, env: { ...env, ...options?.env } });
      } catch (cause) {
        const log = daemon.log().trim().split("\n").slice(-4).join("\n");
        const said = cause instanceof Error ? cause.message : String(cause);
        throw new Error(`${said}\nThe engine's log ends with\n${log}`, { cause });
      }
    },
    tryDocker: async (args, options) =>
      tryRun([...client, ...args], { ...options, env: { ...env, ...options?.env } }),
    stop: async () => {
      await daemon.stop();
      proxy?.stop();
      removeFolder(work);
    },
  };
}

const namespaceScript = `#!/bin/sh
set -e
mkdir -p /etc/docker
mount --bind "$1" /etc/docker
shift
exec "$@"
`;

function daemonConfig(kind: EngineKind): Readonly<Record<string, unknown>> {
  return {
    "insecure-registries": ["127.0.0.0/8"],
    bridge: "none",
    iptables: false,
    ip6tables: false,
    ...(kind.store === "containerd"
      ? { features: { "containerd-snapshotter": true } }
      : { "storage-driver": "overlay2" }),
  };
}
