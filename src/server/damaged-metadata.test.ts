import { expect, test } from "bun:test";
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { anywhere, berth } from "./process-support.ts";
import { testFolder } from "./test-support.ts";

const pageBytes = 4096;

test("metadata that are found damaged in use are made anew by the next start", async () => {
  using folder = testFolder();
  const path = folder.file("data/berth/metadata.sqlite");
  const push = async (origin: string, tag: string): Promise<number> => {
    const manifest = JSON.stringify({
      schemaVersion: 2,
      mediaType: "application/vnd.oci.image.index.v1+json",
      manifests: [],
      annotations: { of: tag },
    });
    const headers = { "content-type": "application/vnd.oci.image.index.v1+json" };
    const init = { method: "PUT", body: manifest, headers };
    return (await fetch(`${origin}/v2/team/app/manifests/${tag}`, init)).status;
  };
  const tags = async (origin: string): Promise<unknown> =>
    ((await (await fetch(`${origin}/v2/team/app/tags/list`)).json()) as { tags: unknown }).tags;
  {
    await using server = berth(folder, anywhere);
    const origin = await server.origin();
    expect(await push(origin, "v1")).toBe(201);
    server.process.kill("SIGTERM");
    await server.ended();
  }
  // Pages of tables and of their indexes; those before and behind them say what the tables are.
  writeFileSync(path, readFileSync(path).fill(0xa5, 5 * pageBytes, 19 * pageBytes));
  {
    await using server = berth(folder, anywhere);
    const origin = await server.origin();
    expect(await push(origin, "v2")).toBe(503);
    while (!server.log().includes("the metadata database is damaged")) await Bun.sleep(5);
    server.process.kill("SIGKILL");
    await server.process.exited;
  }
  await using server = berth(folder, anywhere);
  const origin = await server.origin();
  expect(server.log()).toContain("made anew from the storage");
  expect(existsSync(`${path}.damaged`)).toBe(true);
  expect(await push(origin, "v3")).toBe(201);
  while (!server.log().includes("the metadata agrees with the storage")) await Bun.sleep(5);
  expect(await tags(origin)).toEqual(expect.arrayContaining(["v1", "v3"]));
});

test("metadata that are too damaged to be opened are made anew by the start after that", async () => {
  using folder = testFolder();
  const path = folder.file("data/berth/metadata.sqlite");
  {
    await using server = berth(folder, anywhere);
    await server.origin();
    server.process.kill("SIGTERM");
    await server.ended();
  }
  writeFileSync(path, readFileSync(path).fill(0xa5, pageBytes));
  const refused = await berth(folder, anywhere).ended();
  expect(refused.code).toBe(1);
  expect(refused.errors).toContain("start again: it is set aside then");
  await using server = berth(folder, anywhere);
  await server.origin();
  expect(existsSync(`${path}.damaged`)).toBe(true);
});

test("a file that is no database at all is left where it is", async () => {
  using folder = testFolder();
  mkdirSync(folder.file("data/berth"), { recursive: true });
  const path = folder.write("data/berth/metadata.sqlite", "a letter to my aunt\n".repeat(500));
  for (let start = 0; start < 2; start += 1) {
    const refused = await berth(folder, anywhere).ended();
    expect(refused.errors).toContain("file is not a database; delete it, with");
  }
  expect(readFileSync(path, "utf8")).toStartWith("a letter to my aunt");
});
