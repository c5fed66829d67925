import { expect, test } from "bun:test";
import { join } from "node:path";
import { trustedBySystem } from "../support/client-options.ts";
import {
  blobStatus,
  describeModes,
  expectMounted,
  password,
  storedDigest,
  storedManifest,
  user,
} from "../support/endpoints.ts";
import {
  expectSameBlobs,
  imageTools,
  largeImage,
  multiPlatformImage,
  secondImage,
  smallImage,
  zstdImage,
} from "../support/images.ts";
import { run, tryRun } from "../support/processes.ts";
import { temporaryFolder } from "../support/run-folder.ts";
import { describeWith } from "../support/tools.ts";

await describeWith("crane", [...imageTools, "crane", "openssl"], (tools) => {
  describeModes((mode, endpoint) => {
    const config = temporaryFolder("crane");
    const at = (name: string): string => `${endpoint().host}/${name}`;
    const environment = (): Record<string, string> => ({
      DOCKER_CONFIG: config,
      ...trustedBySystem(endpoint()),
    });
    const command = (...args: string[]): string[] => [
      tools.path("crane"),
      ...(endpoint().authority === undefined ? ["--insecure"] : []),
      ...args,
    ];
    const crane = async (...args: string[]): Promise<string> =>
      run(command(...args), { env: environment() });

    if (mode !== "anonymous") {
      test("without the right password nothing is told", async () => {
        const login = ["auth", "login", "--username", user, "--password-stdin", endpoint().host];
        await run(command(...login), { env: environment(), stdin: "guess" });
        const refused = await tryRun(command("catalog", endpoint().host), { env: environment() });
        expect(refused.exitCode).not.toBe(0);
        expect(refused.output).toMatch(/UNAUTHORIZED|401/);
        await run(command(...login), { env: environment(), stdin: password });
      });
    }

    test("push and pull give the same bytes; validate agrees", async () => {
      const image = await smallImage();
      await crane("push", image.layout, at("team/app:v1"));
      // crane pushes what the layout's index names: the image itself, where it names one.
      const digest = await crane("digest", at("team/app:v1"));
      expect(digest).toBe(await storedDigest(endpoint(), "team/app", "v1"));
      const pulled = join(temporaryFolder("pulled"), "oci");
      await crane("pull", "--format", "oci", at("team/app:v1"), pulled);
      await crane("pull", "--format", "oci", at(`team/app@${digest}`), pulled);
      await crane("validate", "--remote", at("team/app:v1"));
      const exported = join(temporaryFolder("exported"), "root.tar");
      await crane("export", at("team/app:v1"), exported);
      expect(await run(["tar", "-xOf", exported, "hello.txt"])).toBe(image.greeting);
    });

    test("copy to another repository mounts the layers", async () => {
      const image = await smallImage();
      await crane("copy", at("team/app:v1"), at("mounted/app:v1"));
      for (const digest of image.layerDigests) {
        expect(await blobStatus(endpoint(), "mounted/app", digest)).toBe(200);
      }
      await expectMounted(endpoint(), "mounted/app");
      expect(await crane("digest", at("mounted/app:v1"))).toBe(
        await crane("digest", at("team/app:v1")),
      );
    });

    test("layers in zstd come back byte for byte", async () => {
      const image = await zstdImage();
      await crane("push", image.layout, at("team/zstd:v1"));
      const pulled = join(temporaryFolder("pulled"), "oci");
      await crane("pull", "--format", "oci", at("team/zstd:v1"), pulled);
      expectSameBlobs(pulled, image);
    });

    test("an index and a layer of 100 MB are validated", async () => {
      for (const [name, make] of Object.entries({ multi: multiPlatformImage, large: largeImage })) {
        await crane("push", (await make()).layout, at(`team/${name}:v1`));
        await crane("validate", "--remote", at(`team/${name}:v1`));
      }
      const stored = await storedManifest(endpoint(), "team/multi", "v1");
      expect(stored?.mediaType).toBe("application/vnd.oci.image.index.v1+json");
      const arm = await crane("config", "--platform", "linux/arm64", at("team/multi:v1"));
      expect(JSON.parse(arm)).toMatchObject({ architecture: "arm64" });
    });

    test("append and mutate make new images; tag, ls and catalog show them", async () => {
      const layer = join(temporaryFolder("layer"), "layer.tar");
      await run(["tar", "-cf", layer, "-C", "/etc", "debian_version"]);
      await crane("append", "--base", at("team/app:v1"), "-f", layer, "-t", at("team/app:v2"));
      await crane("mutate", at("team/app:v2"), "--label", "a=b", "--tag", at("team/app:v3"));
      await crane("tag", at("team/app:v3"), "latest");
      expect((await crane("ls", at("team/app"))).split("\n")).toEqual(["latest", "v1", "v2", "v3"]);
      expect((await crane("catalog", endpoint().host)).split("\n")).toContain("mounted/app");
    });

    test("delete of a digest takes its tags along; a new push brings it back", async () => {
      await crane("push", (await secondImage()).layout, at("team/gone:v1"));
      const digest = await crane("digest", at("team/gone:v1"));
      await crane("delete", at(`team/gone@${digest}`));
      const refused = await tryRun(command("digest", at("team/gone:v1")), { env: environment() });
      expect(refused.exitCode).not.toBe(0);
      expect(refused.output).toMatch(/MANIFEST_UNKNOWN|404/);
      await crane("push", (await secondImage()).layout, at("team/gone:v1"));
      await crane("validate", "--remote", at("team/gone:v1"));
    });
  });
});
