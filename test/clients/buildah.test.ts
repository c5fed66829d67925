import { expect, test } from "bun:test";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { containersStorage, tlsOptions } from "../support/client-options.ts";
import {
  ask,
  blobStatus,
  describeModes,
  expectMounted,
  password,
  storedDigest,
  storedManifest,
  user,
} from "../support/endpoints.ts";
import { run, tryRun } from "../support/processes.ts";
import { temporaryFolder } from "../support/run-folder.ts";
import { describeWith } from "../support/tools.ts";

await describeWith("buildah", ["buildah", "busybox", "openssl"], () => {
  describeModes((mode, endpoint) => {
    const work = temporaryFolder("buildah");
    const env = containersStorage(work);
    const buildah = ["unshare", "--mount", "--propagation", "private", "buildah"];
    const auth = ["--authfile", join(work, "auth.json")];
    const at = (name: string): string => `${endpoint().host}/${name}`;

    async function local(...args: string[]): Promise<string> {
      return run([...buildah, ...args], { env });
    }

    /** A command that talks to the registry; `verb` is one word or two. */
    async function remote(verb: string, ...args: string[]): Promise<string> {
      const flags = [...(endpoint().needsLogin ? auth : []), ...tlsOptions(endpoint())];
      return run([...buildah, ...verb.split(" "), ...flags, ...args], { env });
    }

    /** Builds an image from nothing that says `text`, running a program while it builds. */
    async function build(name: string, text: string, ...options: string[]): Promise<void> {
      const context = temporaryFolder("context");
      mkdirSync(join(context, "bin"));
      await run(["cp", "/bin/busybox", join(context, "bin", "sh")]);
      writeFileSync(
        join(context, "Containerfile"),
        `FROM scratch\nCOPY bin /bin\nRUN echo ${text} > /hello.txt\n`,
      );
      await local("bud", "--isolation", "chroot", ...options, "--tag", name, context);
    }

    /** The file of a pulled image. */
    async function readHello(name: string): Promise<string> {
      const container = await local("from", "--pull-never", name);
      const text = await local("run", "--isolation", "chroot", container, "sh", "-c", readFile);
      await local("rm", container);
      return text;
    }

    if (mode !== "anonymous") {
      test("login refuses a wrong password and accepts the right one", async () => {
        const command = [...buildah, "login", ...auth, ...tlsOptions(endpoint())];
        const flags = ["--username", user, "--password-stdin", endpoint().host];
        const wrong = await tryRun([...command, ...flags], { env, stdin: "guess" });
        expect(wrong.exitCode).not.toBe(0);
        expect(wrong.output).toMatch(/unauthorized|invalid username\/password/);
        const right = await run([...command, ...flags], { env, stdin: password });
        expect(right).toContain("Login Succeeded!");
      });
    }

    test("what was built is pushed, pulled by tag and by digest, and runs", async () => {
      await build(at("build/app:v1"), "built");
      await remote("push", at("build/app:v1"));
      const digest = await storedDigest(endpoint(), "build/app", "v1");
      for (const name of [at("build/app:v1"), at(`build/app@${digest}`)]) {
        await local("rmi", "--all", "--force");
        await remote("pull", "--quiet", name);
        expect(await readHello(name)).toBe("built");
      }
    });

    test("a layer that another repository holds is mounted", async () => {
      await build(at("build/app:v1"), "built");
      await local("tag", at("build/app:v1"), at("build/copy:v1"));
      await remote("push", at("build/app:v1"));
      await remote("push", at("build/copy:v1"));
      await expectMounted(endpoint(), "build/copy");
      const stored = await storedManifest(endpoint(), "build/copy", "v1");
      for (const { digest } of (stored?.content["layers"] ?? []) as { digest: string }[]) {
        expect(await blobStatus(endpoint(), "build/copy", digest)).toBe(200);
      }
    });

    test("an image for three platforms, as an OCI index and as a Docker list", async () => {
      const list = "localhost/build/multi:v1";
      await local("manifest", "create", list);
      for (const platform of ["linux/amd64", "linux/arm64", "linux/arm/v7"]) {
        const context = temporaryFolder("context");
        writeFileSync(join(context, "hello.txt"), platform);
        writeFileSync(join(context, "Containerfile"), "FROM scratch\nCOPY hello.txt /\n");
        await local("bud", "--platform", platform, "--manifest", list, context);
      }
      const formats = {
        oci: "application/vnd.oci.image.index.v1+json",
        v2s2: "application/vnd.docker.distribution.manifest.list.v2+json",
      };
      for (const [format, mediaType] of Object.entries(formats)) {
        const target = `docker://${at(`build/multi:${format}`)}`;
        await remote("manifest push", "--all", "--format", format, list, target);
        const stored = await storedManifest(endpoint(), "build/multi", format);
        expect(stored?.mediaType).toBe(mediaType);
        expect(stored?.content["manifests"]).toHaveLength(3);
      }
      await local("rmi", "--all", "--force");
      await remote("pull", "--quiet", at("build/multi:oci"));
    });

    test("what was deleted cannot be pulled", async () => {
      const digest = await storedDigest(endpoint(), "build/app", "v1");
      const path = `/v2/build/app/manifests/${digest}`;
      expect((await ask(endpoint(), path, { method: "DELETE" })).status).toBe(202);
      await local("rmi", "--all", "--force");
      const flags = [...(endpoint().needsLogin ? auth : []), ...tlsOptions(endpoint())];
      const refused = await tryRun([...buildah, "pull", ...flags, at("build/app:v1")], { env });
      expect(refused.exitCode).not.toBe(0);
      expect(refused.output).toContain("manifest unknown");
    });
  });
});

const readFile = "read line < /hello.txt; echo $line";
