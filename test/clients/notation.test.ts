import { expect, test } from "bun:test";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { tlsOptions, trustedBySystem } from "../support/client-options.ts";
import { describeModes, password, storedDigest, user } from "../support/endpoints.ts";
import { imageTools, secondImage, smallImage } from "../support/images.ts";
import { run, tryRun } from "../support/processes.ts";
import { temporaryFolder } from "../support/run-folder.ts";
import { describeWith } from "../support/tools.ts";

const trustPolicy = {
  version: "1.0",
  trustPolicies: [
    {
      name: "acme",
      registryScopes: ["*"],
      signatureVerification: { level: "strict" },
      trustStores: ["ca:acme.test"],
      trustedIdentities: ["*"],
    },
  ],
};

await describeWith("notation", [...imageTools, "notation", "openssl"], (tools) => {
  describeModes((mode, endpoint) => {
    const home = temporaryFolder("notation");
    const env = (): Record<string, string> => ({
      HOME: home,
      XDG_CONFIG_HOME: join(home, ".config"),
      ...trustedBySystem(endpoint()),
    });
    const remoteOptions = (secret = password): string[] => [
      ...(endpoint().authority === undefined ? ["--insecure-registry"] : []),
      ...(endpoint().needsLogin ? ["--username", user, "--password", secret] : []),
    ];
    const command = (verb: string, ...args: string[]): string[] => [
      tools.path("notation"),
      ...verb.split(" "),
      ...args,
    ];
    const notation = async (verb: string, ...args: string[]): Promise<string> =>
      run(command(verb, ...args), { env: env() });

    async function seed(name: string, make = smallImage): Promise<string> {
      const image = await make();
      const credentials = endpoint().needsLogin ? ["--dest-creds", `${user}:${password}`] : [];
      const flags = [...tlsOptions(endpoint(), "dest-"), ...credentials];
      const target = `docker://${endpoint().host}/${name}:v1`;
      await run(["skopeo", "copy", ...flags, image.source, target]);
      return `${endpoint().host}/${name}@${await storedDigest(endpoint(), name, "v1")}`;
    }

    test("a certificate and a policy are made", async () => {
      await notation("cert generate-test", "--default", "acme.test");
      const folder = join(home, ".config", "notation");
      mkdirSync(folder, { recursive: true });
      writeFileSync(join(folder, "trustpolicy.json"), JSON.stringify(trustPolicy));
    });

    if (mode !== "anonymous") {
      test("a wrong password is refused", async () => {
        const image = await seed("notary/app");
        const sign = command("sign", ...remoteOptions("guess"), image);
        const refused = await tryRun(sign, { env: env() });
        expect(refused.exitCode).not.toBe(0);
        expect(refused.output).toMatch(/401|unauthorized/i);
      });
    }

    test("a signature is pushed, listed and verified", async () => {
      const image = await seed("notary/app");
      await notation("sign", ...remoteOptions(), image);
      const listed = await notation("list", ...remoteOptions(), image);
      expect(listed).toContain("application/vnd.cncf.notary.signature");
      const verified = await notation("verify", ...remoteOptions(), image);
      expect(verified).toContain("Successfully verified signature");
    });

    test("an image that nobody signed does not verify", async () => {
      const image = await seed("notary/unsigned", secondImage);
      const refused = await tryRun(command("verify", ...remoteOptions(), image), { env: env() });
      expect(refused.exitCode).not.toBe(0);
      expect(refused.output).toMatch(/no signature|signature verification failed/i);
    });

    test("an artifact is inspected with all its signatures", async () => {
      const image = await seed("notary/app");
      await notation("sign", ...remoteOptions(), image);
      const inspected = await notation("inspect", ...remoteOptions(), "--output", "json", image);
      expect(JSON.parse(inspected)).toMatchObject({ Signatures: [{}, {}] });
    });
  });
});
