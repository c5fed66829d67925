/** What every containerd must be able to do with the registry, by its own client `ctr`. */
import { afterAll, beforeAll, expect, test } from "bun:test";
import { join } from "node:path";
import { tlsOptions } from "./client-options.ts";
import { type Containerd, startContainerd } from "./containerd-daemon.ts";
import { describeModes, password, storedDigest, user } from "./endpoints.ts";
import {
  type ImageFixture,
  imageTools,
  largeImage,
  multiPlatformImage,
  smallImage,
  zstdImage,
} from "./images.ts";
import { type CommandResult, run, tryRun } from "./processes.ts";
import { temporaryFolder } from "./run-folder.ts";
import { describeWith, type ToolName } from "./tools.ts";

export interface ContainerdKind {
  readonly title: string;
  readonly containerd: ToolName;
  readonly ctr: ToolName;
  /** Newer clients leave a pull to the daemon, which knows one snapshotter only. */
  readonly pullOptions: readonly string[];
}

export async function containerdSuite(kind: ContainerdKind): Promise<void> {
  const names: ToolName[] = [...imageTools, kind.containerd, kind.ctr, "openssl"];
  const pullOptions = ["--snapshotter", "native", ...kind.pullOptions];
  await describeWith(kind.title, names, (tools) => {
    describeModes((mode, endpoint) => {
      let started: Containerd | undefined;
      beforeAll(async () => {
        started = await startContainerd(tools.path(kind.containerd), tools.path(kind.ctr));
        if (mode === "tls") started.describeHost(endpoint().host, endpoint());
        started.describeHost("registry.example", endpoint());
      });
      afterAll(async () => started?.stop());
      function containerd(): Containerd {
        if (started === undefined) throw new Error(`${kind.title} did not start`);
        return started;
      }
      const at = (name: string): string => `${endpoint().host}/${name}`;
      const ctr = (...args: string[]): string[] => [
        tools.path(kind.ctr),
        "--address",
        containerd().socket,
        ...args,
      ];

      function remoteOptions(secret = password): string[] {
        const credentials = endpoint().needsLogin ? ["--user", `${user}:${secret}`] : [];
        return endpoint().authority === undefined
          ? ["--plain-http", ...credentials]
          : ["--hosts-dir", containerd().hostsFolder, ...credentials];
      }

      async function push(image: ImageFixture, name: string): Promise<void> {
        const archive = join(temporaryFolder("archive"), "image.tar");
        await run(["tar", "-cf", archive, "-C", image.layout, "."]);
        const known = [
          "--all-platforms",
          "--no-unpack",
          "--base-name",
          at(name.split(":")[0] ?? ""),
        ];
        await run(ctr("images", "import", ...known, archive));
        await run(ctr("images", "push", ...remoteOptions(), at(name)));
      }

      async function pull(name: string, ...options: string[]): Promise<CommandResult> {
        const flags = [...pullOptions, ...remoteOptions(), ...options];
        return tryRun(ctr("images", "pull", ...flags, at(name)));
      }

      /** Removes the images and all content, so that the next pull fetches everything. */
      async function forget(): Promise<void> {
        const known = (await run(ctr("images", "list", "--quiet"))).split("\n").filter(Boolean);
        if (known.length > 0) await run(ctr("images", "remove", "--sync", ...known));
        expect(await run(ctr("content", "list", "--quiet"))).toBe("");
      }

      async function expectContent(image: ImageFixture): Promise<void> {
        const held = (await run(ctr("content", "list", "--quiet"))).split("\n");
        for (const digest of [image.digest, ...image.layerDigests]) {
          expect(held).toContain(digest);
        }
      }

      if (mode !== "anonymous") {
        test("a wrong password is refused", async () => {
          const flags = [...pullOptions, ...remoteOptions("guess")];
          const refused = await tryRun(ctr("images", "pull", ...flags, at("team/app:v1")));
          expect(refused.exitCode).not.toBe(0);
          expect(refused.output).toMatch(/401|unauthorized|authorization failed/i);
        });
      }

      test("push, pull by tag and by digest", async () => {
        const image = await smallImage();
        await push(image, "team/app:v1");
        expect(await storedDigest(endpoint(), "team/app", "v1")).toBe(image.digest);
        for (const name of ["team/app:v1", `team/app@${image.digest}`]) {
          await forget();
          expect(await pull(name)).toMatchObject({ exitCode: 0 });
          await expectContent(image);
        }
      });

      test("an index with all its platforms, layers in zstd, a layer of 100 MB", async () => {
        const cases = { multi: multiPlatformImage, zstd: zstdImage, large: largeImage };
        for (const [name, make] of Object.entries(cases)) {
          const image = await make();
          await push(image, `team/${name}:v1`);
          await forget();
          expect(await pull(`team/${name}:v1`, "--all-platforms")).toMatchObject({ exitCode: 0 });
          await expectContent(image);
        }
      });

      test("a host of another name is mirrored, as a node's hosts.toml says", async () => {
        const image = await smallImage();
        await push(image, "team/mirror:v1");
        await forget();
        const credentials = endpoint().needsLogin ? ["--user", `${user}:${password}`] : [];
        const flags = [...pullOptions, "--hosts-dir", containerd().hostsFolder];
        const name = "registry.example/team/mirror:v1";
        await run(ctr("images", "pull", ...flags, ...credentials, name));
        await expectContent(image);
      });

      test("another client reads what containerd pushed", async () => {
        const credentials = endpoint().needsLogin ? ["--creds", `${user}:${password}`] : [];
        const flags = [...tlsOptions(endpoint()), ...credentials];
        const digest = await run([
          "skopeo",
          "inspect",
          ...flags,
          "--format",
          "{{.Digest}}",
          `docker://${at("team/app:v1")}`,
        ]);
        expect(digest).toBe((await smallImage()).digest);
      });
    });
  });
}
