/**
 * regctl is the client here that sends a blob in chunks of a size that it chooses, each with its
 * `Content-Range`; that mounts without naming a source; and that pushes a blob by its SHA-512.
 */
import { expect, test } from "bun:test";
import { randomBytes } from "node:crypto";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import {
  ask,
  blobStatus,
  describeModes,
  expectAnswered,
  expectMounted,
  password,
  sha256,
  storedDigest,
  storedManifest,
  user,
} from "../support/endpoints.ts";
import { expectSameBlobs, imageTools, multiPlatformImage, smallImage } from "../support/images.ts";
import { run, tryRun } from "../support/processes.ts";
import { temporaryFolder } from "../support/run-folder.ts";
import { describeWith } from "../support/tools.ts";

const artifactType = "application/vnd.acme.report.v1";
const chunkSizeBytes = 100_000;

await describeWith("regctl", [...imageTools, "regctl", "openssl"], (tools) => {
  describeModes((mode, endpoint) => {
    const work = temporaryFolder("regctl");
    const at = (name: string): string => `${endpoint().host}/${name}`;
    const env = { HOME: work, REGCTL_CONFIG: join(work, "config.json") };
    const command = (...args: string[]): string[] => [tools.path("regctl"), ...args];
    const regctl = async (...args: string[]): Promise<string> =>
      run(command(...args), { env, cwd: work });
    const regctlFrom = async (stdin: Buffer, ...args: string[]): Promise<string> => {
      const file = join(work, "stdin");
      writeFileSync(file, stdin);
      return run(["sh", "-c", '"$@" < stdin', "sh", ...command(...args)], { env, cwd: work });
    };

    test("is told about the registry, and refuses a wrong password", async () => {
      const authority = endpoint().authority;
      const tls =
        authority === undefined
          ? ["--tls", "disabled"]
          : ["--tls", "enabled", "--cacert", authority.certificate];
      await regctl("registry", "set", "--skip-check", ...tls, endpoint().host);
      if (mode === "anonymous") return;
      const login = command("registry", "login", "--user", user, "--pass-stdin", endpoint().host);
      const wrong = await tryRun(login, { env, stdin: "guess" });
      expect(wrong.exitCode).not.toBe(0);
      expect(wrong.output).toMatch(/unauthorized/i);
      await run(login, { env, stdin: password });
    });

    test("an image and an index are copied in, between repositories and out", async () => {
      const images = { app: await smallImage(), multi: await multiPlatformImage() };
      for (const [name, image] of Object.entries(images)) {
        await regctl("image", "copy", `ocidir://${image.layout}:v1`, at(`team/${name}:v1`));
        await regctl("image", "copy", at(`team/${name}:v1`), at(`mounted/${name}:v1`));
        const copied = await regctl("image", "digest", at(`mounted/${name}:v1`));
        expect(copied).toBe(await storedDigest(endpoint(), `team/${name}`, "v1"));
        const pulled = join(temporaryFolder("pulled"), "oci");
        await regctl("image", "copy", at(`mounted/${name}:v1`), `ocidir://${pulled}:v1`);
        expectSameBlobs(pulled, image);
      }
      await expectMounted(endpoint(), "mounted/app");
    });

    test("a blob that is larger than a chunk arrives in chunks", async () => {
      const sizes = ["--blob-chunk", String(chunkSizeBytes), "--blob-max", String(chunkSizeBytes)];
      await regctl("registry", "set", ...sizes, endpoint().host);
      const bytes = randomBytes(10 * chunkSizeBytes + 1);
      const digest = await regctlFrom(bytes, "blob", "put", at("team/chunks"));
      expect(digest).toBe(sha256(bytes));
      const answer = await ask(endpoint(), `/v2/team/chunks/blobs/${digest}`);
      expect(sha256(await answer.bytes())).toBe(digest);
      const start = "PATCH /v2/team/chunks/blobs/uploads/";
      await expectAnswered(endpoint(), { start, status: 202, times: 11 });
      await regctl("registry", "set", "--blob-chunk", "0", "--blob-max", "0", endpoint().host);
    });

    test("a blob is pushed by its SHA-512, read and deleted", async () => {
      const bytes = Buffer.from("one blob\n");
      const digest = `sha512:${new Bun.CryptoHasher("sha512").update(bytes).digest("hex")}`;
      await regctlFrom(bytes, "blob", "put", "--digest", digest, at("team/blobs"));
      expect(await regctl("blob", "get", at("team/blobs"), digest)).toBe("one blob");
      await regctl("blob", "delete", at("team/blobs"), digest);
      expect(await blobStatus(endpoint(), "team/blobs", digest)).toBe(404);
    });

    test("what refers to an image is listed by kind, copied with it, and leaves no tag", async () => {
      writeFileSync(join(work, "report.txt"), "all is well\n");
      for (const kind of [artifactType, "application/vnd.acme.other"]) {
        const subject = ["--subject", at("team/app:v1"), "--artifact-type", kind];
        await regctl("artifact", "put", ...subject, "--file", "report.txt");
      }
      await regctl("image", "copy", "--referrers", at("team/app:v1"), at("kept/app:v1"));
      const filter = ["--filter-artifact-type", artifactType, "--format"];
      const one = await regctl(
        "artifact",
        "list",
        at("kept/app:v1"),
        ...filter,
        "{{len .Descriptors}}",
      );
      expect(one).toBe("1");
      await regctl(
        "artifact",
        "get",
        "--subject",
        at("kept/app:v1"),
        ...filter.slice(0, 2),
        "-o",
        work,
      );
      expect(readFileSync(join(work, "report.txt"), "utf8")).toBe("all is well\n");
      expect(await regctl("tag", "ls", at("kept/app"))).toBe("v1");
    });

    test("an image is changed in place, and an index is made of images that are there", async () => {
      const change = ["--create", "docker", "--to-docker", "--layer-compress", "zstd"];
      await regctl("image", "mod", at("team/app:v1"), "--create", "zstd", ...change.slice(3));
      await regctl("image", "mod", at("team/app:v1"), ...change.slice(0, 3));
      const docker = await storedManifest(endpoint(), "team/app", "docker");
      expect(docker?.mediaType).toBe("application/vnd.docker.distribution.manifest.v2+json");
      const refs = ["v1", "zstd"].flatMap((tag) => ["--ref", at(`team/app:${tag}`)]);
      await regctl("index", "create", at("team/app:index"), ...refs);
      const index = await storedManifest(endpoint(), "team/app", "index");
      expect(index?.content["manifests"]).toHaveLength(2);
    });

    test("a tag is deleted, and what it pointed to keeps its other tag", async () => {
      await regctl("image", "copy", at("team/app:v1"), at("team/app:v2"));
      await regctl("tag", "delete", at("team/app:v2"));
      expect(await storedManifest(endpoint(), "team/app", "v2")).toBeUndefined();
      expect(await regctl("tag", "ls", "--limit", "1", "--last", "index", at("team/app"))).toBe(
        "v1",
      );
      expect((await regctl("repo", "ls", endpoint().host)).split("\n")).toContain("team/app");
    });
  });
});
