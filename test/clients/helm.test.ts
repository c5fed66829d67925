import { expect, test } from "bun:test";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describeModes, password, storedManifest, user } from "../support/endpoints.ts";
import { run, tryRun } from "../support/processes.ts";
import { temporaryFolder } from "../support/run-folder.ts";
import { describeWith } from "../support/tools.ts";

await describeWith("helm", ["helm", "unzip", "openssl"], (tools) => {
  describeModes((mode, endpoint) => {
    const work = temporaryFolder("helm");
    const env = {
      HELM_CACHE_HOME: join(work, "cache"),
      HELM_CONFIG_HOME: join(work, "config"),
      HELM_DATA_HOME: join(work, "data"),
    };
    const remoteOptions = (): string[] =>
      endpoint().authority === undefined
        ? ["--plain-http"]
        : ["--ca-file", endpoint().authority?.certificateFile ?? ""];
    const helm = async (...args: string[]): Promise<string> =>
      run([tools.path("helm"), ...args], { env, cwd: work });
    const charts = (): string => `oci://${endpoint().host}/charts`;

    if (mode !== "anonymous") {
      test("login refuses a wrong password and accepts the right one", async () => {
        const login = [tools.path("helm"), "registry", "login", endpoint().host];
        const flags = [...remoteOptions(), "--username", user, "--password-stdin"];
        const wrong = await tryRun([...login, ...flags], { env, stdin: "guess" });
        expect(wrong.exitCode).not.toBe(0);
        expect(wrong.output).toMatch(/unauthorized|401/i);
        const right = await tryRun([...login, ...flags], { env, stdin: password });
        expect(right.output).toContain("Login Succeeded");
      });
    }

    test("charts of several versions are pushed, a build number among them", async () => {
      for (const version of ["0.1.0", "0.1.7", "0.2.0", "0.2.1+build.5"]) {
        await helm("package", chart(version), "--destination", work);
        await helm("push", join(work, `boat-${version}.tgz`), charts(), ...remoteOptions());
      }
      // A tag may not hold a plus sign.
      const stored = await storedManifest(endpoint(), "charts/boat", "0.2.1_build.5");
      expect(stored?.content["config"]).toMatchObject({
        mediaType: "application/vnd.cncf.helm.config.v1+json",
      });
    });

    test("pull and show give a version's own content", async () => {
      const output = temporaryFolder("pulled");
      const options = ["--version", "0.1.7", "--untar", "--untardir", output];
      await helm("pull", `${charts()}/boat`, ...options, ...remoteOptions());
      expect(await run(["cat", join(output, "boat", "values.yaml")])).toBe("sails: 0.1.7");
      const shown = await helm(
        "show",
        "values",
        `${charts()}/boat`,
        "--version",
        "0.2.1+build.5",
        ...remoteOptions(),
      );
      expect(shown).toBe("sails: 0.2.1+build.5");
    });

    test("a range of versions chooses the newest that fits", async () => {
      const command = ["template", "fleet", `${charts()}/boat`, "--version", "^0.1"];
      expect(await helm(...command, ...remoteOptions())).toContain("sails: 0.1.7");
      const newest = await helm("show", "chart", `${charts()}/boat`, ...remoteOptions());
      expect(newest).toContain("version: 0.2.1+build.5");
    });

    /** A chart whose one template says which version it is. */
    function chart(version: string): string {
      const folder = join(temporaryFolder("chart"), "boat");
      mkdirSync(join(folder, "templates"), { recursive: true });
      writeFileSync(
        join(folder, "Chart.yaml"),
        `apiVersion: v2\nname: boat\nversion: ${version}\n`,
      );
      writeFileSync(join(folder, "values.yaml"), `sails: ${version}\n`);
      writeFileSync(
        join(folder, "templates", "map.yaml"),
        "apiVersion: v1\nkind: ConfigMap\nmetadata: { name: boat }\n" +
          'data: { sails: "sails: {{ .Values.sails }}" }\n',
      );
      return folder;
    }
  });
});
