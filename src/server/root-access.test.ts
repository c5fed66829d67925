import { afterAll, beforeAll, expect, test } from "bun:test";
import { spawnSync } from "node:child_process";
import { chmodSync, mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pushObstacle, servingObstacle } from "./root-access.ts";

let root = "";
beforeAll(() => {
  root = mkdtempSync(join(tmpdir(), "berth-access-"));
  chmodSync(root, 0o755);
});
afterAll(() => rmSync(root, { recursive: true, force: true }));

test("a folder of its own is no obstacle, whether anything lies in it or not", () => {
  expect(servingObstacle(root)).toBeUndefined();
  expect(pushObstacle(root)).toBeUndefined();
  mkdirSync(join(root, "docker/registry/v2/blobs/sha256"), { recursive: true });
  expect(pushObstacle(root)).toBeUndefined();
  expect(servingObstacle(join(root, "not/there/yet"))).toBeUndefined();
});

test("a process that may not write is told so, and one that may not push is", () => {
  // Root may write everywhere, so the question is put by a process without root's rights.
  const blobs = join(root, "docker/registry/v2/blobs");
  mkdirSync(blobs, { recursive: true });
  const ask = (name: "servingObstacle" | "pushObstacle"): string => {
    // Given up after the program is loaded: its file may lie where only root may read.
    const program = `import { ${name} } from ${JSON.stringify(join(import.meta.dir, "root-access.ts"))};
      if (process.geteuid() === 0) { process.setgid(65532); process.setuid(65532); }
      process.stdout.write(String(${name}(${JSON.stringify(root)})));`;
    const child = spawnSync(process.execPath, ["-e", program], { encoding: "utf8" });
    expect(child.stderr).toBe("");
    return child.stdout;
  };
  chmodSync(blobs, 0o555);
  expect(ask("pushObstacle")).toContain(`may not write to ${blobs}`);
  chmodSync(root, 0o555);
  expect(ask("servingObstacle")).toContain(`may not write to ${root}, which belongs to`);
  chmodSync(root, 0o755);
  chmodSync(blobs, 0o755);
});

test("a folder that this user may not look into is not taken for an empty one", () => {
  const locked = join(root, "locked");
  mkdirSync(join(locked, "berth"), { recursive: true });
  chmodSync(locked, 0o700);
  const config = { storage: { driver: { kind: "filesystem", rootDirectory: locked } } };
  const program = `import { isServed, requireRegistry } from ${JSON.stringify(join(import.meta.dir, "run-command.ts"))};
    if (process.geteuid() === 0) { process.setgid(65532); process.setuid(65532); }
    else (await import("node:fs")).chmodSync(${JSON.stringify(locked)}, 0);
    try { requireRegistry(${JSON.stringify(config)}); } catch ({ message }) { console.log(message); }
    await isServed(${JSON.stringify(locked)}).catch(({ message }) => console.log(message));`;
  const child = spawnSync(process.execPath, ["-e", program], { encoding: "utf8" });
  chmodSync(locked, 0o700);
  expect(child.stderr).toBe("");
  const sentence = `this user may not look into ${locked}: run the command as the user that the server runs as, or as root\n`;
  expect(child.stdout).toBe(sentence + sentence);
});
