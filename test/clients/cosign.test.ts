import { expect, test } from "bun:test";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { tlsOptions, trustedBySystem } from "../support/client-options.ts";
import { describeModes, password, storedDigest, user } from "../support/endpoints.ts";
import { imageTools, secondImage, smallImage } from "../support/images.ts";
import { run, tryRun } from "../support/processes.ts";
import { temporaryFolder } from "../support/run-folder.ts";
import { describeWith } from "../support/tools.ts";

await describeWith("cosign", [...imageTools, "cosign", "openssl"], (tools) => {
  describeModes((mode, endpoint) => {
    const work = temporaryFolder("cosign");
    const env = (): Record<string, string> => ({
      COSIGN_PASSWORD: "passphrase",
      DOCKER_CONFIG: work,
      HOME: work,
      ...trustedBySystem(endpoint()),
    });
    const insecure = (): string[] =>
      endpoint().authority === undefined
        ? ["--allow-http-registry", "--allow-insecure-registry"]
        : [];
    const cosign = async (...args: string[]): Promise<string> =>
      run([tools.path("cosign"), ...args], { env: env(), cwd: work });
    /** What cosign is told when nothing may be written to a public log. */
    const privately = ["--key", "cosign.key", "--tlog-upload=false", "--yes"];
    const offline = ["--key", "cosign.pub", "--insecure-ignore-tlog=true"];

    async function seed(name: string, make = smallImage): Promise<string> {
      const image = await make();
      const credentials = endpoint().needsLogin ? ["--dest-creds", `${user}:${password}`] : [];
      const flags = [...tlsOptions(endpoint(), "dest-"), ...credentials];
      const target = `docker://${endpoint().host}/${name}:v1`;
      await run(["skopeo", "copy", ...flags, image.source, target]);
      return `${endpoint().host}/${name}@${await storedDigest(endpoint(), name, "v1")}`;
    }

    test("a key pair is made", async () => {
      await cosign("generate-key-pair");
    });

    if (mode !== "anonymous") {
      test("without the right password nothing is signed", async () => {
        const image = await seed("signed/app");
        const sign = [tools.path("cosign"), "sign", ...privately, ...insecure(), image];
        const refused = await tryRun(sign, { env: env(), cwd: work });
        expect(refused.exitCode).not.toBe(0);
        expect(refused.output).toMatch(/UNAUTHORIZED|authentication required/i);
        const login = ["login", endpoint().host, "--username", user, "--password", password];
        await cosign(...login);
      });
    }

    test("a signature verifies, and not for another image", async () => {
      const image = await seed("signed/app");
      await cosign("sign", ...privately, ...insecure(), image);
      const verified = await cosign("verify", ...offline, ...insecure(), image);
      expect(verified).toContain(image.split("@")[1] ?? "");
      const other = await seed("signed/other", secondImage);
      const refused = await tryRun(
        [tools.path("cosign"), "verify", ...offline, ...insecure(), other],
        { env: env(), cwd: work },
      );
      expect(refused.exitCode).not.toBe(0);
      expect(refused.output).toMatch(/no (matching )?signatures/);
    });

    test("two signatures of two keys are both kept", async () => {
      const image = await seed("signed/twice");
      await cosign("sign", ...privately, ...insecure(), image);
      await cosign("generate-key-pair", "--output-key-prefix", "second");
      const second = privately.map((word) => (word === "cosign.key" ? "second.key" : word));
      await cosign("sign", ...second, ...insecure(), image);
      for (const key of ["cosign.pub", "second.pub"]) {
        const options = offline.map((word) => (word === "cosign.pub" ? key : word));
        await cosign("verify", ...options, ...insecure(), image);
      }
    });

    test("a statement about an image is attached and verifies", async () => {
      const image = await seed("signed/app");
      writeFileSync(join(work, "predicate.json"), '{"built":"here"}\n');
      const predicate = ["--predicate", "predicate.json", "--type", "custom"];
      await cosign("attest", ...privately, ...predicate, ...insecure(), image);
      const options = [...offline, "--type", "custom"];
      await cosign("verify-attestation", ...options, ...insecure(), image);
      const tree = await cosign("tree", ...insecure(), image);
      expect(tree).toContain("Signatures");
      expect(tree).toContain("Attestations");
    });
  });
});
