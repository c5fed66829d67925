import { afterAll, describe, expect, test } from "bun:test";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { imageRecord } from "../../../src/metadata/metadata-samples.ts";
import { openMetadataStore } from "../../../src/metadata/sql-metadata-store.ts";
import { nameOf, tagOf } from "../../../src/oci/test-support.ts";

const folder = mkdtempSync(join(tmpdir(), "berth-crash-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

function startWriter(path: string, repository: string, count: number) {
  const program = join(import.meta.dir, "metadata-writer.ts");
  return Bun.spawn([process.execPath, program, path, repository, String(count)], {
    stdin: "ignore",
    stdout: "pipe",
    stderr: "inherit",
  });
}

describe("the derived store in SQLite", () => {
  test("takes the pushes of three processes at once, and loses none", async () => {
    const path = join(folder, "shared.sqlite");
    // The file is not there yet: the processes also race to make it.
    const writers = ["one", "two", "one"].map((name) => startWriter(path, name, 60));
    const codes = await Promise.all(writers.map((writer) => writer.exited));
    expect(codes).toEqual([0, 0, 0]);
    const store = await openMetadataStore({ kind: "sqlite", path });
    for (const name of ["one", "two"]) {
      expect(await store.listTags(nameOf(name), { limit: 1_000 })).toHaveLength(60);
    }
    await store.close();
  });

  test("has all that was recorded, and nothing half, after kill -9", async () => {
    const path = join(folder, "killed.sqlite");
    const repository = nameOf("killed");
    for (const recordedBeforeKill of [1, 17, 45]) {
      const writer = startWriter(path, repository, 100_000);
      const recorded = await killAfter(writer, recordedBeforeKill);
      const store = await openMetadataStore({ kind: "sqlite", path });
      for (let index = 0; index <= recorded; index += 1) {
        const found = await store.findTag(repository, tagOf(`t${index}`));
        expect(found?.digest).toBe(imageRecord(`image ${index}`).digest);
      }
      // A push is one transaction: each tag has its manifest, each manifest its tag.
      const tags = await store.listTags(repository, { limit: 100_000 });
      const { manifests } = await store.snapshotOf(repository);
      expect(manifests.size).toBe(tags.length);
      await store.recordTag(repository, {
        tag: tagOf("t0"),
        digest: imageRecord("image 0").digest,
        pushedAtMs: 1,
        stamp: "after",
      });
      await store.close();
    }
  });
});

/** Kills `writer` when it has printed that many numbers; the last one that it printed. */
async function killAfter(writer: ReturnType<typeof startWriter>, count: number): Promise<number> {
  let text = "";
  const decoder = new TextDecoder();
  for await (const chunk of writer.stdout) {
    text += decoder.decode(chunk, { stream: true });
    if (text.split("\n").length > count) writer.kill("SIGKILL");
  }
  await writer.exited;
  return Number(text.split("\n").at(-2));
}
