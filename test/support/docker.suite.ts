/** What every Docker engine must be able to do with the registry, whatever its store. */
import { afterAll, beforeAll, expect, test } from "bun:test";
import { copyFileSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type DockerEngine, dockerHost, type EngineKind, startEngine } from "./docker-engine.ts";
import {
  ask,
  blobStatus,
  describeModes,
  type Endpoint,
  expectMounted,
  password,
  storedDigest,
  storedManifest,
  user,
} from "./endpoints.ts";
import {
  debianImage,
  type ImageFixture,
  imageTools,
  largeImage,
  multiPlatformImage,
  secondImage,
  smallImage,
  zstdImage,
} from "./images.ts";
import { run } from "./processes.ts";
import { temporaryFolder } from "./run-folder.ts";
import { describeWith, type ToolName } from "./tools.ts";

export async function dockerEngineSuite(kind: EngineKind): Promise<void> {
  const names: ToolName[] = [...imageTools, kind.dockerd, kind.docker, "runc", "openssl"];
  if (kind.dockerd !== "dockerd") names.push("buildx");
  await describeWith(kind.title, [...names, "debootstrap"], (tools) => {
    describeModes((mode, endpoint) => {
      let started: DockerEngine | undefined;
      beforeAll(async () => {
        started = await startEngine(kind, tools, endpoint());
      });
      afterAll(async () => started?.stop());
      function engine(): DockerEngine {
        if (started === undefined) throw new Error(`${kind.title} did not start`);
        return started;
      }
      const at = (name: string): string => `${dockerHost(endpoint())}/${name}`;

      if (mode !== "anonymous") loginTests({ engine, registry: () => dockerHost(endpoint()) });

      async function load(image: ImageFixture, name: string): Promise<void> {
        const archive = join(temporaryFolder("archive"), "image.tar");
        await run(["skopeo", "copy", image.source, `docker-archive:${archive}:${at(name)}`]);
        await engine().docker(["load", "--input", archive]);
      }

      /** Forgets the image, so that the next pull fetches it. */
      async function forget(...references: string[]): Promise<void> {
        await engine().docker(["image", "rm", "--force", ...references]);
        await engine().docker(["image", "prune", "--all", "--force"]);
      }

      /** Runs a container whose commands write into `/out/said`, and returns what they wrote. */
      async function runToFile(reference: string, ...commands: string[]): Promise<string> {
        const out = temporaryFolder("out");
        const options = ["--rm", "--network", "none", "--pull", "never", "--volume", `${out}:/out`];
        await engine().docker(["run", ...options, reference, ...commands]);
        return readFileSync(join(out, "said"), "utf8").trim();
      }

      // Not by the container's standard output: on a busy machine the engine itself loses that of
      // a container that ends at once (5 of 2,763 under Docker 26.1.5, exit code 0).
      async function read(reference: string, command: string): Promise<string> {
        return runToFile(reference, "sh", "-c", `${command} > /out/said`);
      }

      async function cat(reference: string, file = "/hello.txt"): Promise<string> {
        return read(reference, `cat ${file}`);
      }

      test("push, pull by tag and by digest, and run what was pulled", async () => {
        const name = at("team/app:v1");
        await load(await smallImage(), "team/app:v1");
        const output = await engine().docker(["push", name]);
        const digest = await storedDigest(endpoint(), "team/app", "v1");
        expect(output).toContain(digest);

        await forget(name);
        expect(await engine().docker(["pull", name])).toContain(digest);
        expect(await cat(name)).toBe("small");

        const byDigest = at(`team/app@${digest}`);
        await forget(name);
        await engine().docker(["pull", byDigest]);
        expect(await cat(byDigest)).toBe("small");
        // What is there already is not fetched again.
        expect(await engine().docker(["pull", byDigest])).toContain("Image is up to date");
        await forget(byDigest);
      });

      test("a layer that another repository holds is mounted", async () => {
        await load(await smallImage(), "mount/source:v1");
        await engine().docker(["push", at("mount/source:v1")]);
        await engine().docker(["tag", at("mount/source:v1"), at("mount/target:v1")]);
        await engine().docker(["push", at("mount/target:v1")]);
        const stored = await storedManifest(endpoint(), "mount/target", "v1");
        for (const digest of layersOf(stored?.content)) {
          expect(await blobStatus(endpoint(), "mount/target", digest)).toBe(200);
        }
        await expectMounted(endpoint(), "mount/target");
        await forget(at("mount/source:v1"), at("mount/target:v1"));
        await engine().docker(["pull", at("mount/target:v1")]);
        expect(await cat(at("mount/target:v1"))).toBe("small");
      });

      test("all tags of a repository are pushed and pulled at once", async () => {
        await load(await smallImage(), "team/many:v1");
        await load(await secondImage(), "team/many:v2");
        await engine().docker(["push", "--all-tags", at("team/many")]);
        await forget(at("team/many:v1"), at("team/many:v2"));
        await engine().docker(["pull", "--all-tags", at("team/many")]);
        expect(await cat(at("team/many:v1"))).toBe("small");
        expect(await cat(at("team/many:v2"), "/new.txt")).toBe("only here");
      });

      test("an image that was built here, every layer of it, arrives", async () => {
        const context = temporaryFolder("context");
        copyBusybox(join(context, "root", "bin"));
        writeFileSync(join(context, "hello.txt"), `built by ${kind.title}\n`);
        writeFileSync(
          join(context, "Dockerfile"),
          'FROM scratch\nCOPY root /\nCOPY hello.txt /\nENTRYPOINT ["/bin/sh", "-c"]\n',
        );
        const name = at("team/built:v1");
        await engine().docker(["build", "--tag", name, context]);
        await engine().docker(["push", name]);
        await forget(name);
        await engine().docker(["pull", name]);
        const said = await runToFile(name, "cat /hello.txt > /out/said");
        expect(said).toBe(`built by ${kind.title}`);
      });

      test("a manifest list is made of two images, and the right one is pulled", async () => {
        await load(await smallImage(), "list/amd64:v1");
        await load(await secondImage(), "list/arm64:v1");
        const list = at("list/both:v1");
        for (const part of ["amd64", "arm64"]) {
          await engine().docker(["tag", at(`list/${part}:v1`), at(`list/both:${part}`)]);
          await engine().docker(["push", at(`list/both:${part}`)]);
        }
        const insecure = endpoint().authority === undefined ? ["--insecure"] : [];
        const env = { DOCKER_CLI_EXPERIMENTAL: "enabled" };
        const manifest = async (verb: string, ...args: string[]): Promise<string> =>
          engine().docker(["manifest", verb, ...args], { env });
        await manifest("create", ...insecure, list, at("list/both:amd64"), at("list/both:arm64"));
        await manifest("annotate", "--arch", "arm64", list, at("list/both:arm64"));
        await manifest("push", ...insecure, list);
        const stored = await storedManifest(endpoint(), "list/both", "v1");
        expect(stored?.content["manifests"]).toHaveLength(2);
        await forget(at("list/both:amd64"), at("list/amd64:v1"));
        await engine().docker(["pull", list]);
        expect(await cat(list)).toBe("small");
      });

      test("an index that another client pushed gives this machine's image", async () => {
        const image = await multiPlatformImage();
        await seed(image, "team/multi:v1", "--all");
        await engine().docker(["pull", at("team/multi:v1")]);
        expect(await cat(at("team/multi:v1"))).toBe(image.greeting);
      });

      test("a layer of 100 MB goes and comes back whole", async () => {
        const image = await largeImage();
        const name = at("team/large:v1");
        await load(image, "team/large:v1");
        await engine().docker(["push", name]);
        await forget(name);
        await engine().docker(["pull", name]);
        const sum = await read(name, "sha256sum /large.bin");
        expect(`sha256:${sum.split(" ")[0]}`).toBe(image.fileDigest);
        await forget(name);
      });

      test("a Debian runs", async () => {
        const image = await debianImage();
        await seed(image, "team/debian:v1");
        await engine().docker(["pull", at("team/debian:v1")]);
        expect(await cat(at("team/debian:v1"), "/etc/debian_version")).toMatch(/^12\./);
        await forget(at("team/debian:v1"));
      });

      // The engine of 2020 cannot read zstd: that is why people ask which engines pull.
      if (kind.dockerd !== "dockerd") {
        test("layers in zstd are pulled and run", async () => {
          const image = await zstdImage();
          await seed(image, "team/zstd:v1");
          expect(await storedDigest(endpoint(), "team/zstd", "v1")).toBe(image.digest);
          await engine().docker(["pull", at("team/zstd:v1")]);
          expect(await cat(at("team/zstd:v1"))).toBe("small");
        });
      }

      if (kind.store === "containerd") {
        buildxTests({ engine, endpoint, at, cat });
      }

      test("what was deleted cannot be pulled, and can be pushed again", async () => {
        const name = at("team/gone:v1");
        await load(await smallImage(), "team/gone:v1");
        await engine().docker(["push", name]);
        const digest = await storedDigest(endpoint(), "team/gone", "v1");
        const deleted = await ask(endpoint(), `/v2/team/gone/manifests/${digest}`, {
          method: "DELETE",
        });
        expect(deleted.status).toBe(202);
        await forget(name);
        const refused = await engine().tryDocker(["pull", name]);
        expect(refused.exitCode).not.toBe(0);
        expect(refused.output).toMatch(/manifest unknown|not found/);
        await load(await smallImage(), "team/gone:v1");
        await engine().docker(["push", name]);
        await forget(name);
        await engine().docker(["pull", name]);
        expect(await cat(name)).toBe("small");
      });

      /** Puts an image into the registry by another client. */
      async function seed(image: ImageFixture, name: string, ...options: string[]): Promise<void> {
        const login = endpoint().needsLogin ? ["--dest-creds", `${user}:${password}`] : [];
        const flags = [...login, "--preserve-digests", "--dest-tls-verify=false", ...options];
        const target = `docker://${endpoint().host}/${name}`;
        await run(["skopeo", "copy", ...flags, image.source, target]);
      }
    });
  });
}

