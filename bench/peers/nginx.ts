/**
 * nginx with the same bytes as static files below the same paths: not a registry, but the mark
 * for what a file costs on this machine.
 */
import { linkSync, mkdirSync } from "node:fs";
import { rm } from "node:fs/promises";
import { dirname, join } from "node:path";
import type { Dataset } from "../dataset.ts";
import { blobsRepository } from "../dataset.ts";
import { findProgram } from "../process.ts";
import { blobPath, manifestMediaType } from "../tree.ts";
import type { Peer, StartOptions } from "./peer.ts";
import { freePort, spawnServer } from "./peer.ts";

export function nginx(dataset: Dataset): Peer {
  return {
    name: "nginx",
    describe: async () => {
      const program = findProgram("nginx");
      if (program === undefined) return { missing: "apt-get install nginx-light" };
      // nginx -v writes to stderr, and nothing else.
      const { stderr } = Bun.spawnSync([program, "-v"], { stderr: "pipe" });
      return { version: stderr.toString().trim().replace("nginx version: ", "") };
    },
    start: async (options) => {
      const port = await freePort();
      await linkFiles(dataset, join(options.runDirectory, "html"));
      const config = join(options.runDirectory, "nginx.conf");
      await Bun.write(config, configText(options, port));
      const program = findProgram("nginx") ?? "nginx";
      return spawnServer({
        name: "nginx",
        command: [program, "-e", "stderr", "-p", options.runDirectory, "-c", config],
        port,
        runDirectory: options.runDirectory,
      });
    },
  };
}

async function linkFiles(dataset: Dataset, html: string): Promise<void> {
  await rm(html, { recursive: true, force: true });
  const link = (path: string, digest: string) => {
    const target = join(html, path);
    mkdirSync(dirname(target), { recursive: true });
    linkSync(blobPath(dataset.treeDirectory, digest), target);
  };
  for (const { repository, tag, digest } of dataset.manifests) {
    link(`v2/${repository}/manifests/${tag}`, digest);
  }
  for (const { digest } of [...dataset.smallBlobs, dataset.largeBlob]) {
    link(`v2/${blobsRepository}/blobs/${digest}`, digest);
  }
}

function configText(options: StartOptions, port: number): string {
  const isRoot = process.getuid?.() === 0;
  const temporary = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
    .map((kind) => `  ${kind}_temp_path ${options.runDirectory}/${kind};`)
    .join("\n");
  return `daemon off;
${isRoot ? "user root;" : ""}
worker_processes auto;
pid ${options.runDirectory}/nginx.pid;
events { worker_connections 1024; }
http {
${temporary}
  access_log off;
  error_log stderr;
  sendfile on;
  tcp_nopush on;
  # The default closes a connection after 1,000 requests, which would measure connecting.
  keepalive_requests 100000000;
  server {
    listen 127.0.0.1:${port};
    root ${options.runDirectory}/html;
    default_type application/octet-stream;
    location ~ /manifests/ { default_type ${manifestMediaType}; }
    location = /v2/ { default_type application/json; return 200 "{}"; }
  }
}
`;
}
