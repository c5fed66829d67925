/**
 * The container image of deploy/container, built by a real engine and run as the documents say:
 * without rights, on a file system that takes no writes but in its volume.
 */
import { afterAll, beforeAll, expect, test } from "bun:test";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type DockerEngine, startEngine } from "../support/docker-engine.ts";
import { imageTools, smallImage } from "../support/images.ts";
import { nodeImage } from "../support/node-image.ts";
import { freePort, run } from "../support/processes.ts";
import { kindUnderTest } from "../support/registry-server.ts";
import { temporaryFolder } from "../support/run-folder.ts";
import { describeWith, type ToolName } from "../support/tools.ts";

const repository = join(import.meta.dir, "..", "..");
const kind = { title: "docker", dockerd: "dockerd", docker: "docker", store: "graph" } as const;
const tools: ToolName[] = [...imageTools, "debootstrap", "dockerd", "docker", "runc"];
/** What compose.yml takes away. */
const restricted = ["--read-only", "--cap-drop=ALL", "--security-opt=no-new-privileges:true"];
const buildMs = 600_000;

if (kindUnderTest === "berth") {
  await describeWith("the container image", tools, (found) => {
    let engine: DockerEngine;
    beforeAll(async () => {
      engine = await startEngine(kind, found);
      await build(engine);
    }, buildMs);
    afterAll(async () => engine.stop());

    for (const place of ["/etc/docker/registry", "/etc/distribution"]) {
      test(`serves with a configuration that is mounted in ${place}`, async () => {
        const port = freePort();
        const config = join(temporaryFolder("container"), "config.yml");
        writeFileSync(
          config,
          `version: 0.1\nstorage: {filesystem: {rootdirectory: /var/lib/registry}}\nhttp: {addr: "127.0.0.1:${port}"}\n`,
        );
        const mounts = ["--volume=/var/lib/registry", `--volume=${config}:${place}/config.yml:ro`];
        const id = await start(engine, [...restricted, ...mounts], port);
        const { source, digest } = await smallImage();
        const target = `docker://127.0.0.1:${port}/team/app:v1`;
        await run(["skopeo", "copy", "--dest-tls-verify=false", source, target]);
        const url = `http://127.0.0.1:${port}/v2/team/app/manifests/v1`;
        const pulled = await fetch(url, { method: "HEAD" });
        expect(pulled.headers.get("docker-content-digest")).toBe(digest);
        expect(await engine.docker(["exec", id, "berth", "health"])).toBe("the registry is well");
        const history = await engine.docker([
          "exec",
          id,
          "berth",
          "tag",
          "history",
          "team/app",
          "v1",
        ]);
        expect(history).toContain(`set to ${digest}`);
        await engine.docker(["stop", id]);
        expect(await engine.docker(["inspect", "--format={{.State.ExitCode}}", id])).toBe("0");
      }, 60_000);
    }

    test("a volume that belongs to root is refused with its owner, and served as root", async () => {
      const folder = temporaryFolder("volume");
      mkdirSync(join(folder, "docker"));
      const port = freePort();
      const address = `--env=REGISTRY_HTTP_ADDR=127.0.0.1:${port}`;
      const volume = `--volume=${folder}:/var/lib/registry`;
      const refused = await engine.tryDocker(["run", "--network=host", address, volume, "berth"]);
      expect(refused.exitCode).toBe(1);
      expect(refused.output).toContain(
        "may not write to /var/lib/registry, which belongs to user 0",
      );
      expect(refused.output).toContain("docker run --user 0:0");
      await start(engine, [...restricted, "--user=0:0", address, volume], port);
    }, 60_000);
  });
}

async function build(engine: DockerEngine): Promise<void> {
  const { root, variables } = await nodeImage();
  const archive = join(temporaryFolder("base"), "root.tar");
  await run(["tar", "-C", root, "-cf", archive, "."]);
  const changes = Object.entries(variables).map(([name, value]) => `--change=ENV ${name}=${value}`);
  await engine.docker(["import", ...changes, archive, "build-base"]);
  const file = join(repository, "deploy/container/Dockerfile");
  const options = ["--network=host", "--build-arg=BUILD_IMAGE=build-base", "--tag=berth"];
  await engine.docker(["build", ...options, `--file=${file}`, repository], {
    env: { DOCKER_BUILDKIT: "0" },
    timeoutMs: buildMs,
  });
}

/** Returns the container's id once it answers. */
async function start(
  engine: DockerEngine,
  options: readonly string[],
  port: number,
): Promise<string> {
  const id = await engine.docker(["run", "--detach", "--network=host", ...options, "berth"]);
  for (;;) {
    const answer = await fetch(`http://127.0.0.1:${port}/v2/`).catch(() => undefined);
    if (answer?.status === 200) return id;
    const isRunning = await engine.docker(["inspect", "--format={{.State.Running}}", id]);
    if (isRunning !== "true") {
      throw new Error((await engine.tryDocker(["logs", id])).output);
    }
    await Bun.sleep(50);
  }
}
