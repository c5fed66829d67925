import { expect, test } from "bun:test";
import { join } from "node:path";
import { tlsOptions } from "../support/client-options.ts";
import {
  blobStatus,
  describeModes,
  type Endpoint,
  expectMounted,
  password,
  storedDigest,
  storedManifest,
  user,
} from "../support/endpoints.ts";
import {
  debianImage,
  expectSameBlobs,
  type ImageFixture,
  imageTools,
  largeImage,
  multiPlatformImage,
  platforms,
  secondImage,
  smallImage,
} from "../support/images.ts";
import { run, tryRun } from "../support/processes.ts";
import { temporaryFolder } from "../support/run-folder.ts";
import { describeWith } from "../support/tools.ts";

await describeWith("skopeo", [...imageTools, "openssl", "debootstrap"], () => {
  describeModes((mode, endpoint) => {
    const authFile = join(temporaryFolder("skopeo"), "auth.json");

    if (mode !== "anonymous") {
      test("login accepts the password, refuses another", async () => {
        const wrong = await login(endpoint(), authFile, "guess");
        expect(wrong.exitCode).not.toBe(0);
        expect(wrong.output).toMatch(/unauthorized|invalid username\/password/);
        const right = await login(endpoint(), authFile, password);
        expect(right.output).toContain("Login Succeeded!");
      });

      test("a stranger may neither push nor pull", async () => {
        const image = await smallImage();
        const target = `docker://${endpoint().host}/team/stranger:v1`;
        const pushed = await tryRun([
          "skopeo",
          "copy",
          ...tlsOptions(endpoint(), "dest-"),
          image.source,
          target,
        ]);
        expect(pushed.exitCode).not.toBe(0);
        expect(pushed.output).toMatch(/unauthorized|authentication required/);
        const pulled = await tryRun(["skopeo", "inspect", ...tlsOptions(endpoint()), target]);
        expect(pulled.exitCode).not.toBe(0);
        expect(pulled.output).toMatch(/unauthorized|authentication required/);
      });
    }

    if (mode === "tls") {
      test("a server whose authority is not known is refused", async () => {
        const answer = await tryRun([
          "skopeo",
          "list-tags",
          `docker://${endpoint().host}/team/app`,
        ]);
        expect(answer.exitCode).not.toBe(0);
        expect(answer.output).toContain("certificate signed by unknown authority");
      });
    }

    async function push(image: ImageFixture, name: string, ...options: string[]): Promise<void> {
      const target = `docker://${endpoint().host}/${name}`;
      // Otherwise skopeo may send a layer that it knows in another compression.
      const exact = options.includes("--format") ? [] : ["--preserve-digests"];
      const flags = [...tlsOptions(endpoint(), "dest-"), ...exact, ...options];
      await run(["skopeo", "copy", ...auth(endpoint(), authFile), ...flags, image.source, target]);
    }

    /** Pulls into a new OCI layout and returns its folder. */
    async function pull(name: string, ...options: string[]): Promise<string> {
      const layout = join(temporaryFolder("pulled"), "oci");
      const source = `docker://${endpoint().host}/${name}`;
      const flags = [...auth(endpoint(), authFile), ...tlsOptions(endpoint(), "src-"), ...options];
      await run(["skopeo", "copy", ...flags, source, `oci:${layout}:v1`]);
      return layout;
    }

    test("push, pull by tag and by digest give the same bytes", async () => {
      const image = await smallImage();
      await push(image, "team/app:v1");
      expect(await storedDigest(endpoint(), "team/app", "v1")).toBe(image.digest);
      expectSameBlobs(await pull("team/app:v1"), image);
      expectSameBlobs(await pull(`team/app@${image.digest}`), image);
    });

    test("a layer that another repository holds is mounted, not sent again", async () => {
      const image = await smallImage();
      await push(image, "team/app:v1");
      await push(image, "other/place:v1");
      for (const digest of image.layerDigests) {
        expect(await blobStatus(endpoint(), "other/place", digest)).toBe(200);
      }
      expectSameBlobs(await pull("other/place:v1"), image);
      await expectMounted(endpoint(), "other/place");
    });

    test("inspect and list-tags tell what was pushed", async () => {
      await push(await smallImage(), "team/tags:v1");
      await push(await secondImage(), "team/tags:v2");
      const flags = [...auth(endpoint(), authFile), ...tlsOptions(endpoint())];
      const repository = `docker://${endpoint().host}/team/tags`;
      const listed = await run(["skopeo", "list-tags", ...flags, repository]);
      expect(JSON.parse(listed)).toMatchObject({ Tags: ["v1", "v2"] });
      const inspected = await run(["skopeo", "inspect", ...flags, `${repository}:v2`]);
      expect(JSON.parse(inspected)).toMatchObject({ Digest: (await secondImage()).digest });
    });

    test("an index goes and comes back with all its platforms", async () => {
      const image = await multiPlatformImage();
      await push(image, "team/multi:v1", "--all");
      const stored = await storedManifest(endpoint(), "team/multi", "v1");
      expect(stored?.digest).toBe(image.digest);
      expect(stored?.content["manifests"]).toHaveLength(platforms.length);
      expectSameBlobs(await pull("team/multi:v1", "--all"), image);
    });

    test("an image is converted to Docker's media types on the way", async () => {
      await push(await smallImage(), "team/docker:v1", "--format", "v2s2");
      const stored = await storedManifest(endpoint(), "team/docker", "v1");
      expect(stored?.mediaType).toBe("application/vnd.docker.distribution.manifest.v2+json");
    });

    test("a layer of 100 MB", async () => {
      const image = await largeImage();
      await push(image, "team/large:v1");
      expectSameBlobs(await pull("team/large:v1"), image);
    });

    test("a Debian root", async () => {
      const image = await debianImage();
      await push(image, "team/debian:v1");
      expectSameBlobs(await pull("team/debian:v1"), image);
    });

    test("delete removes the manifest and its tags", async () => {
      const image = await smallImage();
      await push(image, "team/gone:v1");
      const flags = [...auth(endpoint(), authFile), ...tlsOptions(endpoint())];
      const name = `docker://${endpoint().host}/team/gone:v1`;
      await run(["skopeo", "delete", ...flags, name]);
      expect(await storedManifest(endpoint(), "team/gone", "v1")).toBeUndefined();
      expect(await storedManifest(endpoint(), "team/gone", image.digest)).toBeUndefined();
      // What was deleted can be pushed again.
      await push(image, "team/gone:v1");
      expectSameBlobs(await pull("team/gone:v1"), image);
    });
  });
});

async function login(endpoint: Endpoint, authFile: string, secret: string) {
  const command = ["skopeo", "login", "--authfile", authFile, ...tlsOptions(endpoint)];
  const credentials = ["--username", user, "--password-stdin"];
  return tryRun([...command, ...credentials, endpoint.host], { stdin: secret });
}

function auth(endpoint: Endpoint, authFile: string): string[] {
  return endpoint.needsLogin ? ["--authfile", authFile] : [];
}
