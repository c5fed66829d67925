/** What people read when they push to a tag that is immutable: the registry's own sentence. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { join } from "node:path";
import { type EngineKind, startEngine } from "../support/docker-engine.ts";
import { type Endpoint, storedDigest } from "../support/endpoints.ts";
import { imageTools, secondImage, smallImage } from "../support/images.ts";
import { run, tryRun } from "../support/processes.ts";
import { kindUnderTest, startRegistry } from "../support/registry-server.ts";
import { temporaryFolder } from "../support/run-folder.ts";
import { describeWith, type ToolName } from "../support/tools.ts";

const engines: readonly EngineKind[] = [
  { title: "docker", dockerd: "dockerd", docker: "docker", store: "graph" },
  {
    title: "docker 28 with containerd's store",
    dockerd: "dockerd-28",
    docker: "docker-28",
    store: "containerd",
  },
];

const sentence = /tag v1 of team\/\w+ is immutable: it points to sha256:/;

if (kindUnderTest === "berth") {
  const started: Endpoint[] = [];
  const endpoint = (): Endpoint => started[0] ?? expect.unreachable();
  beforeAll(async () => {
    const immutabletags = [{ repositories: ["team/*"], tags: ["v*"] }];
    const server = await startRegistry({ config: { immutabletags } });
    started.push({ mode: "anonymous", server, host: server.host, needsLogin: false });
  });
  afterAll(async () => endpoint().server.stop());

  await describeWith("skopeo and an immutable tag", [...imageTools], () => {
    test("the second push says why it was refused", async () => {
      const target = `docker://${endpoint().host}/team/skopeo:v1`;
      const copy = ["skopeo", "copy", "--dest-tls-verify=false"];
      const { source } = await smallImage();
      await run([...copy, source, target]);
      const before = await storedDigest(endpoint(), "team/skopeo", "v1");
      await run([...copy, source, target]);
      const refused = await tryRun([...copy, (await secondImage()).source, target]);
      expect(refused.exitCode).not.toBe(0);
      expect(refused.output).toMatch(sentence);
      expect(await storedDigest(endpoint(), "team/skopeo", "v1")).toBe(before);
    });
  });

  for (const kind of engines) {
    const names: ToolName[] = [...imageTools, kind.dockerd, kind.docker, "runc"];
    if (kind.dockerd !== "dockerd") names.push("buildx");
    await describeWith(`${kind.title} and an immutable tag`, names, (tools) => {
      describe(kind.title, () => {
        test("the second push says why it was refused", async () => {
          const engine = await startEngine(kind, tools, endpoint());
          try {
            const name = `${endpoint().host}/team/${kind.store}:v1`;
            const load = async (source: string): Promise<void> => {
              const archive = join(temporaryFolder("archive"), "image.tar");
              await run(["skopeo", "copy", source, `docker-archive:${archive}:${name}`]);
              await engine.docker(["load", "--input", archive]);
            };
            await load((await smallImage()).source);
            await engine.docker(["push", name]);
            const before = await storedDigest(endpoint(), `team/${kind.store}`, "v1");
            await load((await secondImage()).source);
            const refused = await engine.tryDocker(["push", name]);
            expect(refused.exitCode).not.toBe(0);
            expect(refused.output).toMatch(sentence);
            expect(await storedDigest(endpoint(), `team/${kind.store}`, "v1")).toBe(before);
          } finally {
            await engine.stop();
          }
        }, 120_000);
      });
    });
  }
}
