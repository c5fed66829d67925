import { expect, test } from "bun:test";
import { join } from "node:path";
import { removeFolder, temporaryFolder } from "../../test/support/run-folder.ts";

/** As the executable, it is one file: its sources are read before it begins, by nobody's thread. */
const program = `
  import { readdirSync, readFileSync } from "node:fs";
  import { pbkdf2 } from "node:crypto";
  import { promisify } from "node:util";
  import { sizeThreadPool } from ${JSON.stringify(join(import.meta.dir, "thread-pool.ts"))};
  sizeThreadPool(7);
  const derive = promisify(pbkdf2);
  function nameOf(id) {
    // A thread may end between the two looks.
    try { return readFileSync("/proc/self/task/" + id + "/comm", "utf8"); } catch { return ""; }
  }
  // Work that keeps every thread for a while.
  const works = Array.from({ length: 32 }, () => derive("a", "b", 30_000, 32, "sha512"));
  let isDone = false;
  const done = Promise.all(works).then(() => (isDone = true));
  let most = 0;
  // The last thread is started when the processor has time for it, which may be late.
  while (!isDone) {
    await Bun.sleep(1);
    const names = readdirSync("/proc/self/task").map(nameOf);
    most = Math.max(most, names.filter((name) => name.startsWith("Bun Pool")).length);
  }
  await done;
  console.log(most);
`;

async function threadsOf(environment: Readonly<Record<string, string>>): Promise<number> {
  const folder = temporaryFolder("thread-pool");
  try {
    const source = join(folder, "program.ts");
    await Bun.write(source, program);
    const built = await Bun.build({ entrypoints: [source], target: "bun", outdir: folder });
    expect(built.success).toBe(true);
    const child = Bun.spawn([process.execPath, join(folder, "program.js")], {
      env: { PATH: process.env["PATH"] ?? "", ...environment },
      stdio: ["ignore", "pipe", "inherit"],
    });
    return Number(await new Response(child.stdout).text());
  } finally {
    removeFolder(folder);
  }
}

test.skipIf(process.platform !== "linux")(
  "the pool has as many threads as are asked for",
  async () => {
    expect(await threadsOf({})).toBe(7);
    expect(await threadsOf({ UV_THREADPOOL_SIZE: "5" })).toBe(5);
  },
);
