import { expect, test } from "bun:test";
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import {
  containersStorage,
  knownToMachine,
  tlsOptions,
  trustedBySystem,
} from "../support/client-options.ts";
import {
  ask,
  describeModes,
  password,
  storedDigest,
  storedManifest,
  user,
} from "../support/endpoints.ts";
import {
  type ImageFixture,
  imageTools,
  largeImage,
  multiPlatformImage,
  secondImage,
  smallImage,
} from "../support/images.ts";
import { type CommandOptions, run, tryRun } from "../support/processes.ts";
import { temporaryFolder } from "../support/run-folder.ts";
import { describeWith } from "../support/tools.ts";

await describeWith("podman", [...imageTools, "podman", "runc", "openssl"], () => {
  describeModes((mode, endpoint) => {
    const work = temporaryFolder("podman");
    const env = containersStorage(work);
    mkdirSync(join(work, "tmp"));
    // A mount namespace of its own: what podman mounts goes with each command.
    const podman = [
      "unshare",
      "--mount",
      "--propagation",
      "private",
      "podman",
      "--root",
      join(work, "graph"),
      "--runroot",
      join(work, "run"),
      "--tmpdir",
      join(work, "tmp"),
      "--storage-driver",
      "vfs",
      "--runtime",
      "runc",
      "--cgroup-manager",
      "cgroupfs",
      "--events-backend",
      "file",
    ];
    // Where podman looks by itself when XDG_RUNTIME_DIR is `work`.
    const auth = ["--authfile", join(work, "containers", "auth.json")];
    mkdirSync(join(work, "containers"));
    const at = (name: string): string => `${endpoint().host}/${name}`;

    /** A command that talks to the registry; `verb` is one word or two. */
    async function remote(verb: string, ...args: string[]): Promise<string> {
      const flags = [...(endpoint().needsLogin ? auth : []), ...tlsOptions(endpoint())];
      return run([...podman, ...verb.split(" "), ...flags, ...args], { env });
    }

    /** Puts an image into podman's storage under the name that it is pushed by. */
    async function load(image: ImageFixture, name: string): Promise<void> {
      await local("rmi", "--all", "--force");
      await local("pull", "--quiet", image.source);
      const id = await local("images", "--quiet");
      await local("tag", id, at(name));
    }

    async function local(...args: string[]): Promise<string> {
      return run([...podman, ...args], { env });
    }

    async function cat(reference: string, file = "/hello.txt"): Promise<string> {
      return inContainer(reference, "cat", file);
    }

    async function inContainer(reference: string, ...command: string[]): Promise<string> {
      // The limits are those that a container without further rights may set.
      const limits = ["--ulimit", "nofile=1024:1024", "--ulimit", "nproc=1000:1000"];
      const options = ["--rm", "--network", "none", "--pull", "never"];
      return local("run", ...options, ...limits, reference, ...command);
    }

    if (mode !== "anonymous") {
      test("login refuses a wrong password and accepts the right one", async () => {
        const command = [...podman, "login", ...auth, ...tlsOptions(endpoint())];
        const flags = ["--username", user, "--password-stdin", endpoint().host];
        const options = (stdin: string): CommandOptions => ({ env, stdin });
        const wrong = await tryRun([...command, ...flags], options("guess"));
        expect(wrong.exitCode).not.toBe(0);
        expect(wrong.output).toMatch(/unauthorized|invalid username\/password/);
        const right = await run([...command, ...flags], options(password));
        expect(right).toContain("Login Succeeded!");
      });

      test("a stranger may not pull", async () => {
        const flags = ["--creds", "nobody:guess", ...tlsOptions(endpoint())];
        const refused = await tryRun([...podman, "pull", ...flags, at("team/app:v1")], { env });
        expect(refused.exitCode).not.toBe(0);
        expect(refused.output).toMatch(/unauthorized|authentication required/);
      });
    }

    test("push, pull by tag and by digest, and run what was pulled", async () => {
      await load(await smallImage(), "team/app:v1");
      await remote("push", at("team/app:v1"));
      const digest = await storedDigest(endpoint(), "team/app", "v1");
      for (const name of [at("team/app:v1"), at(`team/app@${digest}`)]) {
        await local("rmi", "--all", "--force");
        await remote("pull", "--quiet", name);
        expect(await cat(name)).toBe("small");
      }
    });

    test("every tag of a repository is pulled at once and listed", async () => {
      for (const [tag, image] of Object.entries({ v1: smallImage, v2: secondImage })) {
        await load(await image(), `team/many:${tag}`);
        await remote("push", at(`team/many:${tag}`));
      }
      await local("rmi", "--all", "--force");
      // This form of pull lists the tags without its own options: the machine must know.
      const machine = {
        ...(endpoint().needsLogin ? { XDG_RUNTIME_DIR: work } : {}),
        ...knownToMachine(work, endpoint()),
        ...trustedBySystem(endpoint()),
      };
      const pull = [...podman, "pull", "--quiet", "--all-tags", at("team/many")];
      await run(pull, { env: { ...env, ...machine } });
      expect(await cat(at("team/many:v1"))).toBe("small");
      expect(await cat(at("team/many:v2"), "/new.txt")).toBe("only here");
    });

    test("search finds repositories and lists their tags", async () => {
      const flags = endpoint().needsLogin ? auth : [];
      // search has no option for a certificate: a person gives it to the whole machine.
      const tls = endpoint().authority === undefined ? ["--tls-verify=false"] : [];
      const trust = { ...env, ...trustedBySystem(endpoint()) };
      const search = [...podman, "search", ...flags, ...tls];
      expect(await run([...search, at("many")], { env: trust })).toContain("team/many");
      const listed = await run([...search, "--list-tags", at("team/many")], { env: trust });
      expect(listed).toMatch(/team\/many\s+v1/);
      expect(listed).toMatch(/team\/many\s+v2/);
    });

    test("an index that another client pushed gives this machine's image", async () => {
      const image = await multiPlatformImage();
      const login = endpoint().needsLogin ? ["--dest-creds", `${user}:${password}`] : [];
      const flags = [...login, ...tlsOptions(endpoint(), "dest-"), "--all"];
      const target = `docker://${at("team/multi:v1")}`;
      await run(["skopeo", "copy", ...flags, image.source, target]);
      await remote("pull", "--quiet", at("team/multi:v1"));
      expect(await cat(at("team/multi:v1"))).toBe(image.greeting);
    });

    test("a manifest list is made of two images and pushed", async () => {
      await local("manifest", "create", "localhost/both:v1");
      for (const [arch, image] of Object.entries({ amd64: smallImage, arm64: secondImage })) {
        const source = (await image()).source;
        await local("manifest", "add", "--arch", arch, "localhost/both:v1", source);
      }
      const target = `docker://${at("team/list:v1")}`;
      await remote("manifest push", "--all", "localhost/both:v1", target);
      const stored = await storedManifest(endpoint(), "team/list", "v1");
      expect(stored?.content["manifests"]).toHaveLength(2);
      await local("rmi", "--all", "--force");
      await remote("pull", "--quiet", at("team/list:v1"));
      expect(await cat(at("team/list:v1"))).toBe("small");
    });

    test("a layer of 100 MB goes and comes back whole", async () => {
      const image = await largeImage();
      await load(image, "team/large:v1");
      await remote("push", at("team/large:v1"));
      await local("rmi", "--all", "--force");
      await remote("pull", "--quiet", at("team/large:v1"));
      const sum = await inContainer(at("team/large:v1"), "sha256sum", "/large.bin");
      expect(`sha256:${sum.split(" ")[0]}`).toBe(image.fileDigest);
      await local("rmi", "--all", "--force");
    });

    test("what was deleted cannot be pulled", async () => {
      const digest = await storedDigest(endpoint(), "team/app", "v1");
      const path = `/v2/team/app/manifests/${digest}`;
      expect((await ask(endpoint(), path, { method: "DELETE" })).status).toBe(202);
      const flags = [...(endpoint().needsLogin ? auth : []), ...tlsOptions(endpoint())];
      const refused = await tryRun([...podman, "pull", ...flags, at("team/app:v1")], { env });
      expect(refused.exitCode).not.toBe(0);
      expect(refused.output).toContain("manifest unknown");
    });
  });
});