function loginTests(facts: {
  readonly engine: () => DockerEngine;
  readonly registry: () => string;
}): void {
  test("a stranger may not pull", async () => {
    const refused = await facts.engine().tryDocker(["pull", `${facts.registry()}/team/app:v1`]);
    expect(refused.exitCode).not.toBe(0);
    expect(refused.output).toMatch(/no basic auth credentials|unauthorized|denied/);
  });

  test("login refuses a wrong password and accepts the right one", async () => {
    const command = ["login", "--username", user, "--password-stdin", facts.registry()];
    const wrong = await facts.engine().tryDocker(command, { stdin: "guess" });
    expect(wrong.exitCode).not.toBe(0);
    expect(wrong.output).toMatch(/unauthorized/i);
    const right = await facts.engine().docker(command, { stdin: password });
    expect(right).toContain("Login Succeeded");
  });
}

/** What only containerd's store can do: push what buildx makes, with its own compression. */
function buildxTests(facts: {
  readonly engine: () => DockerEngine;
  readonly endpoint: () => Endpoint;
  readonly at: (name: string) => string;
  readonly cat: (reference: string) => Promise<string>;
}): void {
  const { engine, endpoint, at, cat } = facts;

  function context(text: string): string {
    const folder = temporaryFolder("context");
    copyBusybox(join(folder, "bin"));
    writeFileSync(join(folder, "hello.txt"), text);
    writeFileSync(join(folder, "Dockerfile"), "FROM scratch\nCOPY . /\n");
    return folder;
  }

  test("buildx pushes an index of two platforms with layers in zstd", async () => {
    const name = at("buildx/zstd:v1");
    const compression = "compression=zstd,force-compression=true,oci-mediatypes=true";
    await engine().docker([
      "buildx",
      "build",
      "--platform",
      "linux/amd64,linux/arm64",
      "--output",
      `type=image,push=true,${compression},name=${name}`,
      context("zstd\n"),
    ]);
    const stored = await storedManifest(endpoint(), "buildx/zstd", "v1");
    const [child] = digestsIn(stored?.content["manifests"]);
    const image = await storedManifest(endpoint(), "buildx/zstd", child ?? "");
    expect(JSON.stringify(image?.content["layers"])).toContain("tar+zstd");
    await engine().docker(["image", "rm", "--force", name]);
    await engine().docker(["pull", name]);
    expect(await cat(name)).toBe("zstd");
  });

  test("buildx keeps its build cache in the registry, in both shapes", async () => {
    for (const shape of ["true", "false"]) {
      const reference = at(`buildx/cache:${shape}`);
      const options = `mode=max,image-manifest=${shape},oci-mediatypes=true`;
      const folder = context(`cached ${shape}\n`);
      const build = ["buildx", "build", "--tag", "cached:v1"];
      await engine().docker([
        ...build,
        "--cache-to",
        `type=registry,ref=${reference},${options}`,
        folder,
      ]);
      await engine().docker(["builder", "prune", "--all", "--force"]);
      const again = await engine().tryDocker([
        ...build,
        "--progress",
        "plain",
        "--cache-from",
        `type=registry,ref=${reference}`,
        folder,
      ]);
      expect(again.exitCode).toBe(0);
      expect(again.output).toMatch(/CACHED/);
    }
  });
}

function copyBusybox(folder: string): void {
  mkdirSync(folder, { recursive: true });
  for (const applet of ["sh", "cat"]) copyFileSync("/bin/busybox", join(folder, applet));
}

function layersOf(manifest: Record<string, unknown> | undefined): string[] {
  return digestsIn(manifest?.["layers"]);
}

function digestsIn(descriptors: unknown): string[] {
  if (!Array.isArray(descriptors)) return [];
  return descriptors.map((descriptor: { digest: string }) => descriptor.digest);
}
