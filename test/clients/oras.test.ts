import { expect, test } from "bun:test";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import {
  ask,
  blobStatus,
  describeModes,
  password,
  sha256,
  storedDigest,
  storedManifest,
  user,
} from "../support/endpoints.ts";
import { expectSameBlobs, imageTools, largeImage, multiPlatformImage } from "../support/images.ts";
import { run, tryRun } from "../support/processes.ts";
import { temporaryFolder } from "../support/run-folder.ts";
import { describeWith } from "../support/tools.ts";

const artifactType = "application/vnd.acme.report.v1";

await describeWith("oras", [...imageTools, "oras", "openssl"], (tools) => {
  describeModes((mode, endpoint) => {
    const work = temporaryFolder("oras");
    const at = (name: string): string => `${endpoint().host}/${name}`;
    const remoteOptions = (prefix = ""): string[] => [
      ...["--registry-config", join(work, "config.json")].map((word) =>
        word.replace("--", `--${prefix}`),
      ),
      ...(endpoint().authority === undefined
        ? [`--${prefix}plain-http`]
        : [`--${prefix}ca-file`, endpoint().authority?.certificateFile ?? ""]),
    ];
    const oras = async (verb: string, ...args: string[]): Promise<string> =>
      run([tools.path("oras"), ...verb.split(" "), ...remoteOptions(), ...args], { cwd: work });

    writeFileSync(join(work, "report.txt"), "all is well\n");
    writeFileSync(join(work, "notes.txt"), "no news\n");

    if (mode !== "anonymous") {
      test("login refuses a wrong password and accepts the right one", async () => {
        const login = [tools.path("oras"), "login", ...remoteOptions(), endpoint().host];
        const flags = ["--username", user, "--password-stdin"];
        const wrong = await tryRun([...login, ...flags], { stdin: "guess" });
        expect(wrong.exitCode).not.toBe(0);
        expect(wrong.output).toMatch(/unauthorized|401/i);
        expect(await run([...login, ...flags], { stdin: password })).toContain("Login Succeeded");
      });
    }

    test("an artifact is pushed and pulled, by tag and by digest", async () => {
      const files = ["report.txt:text/plain", "notes.txt:text/plain"];
      await oras("push", "--artifact-type", artifactType, at("team/report:v1,latest"), ...files);
      const digest = await storedDigest(endpoint(), "team/report", "v1");
      for (const name of ["team/report:latest", `team/report@${digest}`]) {
        const output = temporaryFolder("pulled");
        await oras("pull", "--output", output, at(name));
        expect(readFileSync(join(output, "report.txt"), "utf8")).toBe("all is well\n");
        expect(readFileSync(join(output, "notes.txt"), "utf8")).toBe("no news\n");
      }
    });

    test("what is attached is discovered, by kind too, and fetched", async () => {
      const subject = await storedDigest(endpoint(), "team/report", "v1");
      const kinds = ["application/vnd.acme.sbom", "application/vnd.acme.scan"];
      for (const kind of kinds) {
        await oras("attach", "--artifact-type", kind, at("team/report:v1"), "notes.txt");
      }
      const all = await oras("discover", "--format", "json", at("team/report:v1"));
      expect(typesIn(all)).toEqual(kinds);
      const options = ["--format", "json", "--artifact-type", "application/vnd.acme.scan"];
      const scans = await oras("discover", ...options, at(`team/report@${subject}`));
      expect(typesIn(scans)).toEqual(["application/vnd.acme.scan"]);
    });

    test("tags, repositories and manifests are told", async () => {
      expect((await oras("repo tags", at("team/report"))).split("\n")).toContain("v1");
      expect((await oras("repo ls", endpoint().host)).split("\n")).toContain("team/report");
      const digest = await storedDigest(endpoint(), "team/report", "v1");
      expect(await oras("resolve", at("team/report:v1"))).toBe(digest);
      await oras("tag", at("team/report:v1"), "v2", "v3");
      expect(await storedDigest(endpoint(), "team/report", "v3")).toBe(digest);
    });

    test("a blob is pushed, fetched and deleted", async () => {
      const text = "one blob\n";
      writeFileSync(join(work, "blob"), text);
      const name = at(`team/blobs@${sha256(text)}`);
      await oras("blob push", name, "blob");
      await oras("blob fetch", "--output", join(work, "fetched"), name);
      expect(readFileSync(join(work, "fetched"), "utf8")).toBe(text);
      await oras("blob delete", "--force", name);
      expect(await blobStatus(endpoint(), "team/blobs", sha256(text))).toBe(404);
    });

    test("an index and a layer of 100 MB are copied in and out", async () => {
      const cases = { multi: multiPlatformImage, large: largeImage };
      for (const [name, make] of Object.entries(cases)) {
        const image = await make();
        const target = at(`team/${name}:v1`);
        const copy = [tools.path("oras"), "copy", "--recursive"];
        await run([
          ...copy,
          ...remoteOptions("to-"),
          "--from-oci-layout",
          `${image.layout}:v1`,
          target,
        ]);
        const pulled = join(temporaryFolder("pulled"), "oci");
        await run([...copy, ...remoteOptions("from-"), "--to-oci-layout", target, `${pulled}:v1`]);
        expectSameBlobs(pulled, image);
      }
    });

    test("delete takes the manifest and what is attached stays reachable by digest", async () => {
      const digest = await storedDigest(endpoint(), "team/report", "v1");
      await oras("manifest delete", "--force", at(`team/report@${digest}`));
      expect(await storedManifest(endpoint(), "team/report", "v1")).toBeUndefined();
      const again = await ask(endpoint(), `/v2/team/report/manifests/${digest}`);
      expect(again.status).toBe(404);
    });
  });
});

/** The kinds of what `oras discover` found, sorted. */
function typesIn(discovered: string): string[] {
  const found: unknown = JSON.parse(discovered);
  const { manifests = [], referrers = [] } = found as {
    manifests?: { artifactType: string }[];
    referrers?: { artifactType: string }[];
  };
  return [...manifests, ...referrers].map((entry) => entry.artifactType).toSorted();
}
